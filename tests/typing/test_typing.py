"""The Python of README and docs, and the calls in this folder, under `mypy --strict`
and pyright's strict mode.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.pages import Block, read

pytest.importorskip("mypy", reason="mypy is not installed: `make check` installs it")
pytest.importorskip(
    "basedpyright", reason="basedpyright is not installed: `make check` installs it"
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CALLS = ("accepted.py", "rejected.py")
Place = tuple[str, int]
Errors = dict[Place, str]


def _blocks() -> Iterator[tuple[str, Block]]:
    """Every Python block of README and docs, with the name of its file."""
    paths = [path for path in sorted(ROOT.glob("docs/**/*.md")) if "_build" not in path.parts]
    for path in (ROOT / "README.md", *paths):
        for block in read(path, str(path.relative_to(ROOT))).blocks:
            # a part of a file is not complete, and its packages need not be installed here
            if block.language == "python" and "from" not in block.notes:
                yield block.name or f"{re.sub(r'[^a-z0-9]', '_', block.where.lower())}.py", block


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[str, Block]]:
    """Folders with all files of the docs: the first folder has the first
    version of each file, and so on.
    """
    versions: dict[str, list[Block]] = {}
    for name, block in _blocks():
        versions.setdefault(name, []).append(block)
    assert len(versions) > 15
    files = {}
    for number in range(max(map(len, versions.values()))):
        folder = tmp_path_factory.mktemp("version")
        files[folder] = {
            name: blocks[min(number, len(blocks) - 1)] for name, blocks in versions.items()
        }
        for name, block in files[folder].items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(block.text)
    return files


def mypy(folder: Path, cache: Path) -> Errors:
    options = [
        "--strict",
        "--config-file=",
        f"--cache-dir={cache}",
        "--output=json",
        "--no-error-summary",
    ]
    command = [sys.executable, "-m", "mypy", *options, "."]
    lines = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    errors = [error for line in lines if (error := json.loads(line))["severity"] == "error"]
    return {(error["file"].removeprefix("./"), error["line"]): error["message"] for error in errors}


def pyright(folder: Path, cache: Path) -> Errors:
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    result = json.loads(
        subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    )
    assert result["summary"]["filesAnalyzed"] > 0
    return {
        (str(Path(error["file"]).relative_to(folder)), error["range"]["start"]["line"] + 1): error[
            "message"
        ]
        for error in result["generalDiagnostics"]
        if error["severity"] == "error"
    }


@pytest.mark.parametrize("check", [mypy, pyright])
def test_calls_are_accepted_and_rejected(
    check: Callable[[Path, Path], Errors], tmp_path: Path
) -> None:
    expected = set()
    for name in CALLS:
        text = (HERE / name).read_text()
        (tmp_path / name).write_text(text)
        expected |= {
            (name, n) for n, line in enumerate(text.splitlines(), 1) if line.endswith("  # error")
        }
    errors = check(tmp_path, tmp_path / ".cache")
    assert errors.keys() == expected, {
        place: errors.get(place) for place in errors.keys() ^ expected
    }


@pytest.mark.parametrize("check", [mypy, pyright])
def test_python_blocks_have_no_type_errors(
    check: Callable[[Path, Path], Errors], folders: dict[Path, dict[str, Block]], tmp_path: Path
) -> None:
    errors = {}
    for folder, blocks in folders.items():
        for (name, line), message in check(folder, tmp_path).items():
            page, _, start = blocks[name].where.rpartition(":")
            errors[f"{page}:{int(start) + line}"] = message
    assert not errors, "\n".join(f"{where}: {message}" for where, message in errors.items())
