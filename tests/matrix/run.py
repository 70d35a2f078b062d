"""Runs every framework's tests, each in an environment of its own, and writes
docs/reference/compatibility.md.

`run.py [NAME...]` makes `.venv-matrix/NAME` of the pins in `requirements/NAME.txt`, which are
complete: nothing else is installed. `run.py --pin NAME...` writes them anew, with the newest
versions of what the file's first line wants.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from report import REQUIREMENTS, Result, batches, page, read, wants

# seconds until a command that hangs is ended; the longest takes ten minutes on a loaded machine
_HANGS = 2400

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-matrix"
PAGE = ROOT / "docs" / "reference" / "compatibility.md"
# Each wheel is fetched once: where pip keeps no cache of what it fetched, nine environments would
# fetch boto3 nine times.
WHEELS = ENVIRONMENTS / "wheels"
# What every environment has beside its framework and bedtape: what runs the tests, and
# what installs bedtape.
BESIDE = ("pytest", "pytest-timeout", "hatchling", "editables")
# Installing is bound by the disk, testing by waits between retries.
AT_A_TIME = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="frameworks; without any, all, and the page is written",
    )
    parser.add_argument(
        "--pin", action="store_true", help="write the pins anew instead of running tests"
    )
    asked = parser.parse_args()
    known = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    if unknown := sorted(set(asked.names) - set(known)):
        parser.error(f"expected names among {', '.join(known)}, found {', '.join(unknown)}")
    names = asked.names or known
    if asked.pin:
        for name in names:
            pin(name)
        return 0
    fetch(names)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(tried, names))
    if names == known:
        PAGE.write_text(page(results))
    return tell(results)


def tell(results: list[Result]) -> int:
    """A line a framework, what failed, and a line in the form of test runners; the exit code."""
    for result in results:
        print(f"{result.name}: {result.summary}")
    broken = [result for result in results if result.broken]
    for result in broken:
        print(f"\n== {result.name}\n{result.output}")
    passed = sum(result.count("passed") for result in results)
    failed = sum(result.count("failed") or result.broken for result in results)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if broken else 0


# -- environments ----------------------------------------------------------------------------------


def tried(name: str) -> Result:
    """Installs and tests one framework; never raises for what fails there."""
    python = ENVIRONMENTS / name / "bin" / "python"
    version = ".".join(map(str, sys.version_info[:2]))
    if installing := install(name, python):
        return Result(name, version, (), installing)
    report = ENVIRONMENTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    tests = f"tests/matrix/frameworks/test_{name.replace('-', '_')}.py"
    # Frameworks warn of their own affairs, which are none of bedtape's.
    options = [
        "-q",
        "-o",
        "filterwarnings=",
        "-W",
        "ignore",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
    ]
    done = run([str(python), "-m", "pytest", tests, *options])
    if not report.exists():
        return Result(name, version, (), done.stdout + done.stderr)
    return Result(
        name,
        version,
        read(report.read_text()),
        done.stdout if done.returncode else "",
        done.returncode != 0,
    )


def install(name: str, python: Path) -> str:
    """Makes the environment, unless it is of these pins already; what went wrong, or nothing."""
    stamp = python.parent / ".made-of"
    made_of = digest(name)
    if stamp.exists() and stamp.read_text() == made_of:
        return ""
    make(python)
    own = ["--no-index", "--find-links", str(WHEELS), "--no-deps", "--no-compile"]
    for what in (
        ["-r", str(REQUIREMENTS / f"{name}.txt")],
        ["--no-build-isolation", "-e", str(ROOT)],
    ):
        done = pip(python, "install", *own, *what)
        if done.returncode:
            return done.stdout + done.stderr
    checked = pip(python, "check")
    if checked.returncode:
        return checked.stdout + checked.stderr
    stamp.write_text(made_of)
    return ""


def make(python: Path) -> None:
    shutil.rmtree(python.parents[1], ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parents[1]], check=True)


def digest(name: str) -> str:
    """Of all that an environment is made of."""
    parts = (
        sys.version.encode(),
        (REQUIREMENTS / f"{name}.txt").read_bytes(),
        (ROOT / "pyproject.toml").read_bytes(),
    )
    return hashlib.blake2b(b"\0".join(parts)).hexdigest()


def fetch(names: list[str]) -> None:
    """Fetches the wheels that are not there.

    What cannot be had is told by the installation that lacks it.
    """
    WHEELS.mkdir(parents=True, exist_ok=True)
    for batch in batches(names):
        there = {"-".join(path.name.split("-")[:2]).lower() for path in WHEELS.iterdir()}
        if missing := [pin for pin in batch if wheel_of(pin) not in there]:
            fetch_batch(missing)


def fetch_batch(missing: list[str]) -> None:
    """Fetches wheels. One that cannot be had keeps back the others, so halves are tried then."""
    done = pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", str(WHEELS), *missing)
    if done.returncode and len(missing) > 1:
        half = len(missing) // 2
        fetch_batch(missing[:half])
        fetch_batch(missing[half:])


def wheel_of(pin: str) -> str:
    """How the name of a pin's wheel begins."""
    name, _, version = pin.partition("==")
    return f"{name.replace('-', '_').replace('.', '_').lower()}-{version}"


# -- pins ------------------------------------------------------------------------------------------


def pin(name: str) -> None:
    python = ENVIRONMENTS / name / "bin" / "python"
    make(python)
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    done = pip(python, "install", *wants(name), *own, *BESIDE)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    frozen = pip(python, "freeze", "--all").stdout
    (REQUIREMENTS / f"{name}.txt").write_text(f"# wants: {' '.join(wants(name))}\n{frozen}")


def pip(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs this interpreter's pip on another's environment."""
    return run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            *arguments,
            "--disable-pip-version-check",
        ]
    )


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # an environment has what it was made of, nothing else
    environment = {**os.environ, "PYTHONPATH": ""}
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_HANGS,
        )
    except subprocess.TimeoutExpired as expired:
        output = (
            expired.stdout
            if isinstance(expired.stdout, str)
            else (expired.stdout or b"").decode(errors="replace")
        )
        return subprocess.CompletedProcess(
            command, 1, output, f"did not end within {_HANGS} seconds: it hangs\n"
        )


if __name__ == "__main__":
    sys.exit(main())
