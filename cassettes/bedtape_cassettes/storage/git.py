"""Runs git to find committed cassettes, their versions and the times of their commits.

`set_up` and `configure_diff`, which `git-setup` and `init` call, write to the repository; all other
functions read. Without git or outside a repository, git contains no file. `read_revision` raises an
error then.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format import document, tape
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.storage.file_names import order_of
from bedtape_cassettes.storage.store import TAPE

ATTRIBUTES = ".gitattributes"
_ATTRIBUTE = "*.tape diff=bedtape"
DIFF_OPTION = "diff.bedtape.textconv"
# If bedtape is not installed or cannot read the file, git diff shows the id of the file instead
# of ending with an error.
_TEXTCONV = (
    'f() { bedtape cassette textconv "$1" 2>/dev/null || echo "id $(git hash-object "$1"): bedtape,'
    ' which shows .tape files as text, is not installed or cannot read it"; }; f'
)


def _git(folder: Path, *arguments: str, data: bytes | None = None) -> bytes | None:
    """Returns the output of git; None if git is not installed or fails."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)  # noqa: S603 -- no shell, our words
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def contains(files: Sequence[Path]) -> bool:
    """Whether git contains the current version of each file, committed or staged."""
    for folder in {file.parent for file in files}:
        tracked = _names(folder, "ls-files", "-z", "--", ".")
        changed = _names(
            folder, "diff", "--no-ext-diff", "--name-only", "-z", "--relative", "--", "."
        )
        if not {file.name for file in files if file.parent == folder} <= tracked - changed:
            return False
    return True


def _names(folder: Path, *arguments: str) -> set[str]:
    printed = _git(folder, *arguments) or b""
    return {name.decode(errors="surrogateescape") for name in printed.split(b"\0") if name}


def read_commit_times(folder: Path) -> dict[str, int]:
    """Returns the time of each file's last commit, in seconds since 1970, by path.

    Files with uncommitted changes are left out.
    """
    changed = _names(
        folder, "diff", "--no-ext-diff", "--name-only", "-z", "--relative", "HEAD", "--", "."
    )
    printed = _git(folder, "log", "--format=%x01%ct", "--name-only", "-z", "--relative", "--", ".")
    times: dict[str, int] = {}
    for commit in (printed or b"").split(b"\x01")[1:]:
        time, *names = commit.replace(b"\n", b"\0").split(b"\0")
        for name in filter(None, names):
            times.setdefault(name.decode(errors="surrogateescape"), int(time))
    return {name: time for name, time in times.items() if name not in changed}


def read_change_times(place: Path, files: Iterable[str]) -> dict[str, float]:
    """Returns the time of each file's last change, in seconds since 1970: of its
    commit, else on the disk.

    place: the folder of the files, or the `.tape` file that contains all of them. Files that are
    not in the folder are left out.
    """
    if not place.is_dir():
        return dict.fromkeys(files, place.stat().st_mtime)
    committed = read_commit_times(place)
    on_disk = ((file, place / file) for file in files)
    return {
        file: committed.get(file, path.stat().st_mtime) for file, path in on_disk if path.is_file()
    }


# -- committed versions ----------------------------------------------------------------------------


def read_revision(place: Path, revision: str) -> tuple[Cassette, ...]:
    """Returns the cassettes of the folder or `.tape` file in a revision.

    Raises CassetteError if git does not have the revision or the file.
    """
    folder = place if place.is_dir() else place.parent
    if (
        revision.startswith("-")
        or _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None
    ):
        fix = "name a commit with --rev, or commit the cassettes first"
        raise CassetteError(
            f"{place}: expected git to know {revision!r}, found that it does not; {fix}"
        )
    if not place.is_dir() and place.suffix == TAPE:
        data = _git(folder, "show", f"{revision}:./{place.name}")
        if data is None:
            raise CassetteError(
                f"{place}: expected it in {revision}, found it is not; commit it first"
            )
        return tape.unpack(data, f"{place} in {revision}")
    return _read_folder(folder, revision)


