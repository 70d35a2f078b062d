"""Finds the texts of documents in a request, in the forms of Converse,
Anthropic, OpenAI and Cohere.

A document's text is its name, its title and what it contains. Text in base64 is decoded. PDF and
Word files are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from bedtape_cassettes.families.knowledge_bases import read_documents
from bedtape_cassettes.families.shared import json_access, readers
from bedtape_cassettes.model import JsonValue

# The members of a request with documents.
_PLACES = ("system", "messages", "input")
_NAMES = ("name", "title", "filename", "context")
_TYPES = ("document", "search_result", "file", "input_file")
_MEMBERS = ("document", "searchResult")


def read_document_texts(body: JsonValue) -> tuple[str, ...]:
    """Return the text of each document of a request, in order."""
    if not isinstance(body, dict):
        return ()
    blocks = [
        *json_access.items(body, "documents"),
        *_find_blocks([body.get(place) for place in _PLACES]),
    ]
    return (*read_documents(body), *("\n".join(_read_parts(block)) for block in blocks))


def _find_blocks(value: JsonValue) -> Iterator[JsonValue]:
    """Yield the blocks of documents. A document does not contain another one."""
    left = [value]  # not recursive, because clients can nest values deeply
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += reversed(value)
        elif isinstance(value, dict) and value.get("type") in _TYPES:
            yield value
        elif isinstance(value, dict):
            yield from (value[name] for name in _MEMBERS if name in value)
            left += reversed([member for name, member in value.items() if name not in _MEMBERS])


def _read_parts(block: JsonValue) -> Iterator[str]:
    """Yield the names and the texts of a document."""
    if isinstance(block, str):
        yield block
        return
    yield from (text for name in _NAMES if (text := json_access.text(block, name)))
    for holder in (block, json_access.member(block, "source"), json_access.member(block, "file")):
        yield from (
            text for name in ("text", "snippet") if (text := json_access.text(holder, name))
        )
        yield from filter(None, [readers.read_text(holder, "content")])
        yield from filter(
            None, [json_access.text(holder, "filename")] if holder is not block else []
        )
        for name in ("bytes", "data", "file_data"):
            if text := json_access.text(holder, name):
                yield from filter(None, [_decode(text, json_access.text(holder, "type"))])


def _decode(data: str, kind: str) -> str:
    """Return the text of base64, of a data URL, or of plain text. Empty for other files."""
    if kind == "text":
        return data
    if data.startswith("data:"):
        data = data.partition(",")[2]
    decoded = readers.binary(data)
    if decoded.startswith(b"%PDF") or b"\0" in decoded:
        return ""
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        return ""
