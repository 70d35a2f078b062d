"""Applications with suites as a user writes them: tests/examples/applications.

Each suite passes, also in parallel.

Each application also has tests that fail, each in another way. `failures.txt` is what pytest prints
about them, so that a reviewer sees how a failure explains itself. `ACCEPT=1` writes these files
anew.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

APPLICATIONS = Path(__file__).parents[2] / "examples" / "applications"
NAMES = sorted(path.name for path in APPLICATIONS.iterdir() if path.is_dir())
FAILURES = ("test_failures.py", "failures.txt")


@pytest.fixture
def project(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(APPLICATIONS / name, tmp_path / name))


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest as on a machine that has no AWS configuration."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", *arguments]
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTEST_", "BEDTAPE_"))
    }
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    environ |= {**nowhere, "AWS_EC2_METADATA_DISABLED": "true", "NO_COLOR": "1", "COLUMNS": "120"}
    return subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("parallel", [False, True], ids=["alone", "xdist"])
@pytest.mark.parametrize("name", NAMES)
def test_application(name: str, parallel: bool, project: Path) -> None:
    done = _run(project, "-q", f"--ignore={FAILURES[0]}", *(["-n", "2"] if parallel else []))
    assert done.returncode == 0, done.stdout
    assert "0 missed" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_failures(name: str, project: Path) -> None:
    done = _run(project, FAILURES[0], "-q")
    assert done.returncode == 1
    printed = _normalise(done.stdout, project)
    golden = APPLICATIONS / name / FAILURES[1]
    if os.environ.get("ACCEPT"):
        golden.write_text(printed)
    assert printed == golden.read_text(), f"see {golden}; ACCEPT=1 writes it anew"


def _normalise(printed: str, project: Path) -> str:
    """Replaces the paths of this machine, the lines of libraries, and what
    differs between two runs.
    """
    text = printed.replace(f"{project}{os.sep}", "").replace(str(project), ".")
    text = re.sub(r"\S*/site-packages/(\S+?):\d+", r"site-packages/\1:N", text)
    text = re.sub(r"\S*/lib/python3\.\d+/(\w\S+?):\d+", r"python/\1:N", text)
    text = re.sub(r"\bid '[0-9a-f-]{36}'", "id 'ID'", text)
    text = re.sub(r"\b0x[0-9a-f]+\b", "0xN", text)
    return re.sub(r" in \d+\.\d+s\b(?: \(\d+:\d\d:\d\d\))?", " in 1.00s", text)
