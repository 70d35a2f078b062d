"""The examples pass by their own commands, as a reader would run them, and fail
where a story is broken.

Each runs in a copy. What it needs from outside was fetched by `make test`;
nothing is downloaded here.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bedtape_cassettes.storage import store
from support.node_packages import CLIENT, skip_unless_installed
from support.toolchains import GO_TEST, MAVEN, compiles, run_offline

ROOT = Path(__file__).parents[2]
BEDTAPE = (sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()")
_MADE = ("node_modules", "build", "dist", "target", "__pycache__")


@dataclass(frozen=True)
class Example:
    """A project and its test command. passed: what it prints where all passed."""

    folder: str
    command: tuple[str, ...]
    passed: str
    environ: Mapping[str, str] = field(default_factory=dict)
    served: bool = True

    def __str__(self) -> str:
        return self.folder


TYPESCRIPT = Example("tests/examples/typescript", ("npm", "test", "--silent"), r"ℹ pass 5\n")
EXAMPLES = (
    TYPESCRIPT,
    Example(
        "clients/typescript",
        ("npm", "test", "--silent"),
        r"ℹ pass 17\n",
        environ={"BEDTAPE_RUN_CASSETTES": str(store.samples())},
    ),
    Example("tests/examples/go", GO_TEST, r"(?s)(--- PASS.*){4}\nok\s"),
    Example(
        "tests/examples/java", (*MAVEN, "test"), r"Tests run: 4, Failures: 0, Errors: 0, Skipped: 0"
    ),
    Example(
        "tests/examples/python",
        (sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
        r"4 passed",
        served=False,
    ),
)


def copied(example: Example, folder: Path) -> Path:
    """A copy, with the packages that are installed beside the original."""
    original = ROOT / example.folder
    shutil.copytree(original, folder, ignore=shutil.ignore_patterns(*_MADE))
    if (original / "package.json").exists():
        skip_unless_installed(original, CLIENT)
        (folder / "node_modules").symlink_to(original / "node_modules")
    return folder


def ran(example: Example, folder: Path) -> subprocess.CompletedProcess[str]:
    """The example's test command, under `bedtape run` where it does not start the server itself."""
    before = (*BEDTAPE, "run", "--") if example.served else ()
    return run_offline(example.command, folder, {**example.environ, "NO_COLOR": "1"}, before)


@compiles
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_it_passes_by_its_own_command(example: Example, tmp_path: Path) -> None:
    ended = ran(example, copied(example, tmp_path / "copy"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(example.passed, ended.stdout), ended.stdout


ROUTED = "mail goes where the model says"
REVIEWED = "a person looks at what is borderline or cannot be read"
THROTTLED = "throttled twice, it backs off and files the mail"
DEAD = "where a model is dead, a cheaper one answers"


@pytest.mark.parametrize(
    ("good", "bad", "broken"),
    [
        ('? "spam" : "inbox"', '? "spam" : "spam"', {ROUTED}),
        ('if (confidence < SURE) return "review";', "", {REVIEWED}),
        ("ATTEMPTS = 3", "ATTEMPTS = 1", {THROTTLED, DEAD}),
        ("if (!dead ||", "if (dead ||", {DEAD}),
    ],
    ids=["routing", "review", "retry", "fallback"],
)
def test_a_broken_program_fails_the_test_of_its_story(
    good: str, bad: str, broken: set[str], tmp_path: Path
) -> None:
    folder = copied(TYPESCRIPT, tmp_path / "copy")
    program = (folder / "spam.ts").read_text()
    assert program.count(good) == 1
    (folder / "spam.ts").write_text(program.replace(good, bad))
    ended = ran(TYPESCRIPT, folder)
    assert ended.returncode != 0
    assert set(re.findall(r"^✖ (.*) \(", ended.stdout, re.MULTILINE)) == broken, (
        ended.stdout + ended.stderr
    )


@pytest.mark.parametrize(
    "folder",
    [
        "clients/typescript",
        "tests/clients/javascript",
        "tests/clients/jest",
        "tests/clients/retries",
        "tests/clients/vitest",
        "tests/examples/typescript",
        "tests/examples/testcontainers/node",
    ],
)
def test_lock_files_name_no_hosts(folder: str) -> None:
    assert not re.search(r'"resolved": "\w+:', (ROOT / folder / "package-lock.json").read_text())
