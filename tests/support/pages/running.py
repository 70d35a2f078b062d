"""Runs a page: its blocks in order, each as its language says.

A block without a meaning is refused.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.pages import data
from support.pages.output import agrees, begins
from support.pages.page import Block, Page
from support.pages.project import RECORDER, ROOT, open_project
from support.pages.shell import Server, Shell, commands, goes_on

# Programs, whose blocks are files that a command runs or parts of files that are tested.
_PROGRAMS = frozenset({"go", "java", "javascript", "js", "ts", "typescript"})
# What a machine need not have; a page that asks for it is skipped there.
_TOOLS = frozenset({"curl", "git", "go", "jq", "mvn", "node", "npm", "npx"})
_LISTENING = "listening on"


def run(page: Page, folder: Path) -> None:
    """Runs the page's blocks.

    Raises AssertionError with where and what; skips where a tool is not installed.
    """
    for number, blocks in enumerate(page.projects()):
        _Run(blocks, folder / str(number)).run()


def is_run(block: Block) -> bool:
    """Whether the block is tested; one that is not says why."""
    return "not run" not in block.notes


class _Run:
    """One project's blocks, the server that is up, and what was printed last."""

    def __init__(self, blocks: Sequence[Block], folder: Path) -> None:
        self._blocks = blocks
        self._folder = folder
        self._printed: str | None = None
        self._server: Server | None = None

    def run(self) -> None:
        begins_with = [
            name
            for name in self._blocks[0].notes.get("begins with", "").split()
            if name != "nothing"
        ]
        with (
            open_project(self._folder, begins_with, records=self._records()) as self._project,
            Shell(self._project.folder, self._project.environ) as self._shell,
        ):
            for at, block in enumerate(self._blocks):
                if is_run(block):
                    self._take(block, self._blocks[at + 1 :])
                else:
                    self._printed = None

    def _records(self) -> bool:
        typed = "".join(
            block.text for block in self._blocks if block.language == "console" and is_run(block)
        )
        records = (
            re.search(r"bedtape record (?!.*--(?:help|print-addon))|--bedtape=(?!none)", typed)
            is not None
        )
        if records and not RECORDER.exists():
            pytest.skip(
                "no recorder is installed: `make test` makes .venv-record with bedtape[record]"
                " in it"
            )
        return records

    def _take(self, block: Block, later: Sequence[Block]) -> None:
        if block.name is not None and "from" not in block.notes:
            self._project.write(block.name, block.text)
        match block.language:
            case "console":
                self._type(block)
            case "text":
                self._compare(block)
            case "python" if "from" not in block.notes:
                self._run_python(block, later)
            case language if language in data.READERS:
                data.check(
                    block, asked=any(each.language == "console" and is_run(each) for each in later)
                )
                self._printed = None
            case language if language in _PROGRAMS or language == "python":
                self._check_program(block, later)
                self._printed = None
            case _:
                raise block.refuse(
                    f"nothing tests {block.language!r}; see CONTRIBUTING.md, or say <!-- not run:"
                    " why -->"
                )

    # -- commands

    def _type(self, block: Block) -> None:
        try:
            typed = commands(block.text)
        except ValueError as error:
            raise block.refuse(str(error)) from None
        for command, shown in typed:
            if goes_on(command):
                self._serve(block, command, shown)
            else:
                self._run_command(block, command, shown, int(block.notes.get("exits", "0")))

    def _run_command(self, block: Block, command: str, shown: str, expected: int) -> None:
        self._needs(command)
        code, self._printed = self._shell.run(self._project.replace_port(command))
        if code != expected:
            raise block.refuse(
                f"expected `{command}` to exit with {expected}, found {code}:\n{self._printed}"
            )
        if shown:
            self._hold(block, command, shown)

    def _serve(self, block: Block, command: str, shown: str) -> None:
        if self._server is not None and not command.rstrip().endswith("&"):
            self._shell.stop()
        self._server = self._shell.serve(self._project.replace_port(command))
        self._printed = None
        if shown or "bedtape" in command:
            self._check_server(block, shown or f"…{_LISTENING}…")

    def _needs(self, command: str) -> None:
        match = re.match(r"(?:\w+=\S+ +)*(?:bedtape (?:run|record)\b.*? -- )?([\w.-]+)", command)
        program = match[1] if match else ""
        if program in _TOOLS and shutil.which(program, path=self._project.environ["PATH"]) is None:
            pytest.skip(f"{program} is not installed")

    # -- output

    def _compare(self, block: Block) -> None:
        if block.name is not None:
            return
        if "said by the server" in block.notes:
            self._check_server(block, block.text)
        elif "run" in block.notes:
            self._run_command(
                block, block.notes["run"], block.text, int(block.notes.get("exits", "0"))
            )
        elif self._printed is None:
            raise block.refuse(
                "expected to follow what prints it, or <!-- run: COMMAND --> or <!-- not run:"
                " why -->"
            )
        else:
            self._hold(block, "the block before", block.text)

    def _hold(self, block: Block, command: str, shown: str) -> None:
        printed = (self._printed or "").replace(self._project.port, "4566")
        if not agrees(shown, printed):
            raise block.refuse(f"expected of {command}:\n{shown}\nfound:\n{printed}")

    def _check_server(self, block: Block, shown: str) -> None:
        if self._server is None:
            raise block.refuse("expected a server that a block before has started, found none")
        if not self._server.wait_for(lambda printed: begins(shown, printed)):
            raise block.refuse(
                f"expected of {self._server.command}:\n{shown}\nfound:\n{self._server.printed}"
            )

    # -- programs

    def _run_python(self, block: Block, later: Sequence[Block]) -> None:
        compile(block.text, block.where, "exec")
        tests = re.search(r"^def test_|^class Test", block.text, re.MULTILINE) is not None
        if block.name and _is_used(block.name, later):
            self._printed = None
            return
        name = block.name or f"{'test_' if tests else ''}block_{block.where.rpartition(':')[2]}.py"
        path = self._project.write(name, block.text)
        self._run_command(
            block,
            f"{'pytest -q' if tests else 'python'} {name}",
            "",
            int(block.notes.get("exits", "0")),
        )
        if block.name is None:
            path.unlink()

    def _check_program(self, block: Block, later: Sequence[Block]) -> None:
        """It is part of a file that has tests of its own, or a file that a later command runs."""
        source = block.notes.get("from")
        if source is not None:
            if _flat(block.text) not in _flat((ROOT / source).read_text()):
                raise block.refuse(f"expected a part of {source}, found other lines")
        elif block.name is None or not _is_used(block.name, later):
            raise block.refuse(
                f"{block.language} needs <!-- from: FILE -->, or a name and a later command that"
                " runs it"
            )


def _is_used(name: str, later: Sequence[Block]) -> bool:
    """Whether a later command runs this file: by its name, or as a test or what tests import."""
    typed = "".join(block.text for block in later if block.language == "console" and is_run(block))
    runners = r"\bpytest\b" if name.endswith(".py") else r"\bnpm test\b|\bgo test\b|\bmvn\b"
    return name in typed or re.search(rf"^\$ .*(?:{runners})", typed, re.MULTILINE) is not None


def _flat(code: str) -> str:
    """Less what indents it, which a page need not keep, with whole lines at both ends."""
    return "\n" + "".join(f"{line.strip()}\n" for line in code.splitlines() if line.strip())
