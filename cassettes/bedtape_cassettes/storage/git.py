"""What git knows of cassettes: whether it holds them, how they were, when they changed. The only file that runs git.

It reads, but for `set_up` and `teach`, which are what `git-setup` and `init` are for. Where git is not installed or a folder is in
no repository, git holds nothing: that is no error but for who asks for git's own version.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import document, tape
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.storage.store import TAPE

__all__ = ["ATTRIBUTES", "at", "holds", "lacking", "repository", "set_up", "teach", "times"]

ATTRIBUTES = ".gitattributes"
_ATTRIBUTE = "*.tape diff=bedtape"


def _git(folder: Path, *arguments: str, data: bytes | None = None) -> bytes | None:
    """What git prints, or None where it is not there or refuses."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)  # noqa: S603 -- no shell, our words
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def holds(files: Sequence[Path]) -> bool:
    """Whether git holds each of the files as it is now, committed or staged; True of none."""
    for folder in {file.parent for file in files}:
        held = _names(folder, "ls-files", "-z", "--", ".")
        unlike = _names(folder, "diff", "--no-ext-diff", "--name-only", "-z", "--relative", "--", ".")
        if not {file.name for file in files if file.parent == folder} <= held - unlike:
            return False
    return True


def _names(folder: Path, *arguments: str) -> set[str]:
    printed = _git(folder, *arguments) or b""
    return {name.decode(errors="surrogateescape") for name in printed.split(b"\0") if name}


def times(folder: Path) -> dict[str, int]:
    """When each file that git holds was last committed, seconds since 1970, by its path from the folder."""
    unlike = _names(folder, "diff", "--no-ext-diff", "--name-only", "-z", "--relative", "HEAD", "--", ".")
    printed = _git(folder, "log", "--format=%x01%ct", "--name-only", "-z", "--relative", "--", ".")
    found: dict[str, int] = {}
    for commit in (printed or b"").split(b"\x01")[1:]:
        time, *names = commit.replace(b"\n", b"\0").split(b"\0")
        for name in filter(None, names):
            found.setdefault(name.decode(errors="surrogateescape"), int(time))
    return {name: time for name, time in found.items() if name not in unlike}


# -- git's version ---------------------------------------------------------------------------------------------


def at(place: Path, revision: str) -> tuple[Cassette, ...]:
    """The cassettes of the folder or `.tape` file as git has them. Raises CassetteError where it has none."""
    folder = place if place.is_dir() else place.parent
    if revision.startswith("-") or _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        fix = "name a commit with --rev, or commit the cassettes first"
        raise CassetteError(f"{place}: expected git to know {revision!r}, found that it does not; {fix}")
    if not place.is_dir() and place.suffix == TAPE:
        data = _git(folder, "show", f"{revision}:./{place.name}")
        if data is None:
            raise CassetteError(f"{place}: expected it in {revision}, found it is not; commit it first")
        return tape.unpack(data, f"{place} in {revision}")
    return _folder_at(folder, revision)


def _folder_at(folder: Path, revision: str) -> tuple[Cassette, ...]:
    names = _names(folder, "ls-tree", "-r", "-z", "--name-only", revision, "--", ".")
    wanted = sorted((name for name in names if _is_interaction(name)), key=_order)
    asked = "".join(f"{revision}:./{name}\n" for name in wanted)
    printed = _git(folder, "cat-file", "--batch", data=asked.encode(errors="surrogateescape")) or b""
    found: dict[str, list[Interaction]] = {}
    for name, data in zip(wanted, _batch(printed), strict=True):
        interaction = replace(document.read(data, f"{revision}:{name}"), file=name)
        found.setdefault(name.rpartition("/")[0] or folder.resolve().name, []).append(interaction)
    return tuple(Cassette(name, tuple(interactions)) for name, interactions in sorted(found.items()))


def _is_interaction(name: str) -> bool:
    """As `store` sees it: nothing hidden, and YAML. A name that git's list cannot hold is none that bedtape writes."""
    return name.endswith((".yaml", ".yml")) and "\n" not in name and not any(p[0] == "." for p in name.split("/"))


def _order(name: str) -> tuple[str, int, str]:
    """As `store` reads them: by folder, leading number, name."""
    folder, _, base = name.rpartition("/")
    number = re.match(r"[0-9]{1,18}", base)
    return folder, int(number[0]) if number else 0, base


def _batch(printed: bytes) -> Iterator[bytes]:
    """The contents in what `git cat-file --batch` prints: `ID blob SIZE`, that many bytes, a line's end."""
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        size = int(printed[at:end].split()[-1])
        yield printed[end + 1 : end + 1 + size]
        at = end + size + 2


# -- diffs to read ---------------------------------------------------------------------------------------------


def repository(folder: Path) -> Path | None:
    """The top folder of the repository that the folder is in."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return None if top is None else Path(top.decode(errors="surrogateescape").rstrip("\n"))


def lacking(attributes: str) -> str:
    """What this text of a .gitattributes lacks at its end, so that git takes `.tape` files for bedtape's."""
    if _ATTRIBUTE in attributes.splitlines():
        return ""
    end = "" if not attributes or attributes.endswith("\n") else "\n"
    return f"{end}{_ATTRIBUTE}\n"


def teach(top: Path) -> None:
    """Makes this repository's configuration say how bedtape's files are shown."""
    if _git(top, "config", "diff.bedtape.textconv", "bedtape cassette textconv") is None:
        raise CassetteError(f"{top}: expected git's configuration to be writable, found it is not; fix permissions")


def set_up(folder: Path) -> Path:
    """Makes `git diff` show `.tape` files as text, in this repository; returns its .gitattributes, which has the line."""
    top = repository(folder)
    if top is None:
        raise CassetteError(f"{folder}: expected a git repository, found none; run git init, or name one with --in")
    teach(top)
    path = top / ATTRIBUTES
    try:
        text = path.read_text() if path.exists() else ""
        if added := lacking(text):
            with path.open("a") as file:
                file.write(added)
    except OSError as error:
        raise CassetteError(f"{path}: expected to write, found: {error.strerror}; fix permissions") from None
    return path
