"""Runs a user of `commit` once for each step that touches the disk: at that step it is
killed, or the disk is full.

`python failing_writes.py USER HOW ROOT` prints a row of JSON for each step: the step, how the run
ended, and everything that is wrong with the disk afterwards. ROOT holds `cassettes`, and for the
importer `sources`, for the recorder `a.journal`. HOW: killed, full, or two-steps (killed, on a
system that cannot exchange two folders in one step).
"""

import errno
import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from bedtape_cassettes.cli.changing import change
from bedtape_cassettes.cli.importing import import_
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Suite
from bedtape_cassettes.storage import commit, folder_swap, store
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.timing import Retiming, retime
from bedtape_recorder.finish import recover_file


def alter(suite: Suite) -> Suite:
    """Slows every answer down; drops, moves and renames."""
    everything = {cassette.name: tuple(range(len(cassette.interactions))) for cassette in suite}
    suite = bulk.change_each(
        suite, everything, lambda interaction: retime(interaction, Retiming(2))
    )
    suite = bulk.move(bulk.drop(suite, {"a": (0,)}), {"a": (0,)}, "b")
    return bulk.rename(suite, "c", "d/e")


def run_command(root: Path) -> None:
    change(root / "cassettes", alter, dry_run=False, as_json=True)


def run_importer(root: Path) -> None:
    import_([root / "sources"], root / "cassettes", root / "overlays", force=True)


def run_recorder(root: Path) -> None:
    recover_file(root / "a.journal", root / "cassettes", mode="all")


USERS: dict[str, Callable[[Path], None]] = {
    "command": run_command,
    "importer": run_importer,
    "recorder": run_recorder,
}


def run(user: Callable[[Path], None], root: Path) -> int:
    """Returns 0 if everything was written, 3 if the user was told that it was not."""
    try:
        user(root)
    except typer.Exit as ended:
        return 3 if ended.exit_code else 0
    except CassetteError:
        return 3
    return 0


def fail_at(step: int, how: str) -> None:
    """Makes this process fail at its so manieth step on the disk."""
    steps = itertools.count(1)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.kill" or not event.startswith(("open", "os.", "shutil.", "ctypes.dlsym")):
            return
        if next(steps) < step:
            return
        if how != "full":
            os.kill(os.getpid(), signal.SIGKILL)
        writing = (
            event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if writing or event in ("os.mkdir", "os.link", "os.symlink"):
            raise OSError(errno.ENOSPC, "No space left on device")

    sys.addaudithook(hook)


def run_failing(user: Callable[[Path], None], root: Path, step: int, how: str) -> str:
    """Runs the user in a child process and returns how it ended."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            fail_at(step, how)
            code = run(user, root)
        except BaseException:  # noqa: BLE001 -- a child must never return
            code = 4
        os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return (
        "killed"
        if os.WIFSIGNALED(status)
        else {0: "done", 3: "refused"}.get(os.WEXITSTATUS(status), "broken")
    )


Held = dict[str, list[tuple[str, int]]]


def read(root: Path) -> Held:
    return {
        c.name: [(i.file, hash(i)) for i in c.interactions]
        for c in store.read([root / "cassettes"])
    }


def requests(root: Path) -> set[int]:
    return {hash(i.request) for c in store.read([root / "cassettes"]) for i in c.interactions}


def copies(root: Path) -> Iterator[Path]:
    for number in itertools.count():
        folder = root.with_name(f"{root.name}-{number}")
        shutil.copytree(root, folder)
        yield folder
        shutil.rmtree(folder)


def main(name: str, how: str, root: Path) -> None:
    user = USERS[name]
    if how == "two-steps":
        folder_swap._swap_folders = lambda one, other: False
    folders = copies(root)
    old, old_requests, folder = read(root), requests(root), next(folders)
    output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 -- the users print
    assert run(user, folder) == 0
    new, kept = read(folder), old_requests & requests(folder)

    def find_mixed() -> list[str]:
        current = read(folder)
        return [
            name
            for name in {*old, *new, *current}
            if current.get(name) not in (old.get(name), new.get(name))
        ]

    for step in range(1, 600):
        folder = next(folders)
        ended = run_failing(user, folder, step, how)
        wrong = find_mixed() if how != "two-steps" else []
        with commit.lock(folder / "cassettes"):
            wrong += find_mixed()
        wrong += [f"left: {p.name}" for p in folder.rglob(".*") if commit.BACKUPS not in p.parts]
        wrong += ["lost"] * bool(kept - requests(folder))
        if name == "importer" or (name == "recorder" and (folder / "a.journal").exists()):
            run(user, folder)
            again = True
        else:
            again = ended == "done"
        wrong += ["not all there"] * ((again or name == "recorder") and read(folder) != new)
        print(json.dumps([step, ended, wrong]), file=output, flush=True)
        if ended == "done":
            break


main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
