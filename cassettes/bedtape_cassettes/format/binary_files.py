"""Large binary content of an interaction as files beside it: documents, images, sounds.

A body of JSON contains such content in base64, and repeats it in every turn. In the file of the
interaction, the name of a file is in its place. The name is the digest of the content with the
type's suffix, so equal content has one file in a cassette. In memory, bodies are complete. No disk
access.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from hashlib import blake2b

from bedtape_cassettes.format.json_values import map_leaves
from bedtape_cassettes.model import JsonValue

# A shorter text of base64 stays where it is. A long one of an unknown type may be a
# signature or an embedding.
LARGE = 4096
_LARGE_UNKNOWN = 65536

# How contents of a type begin: an offset and the bytes there.
_TYPES: tuple[tuple[str, int, bytes], ...] = (
    ("pdf", 0, b"%PDF-"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("jpg", 0, b"\xff\xd8\xff"),
    ("gif", 0, b"GIF8"),
    ("webp", 8, b"WEBP"),
    ("wav", 8, b"WAVE"),
    ("avi", 8, b"AVI "),
    ("mp4", 4, b"ftyp"),
    ("mkv", 0, b"\x1a\x45\xdf\xa3"),
    ("mp3", 0, b"ID3"),
    ("mp3", 0, b"\xff\xfb"),
    ("aac", 0, b"\xff\xf1"),
    ("ogg", 0, b"OggS"),
    ("flac", 0, b"fLaC"),
    ("tiff", 0, b"II*\x00"),
    ("bmp", 0, b"BM"),
    ("doc", 0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("zip", 0, b"PK\x03\x04"),
    ("gz", 0, b"\x1f\x8b"),
)
# Files of Office are zip files that contain such a folder.
_OFFICE = (("docx", b"word/"), ("xlsx", b"xl/"), ("pptx", b"ppt/"))
_NAME = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{2,4}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
# The beginning of a data URL, which stays in the interaction.
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,")

# Returns the content of a file by its name. Raises KeyError if there is no such file.
Load = Callable[[str], bytes]


def is_binary_name(name: str) -> bool:
    """Whether the text can be the name of a file with binary content."""
    return _NAME.fullmatch(name) is not None


def name_content(content: bytes, suffix: str) -> str:
    """Returns the name of the file: digest and type."""
    return f"{blake2b(content, digest_size=16).hexdigest()}.{suffix}"


def has_content(name: str, content: bytes) -> bool:
    """Whether a file of this name has this content."""
    return name_content(content, name.partition(".")[2]) == name


def take_out(value: JsonValue, files: dict[str, bytes]) -> JsonValue:
    """Returns the value with names in place of large binary content, which is added to `files`."""

    def replace_leaf(leaf: JsonValue) -> JsonValue:
        if not isinstance(leaf, str) or len(leaf) < LARGE:
            return leaf
        url = _DATA_URL.match(leaf)
        start = url.end() if url else 0
        content = _decode(leaf[start:])
        suffix = content and _find_type(content)
        if not content or not suffix:
            return leaf
        name = name_content(content, suffix)
        files[name] = content
        return leaf[:start] + name

    return map_leaves(value, replace_leaf)


def put_back(value: JsonValue, names: Sequence[str], load: Load) -> JsonValue:
    """Returns the value with the contents of these files in base64. Raises what `load` raises."""
    encoded = {name: b64encode(load(name)).decode() for name in names}

    def replace_leaf(leaf: JsonValue) -> JsonValue:
        if not isinstance(leaf, str):
            return leaf
        url = _DATA_URL.match(leaf)
        start = url.end() if url else 0
        content = encoded.get(leaf[start:])
        return leaf if content is None else leaf[:start] + content

    return map_leaves(value, replace_leaf)


def _decode(text: str) -> bytes | None:
    """Returns the content, if encoding it again gives the same text."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        content = b64decode(text, validate=True)
    except Error:
        return None
    return content if b64encode(content).decode() == text else None


def _find_type(content: bytes) -> str | None:
    suffix = next((suffix for suffix, at, magic in _TYPES if content.startswith(magic, at)), None)
    if suffix == "zip":
        return next((office for office, folder in _OFFICE if folder in content), suffix)
    if suffix is None and _is_text(content):
        return "txt"
    return suffix or ("bin" if len(content) >= _LARGE_UNKNOWN else None)


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\x00-\x08\x0e-\x1f]", text)
