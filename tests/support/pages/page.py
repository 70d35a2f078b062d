"""A page of Markdown as its fenced blocks, each with the notes that stand above it as comments.

Nothing is run here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# What a comment above a block may say; the meaning of each is in CONTRIBUTING.md.
NOTES = frozenset({"begins with", "file", "run", "exits", "from", "said by the server", "not run"})
_NOTE = re.compile(r"^ *<!-- (?P<word>[a-z ]+?)(?:: (?P<value>.*))? -->$")
_OPEN = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>\S*)(?P<rest>.*)$")
# A first line that is a comment and nothing but a file's name says where the block belongs.
_NAME = re.compile(r"^(?:#|//) (?P<name>(?:[\w.-]+/)*(?:[\w-]*\.\w[\w.-]*|Makefile|Dockerfile))$")


class PageInvalid(AssertionError):
    """A block that cannot be tested as it is written: where, and what fixes it."""


@dataclass(frozen=True)
class Block:
    """A fenced block. where: page and line. notes: what the comments directly above it
    say, by their first words.
    """

    where: str
    language: str
    text: str
    notes: Mapping[str, str]

    @property
    def name(self) -> str | None:
        """The file that it is, of the reader's project."""
        named = _NAME.match(self.text.partition("\n")[0])
        return self.notes.get("file") or (named["name"] if named else None)

    def refuse(self, why: str) -> PageInvalid:
        return PageInvalid(f"{self.where}: {why}")


@dataclass(frozen=True)
class Page:
    """A page and its blocks, in order."""

    path: Path
    blocks: tuple[Block, ...]

    def __str__(self) -> str:
        return self.path.name

    def projects(self) -> Iterator[Sequence[Block]]:
        """The blocks by project: one that says what it begins with begins a new one."""
        blocks: list[Block] = []
        for block in self.blocks:
            if blocks and "begins with" in block.notes:
                yield blocks
                blocks = []
            blocks.append(block)
        if blocks:
            yield blocks


def read(path: Path, shown: str = "") -> Page:
    """The page. shown: its name in messages.

    Raises PageInvalid where a block is not written as they are.
    """
    return Page(path, tuple(_blocks(path.read_text(), shown or path.name)))


def _blocks(text: str, page: str) -> Iterator[Block]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        opened = _OPEN.match(lines[at])
        if opened is None:
            at += 1
            continue
        where = f"{page}:{at + 1}"
        end = next(
            (i for i in range(at + 1, len(lines)) if lines[i].strip() == opened["fence"]), None
        )
        if end is None:
            raise PageInvalid(
                f"{where}: expected the block to end with {opened['fence']}, found the page's end"
            )
        if not opened["language"] or opened["rest"].strip():
            raise PageInvalid(
                f"{where}: expected a language and nothing else after ```, found"
                f" {lines[at].strip()!r}"
            )
        body = "".join(f"{line.removeprefix(opened['indent'])}\n" for line in lines[at + 1 : end])
        yield Block(where, opened["language"], body, dict(_notes(lines[:at], where)))
        at = end + 1


def _notes(above: Sequence[str], where: str) -> Iterator[tuple[str, str]]:
    for line in reversed(above):
        match = _NOTE.match(line)
        if match is None:
            return
        if match["word"] not in NOTES:
            raise PageInvalid(
                f"{where}: no comment above a block says {match['word']!r}; there are"
                f" {sorted(NOTES)}"
            )
        yield match["word"], match["value"] or ""