def _read_folder(folder: Path, revision: str) -> tuple[Cassette, ...]:
    names = _names(folder, "ls-tree", "-r", "-z", "--name-only", revision, "--", ".")
    wanted = sorted(
        filter(_is_interaction, names),
        key=lambda name: (name.rpartition("/")[0], order_of(Path(name).name)),
    )
    request = "".join(f"{revision}:./{name}\n" for name in wanted)
    printed = (
        _git(folder, "cat-file", "--batch", data=request.encode(errors="surrogateescape")) or b""
    )
    by_cassette: dict[str, list[Interaction]] = {}
    for name, data in zip(wanted, _batch(printed), strict=True):
        load = partial(_load_binary, folder, f"{revision}:./{name.rpartition('/')[0] or '.'}/")
        interaction = replace(document.read(data, f"{revision}:{name}", load), file=name)
        by_cassette.setdefault(name.rpartition("/")[0] or folder.resolve().name, []).append(
            interaction
        )
    return tuple(
        Cassette(name, tuple(interactions)) for name, interactions in sorted(by_cassette.items())
    )


def _load_binary(folder: Path, prefix: str, name: str) -> bytes:
    """Returns the content of a binary file in a revision. Raises KeyError."""
    content = _git(folder, "show", f"{prefix}{name}")
    if content is None:
        raise KeyError(name)
    return content


def _is_interaction(name: str) -> bool:
    """Whether `store` would read the file: YAML, not hidden, no line break in its name."""
    return (
        name.endswith((".yaml", ".yml"))
        and "\n" not in name
        and not any(p[0] == "." for p in name.split("/"))
    )


def _batch(printed: bytes) -> Iterator[bytes]:
    """Yields contents from `git cat-file --batch`: `ID blob SIZE`, the bytes, a line break."""
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        size = int(printed[at:end].split()[-1])
        yield printed[end + 1 : end + 1 + size]
        at = end + size + 2


# -- readable diffs --------------------------------------------------------------------------------


def find_repository(folder: Path) -> Path | None:
    """Returns the top folder of the folder's repository; None outside a repository."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return None if top is None else Path(top.decode(errors="surrogateescape").rstrip("\n"))


def find_missing_line(attributes: str) -> str:
    """Returns the line that .gitattributes needs to diff `.tape` files; may be empty."""
    if _ATTRIBUTE in attributes.splitlines():
        return ""
    end = "" if not attributes or attributes.endswith("\n") else "\n"
    return f"{end}{_ATTRIBUTE}\n"


def find_configuration(top: Path) -> Path:
    """Returns the path of the repository's configuration, which is outside `top` in a worktree."""
    path = _git(top, "rev-parse", "--git-path", "config")
    return top / (path or b".git/config").decode(errors="surrogateescape").rstrip("\n")


def is_diff_configured(top: Path) -> bool:
    """Whether `configure_diff` has configured the repository."""
    return _git(top, "config", "--local", DIFF_OPTION) == f"{_TEXTCONV}\n".encode()


def configure_diff(top: Path) -> None:
    """Configures git to diff `.tape` files by `bedtape cassette textconv`, if it is installed."""
    if _git(top, "config", "--local", DIFF_OPTION, _TEXTCONV) is None:
        raise CassetteError(
            f"{top}: expected git's configuration to be writable, found it is not; fix permissions"
        )


def set_up(folder: Path) -> Path:
    """Makes `git diff` show `.tape` files as text here. Returns the path of .gitattributes."""
    top = find_repository(folder)
    if top is None:
        raise CassetteError(
            f"{folder}: expected a git repository, found none; run git init, or name one with --in"
        )
    configure_diff(top)
    path = top / ATTRIBUTES
    try:
        text = path.read_text() if path.exists() else ""
        if added := find_missing_line(text):
            with path.open("a") as file:
                file.write(added)
    except OSError as error:
        raise CassetteError(
            f"{path}: expected to write, found: {error.strerror}; fix permissions"
        ) from None
    return path
