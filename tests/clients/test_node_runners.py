"""`@bedtape/client` in vitest, Jest and node:test, and `npx bedtape`, in projects
that have the packed client.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bedtape_replayer.cli.init.plan import plan_of
from bedtape_replayer.cli.init.project import Project
from support import WAIT
from support.node_packages import CLIENT, ROOT, make_project, skip_unless_installed

RUNNERS = Path(__file__).parent / "runners"
LIMIT = f"{WAIT * 1000:.0f}"  # the runners' own limit, 5 seconds, is too short for a busy machine
BEDTAPE = "from bedtape_cassettes.cli.main import main; main()"

pytestmark = pytest.mark.slow


def _environment(**more: str) -> dict[str, str]:
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTEST_", "BEDTAPE_"))
    }
    return {**kept, "NO_COLOR": "1", "CI": "true", **more}


def _run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=_environment(**more),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def _add_command(folder: Path) -> None:
    """The command bedtape in the project's virtual environment, where the client looks first."""
    command = folder / ".venv" / "bin" / "bedtape"
    command.parent.mkdir(parents=True)
    command.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(BEDTAPE)} "$@"\n'
    )
    command.chmod(0o755)


def _add_suite(folder: Path, runner: str, *, commonjs: bool = False) -> None:
    tests = folder / "tests"
    tests.mkdir()
    for name in ("mail.test", "converse"):
        text = (RUNNERS / f"{name}.mjs").read_text().replace("RUNNER", runner)
        if commonjs:
            text = re.sub(r'import (.+?) from ("[^"]+");', r"const \1 = require(\2);", text)
            text = text.replace(
                "export async function converse", "exports.converse = async function"
            )
            text = text.replace(".mjs", ".js")
        (tests / f"{name}.{'js' if commonjs else 'mjs'}").write_text(text)


def _assert_outcomes(output: str) -> None:
    """Two tests fail; the message of each contains its calls, and none
    contains a call of another test.
    """
    blocks = [block.split("\n")[0] for block in output.split("bedtape: 1 call in session ")[1:]]
    assert set(map(str.strip, blocks)) == {
        "tests/mail/a-wrong-answer-fails",
        "tests/mail/a-miss-fails",
    }, output
    rows = set(re.findall(r"^ *1  (Converse  .+?) *$", output, re.MULTILINE))
    assert rows == {
        'Converse  us.amazon.nova-lite-v1:0  200  rule rule-1  "classify that" → "ham"',
        'Converse  us.amazon.nova-lite-v1:0  400  miss  "unknown" → CassetteMissException',
    }, output
    assert "No recording answers Converse" in output


def test_vitest(tmp_path: Path) -> None:
    make_project(tmp_path, ROOT / "tests" / "clients" / "vitest")
    _add_command(tmp_path)
    _add_suite(tmp_path, "vitest")
    config = (
        f'export default {{ test: {{ globalSetup: "@bedtape/client/setup", testTimeout: {LIMIT}'
        " } };"
    )
    (tmp_path / "vitest.config.mjs").write_text(config)
    ended = _run(tmp_path, "npx", "vitest", "run")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "2 failed | 2 passed | 1 skipped" in ended.stdout, ended.stdout + ended.stderr
    _assert_outcomes(ended.stdout + ended.stderr)
    assert "(found by the virtual environment .venv)" in ended.stderr
    # the server has ended in order
    assert "bedtape: 3 calls: 2 from rules, 1 missed" in ended.stderr


def test_concurrent_tests_of_vitest(tmp_path: Path) -> None:
    make_project(tmp_path, ROOT / "tests" / "clients" / "vitest")
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in ("concurrent.test.mjs", "converse.mjs"):
        (tests / name).write_text((RUNNERS / name).read_text())
    _add_command(tmp_path)
    ended = _run(
        tmp_path, "npx", "bedtape", "run", "--", "npx", "vitest", "run", f"--testTimeout={LIMIT}"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout


def test_jest(tmp_path: Path) -> None:
    make_project(tmp_path, ROOT / "tests" / "clients" / "jest")
    _add_command(tmp_path)
    _add_suite(tmp_path, "jest", commonjs=True)
    settings = {
        "globalSetup": "@bedtape/client/setup",
        "globalTeardown": "@bedtape/client/teardown",
        "testTimeout": int(LIMIT),
    }
    (tmp_path / "package.json").write_text(json.dumps({"jest": settings}))
    ended = _run(tmp_path, "npx", "jest")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "2 failed, 1 skipped, 2 passed" in ended.stderr, ended.stdout + ended.stderr
    _assert_outcomes(ended.stderr.partition("Summary of all failing tests")[0])
    assert "bedtape: 3 calls: 2 from rules, 1 missed" in ended.stderr


def test_node_test_starts_the_server_itself(tmp_path: Path) -> None:
    make_project(tmp_path)
    _add_command(tmp_path)
    _add_suite(tmp_path, "node-test")
    ended = _run(tmp_path, "node", "--test", "--test-reporter=tap", "tests/")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    counts = dict(re.findall(r"^# (pass|fail|skipped) (\d+)", ended.stdout, re.MULTILINE))
    assert counts == {"pass": "2", "fail": "2", "skipped": "1"}, ended.stdout
    _assert_outcomes(re.sub(r"(?m)^# .*\n", "", ended.stdout) + ended.stderr)


@pytest.mark.parametrize("runner", ["vitest", "jest"])
def test_without_a_server_the_message_contains_a_fix(runner: str, tmp_path: Path) -> None:
    make_project(tmp_path, ROOT / "tests" / "clients" / runner)
    _add_suite(tmp_path, runner, commonjs=runner == "jest")
    (tmp_path / "package.json").write_text("{}")
    ended = _run(tmp_path, "npx", *{"vitest": ("vitest", "run"), "jest": ("jest",)}[runner])
    assert ended.returncode == 1
    assert "expected a server's URL, found none" in ended.stdout + ended.stderr
    assert 'globalSetup: "@bedtape/client/setup"' in ended.stdout + ended.stderr


# -- npx bedtape -----------------------------------------------------------------------------------

# Installs nothing: it runs the wheel that this test has unpacked, with the libraries of
# the test's own Python.
STAND_IN = """#!/bin/sh
echo "stand-in: $*" >&2
while [ "$1" != bedtape ]; do shift; done
shift
PYTHONPATH={target} exec {python} -c {code} "$@"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of a wheel that is built from this source."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--wheel",
        "--outdir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=WAIT)
    (built,) = folder.glob("*.whl")
    target = folder / "target"
    offline = ["--no-index", "--no-deps", "--quiet", "--target", str(target)]
    install = [sys.executable, "-m", "pip", "install", *offline, str(built)]
    subprocess.run(install, check=True, capture_output=True, timeout=WAIT)
    return target


@pytest.mark.parametrize(
    ("tool", "words", "arguments"),
    [
        ("uvx", "--from bedtape=={} bedtape", ("run", "--", "node", "-e", "process.exit(7)")),
        ("pipx", "run --spec bedtape=={} bedtape", ("run", "--", "node", "-e", "process.exit(7)")),
        ("uvx", "--from bedtape[record]=={} bedtape", ("record", "--help")),
    ],
)
def test_npx_bedtape_runs_the_wheel_of_its_own_version(
    tool: str, words: str, arguments: tuple[str, ...], wheel: Path, tmp_path: Path
) -> None:
    make_project(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / tool
    code = (
        f"import bedtape_replayer as r; assert r.__file__.startswith({str(wheel)!r}), r.__file__;"
        f" {BEDTAPE}"
    )
    program.write_text(
        STAND_IN.format(
            target=shlex.quote(str(wheel)),
            python=shlex.quote(sys.executable),
            code=shlex.quote(code),
        )
    )
    program.chmod(0o755)
    ended = _run(tmp_path, "npx", "bedtape", *arguments, PATH=_path(tools))
    version = json.loads((CLIENT / "package.json").read_text())["version"]
    command = words.format(version)
    assert ended.returncode == (7 if arguments[0] == "run" else 0), ended.stdout + ended.stderr
    first, second = ended.stderr.splitlines()[:2]
    assert first == f"bedtape: runs {program} {command} (found by {tool})"
    assert second == f"stand-in: {command} {' '.join(arguments)}"


def _path(*folders: Path) -> str:
    """A PATH with Node.js and the system's programs, and without bedtape, uvx and pipx."""
    bin_folder = folders[0] / "system"
    bin_folder.mkdir()
    for name in ("node", "npx", "npm", "sh", "env"):
        real = subprocess.run(
            ["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True
        )
        (bin_folder / name).symlink_to(os.path.realpath(real.stdout.strip()))
    return os.pathsep.join(map(str, (*folders, bin_folder)))


def test_npx_bedtape_without_any_of_them_contains_the_fixes(tmp_path: Path) -> None:
    make_project(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    ended = _run(tmp_path, "npx", "bedtape", "demo", PATH=_path(tools))
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "bedtape: expected the command bedtape in .venv, venv or PATH, or uvx or pipx"
    )
    assert "pip install bedtape" in ended.stderr


def test_npx_bedtape_ends_with_the_signal_that_ends_its_server(tmp_path: Path) -> None:
    make_project(tmp_path)
    _add_command(tmp_path)
    command = ["node", "node_modules/.bin/bedtape", "replay", "--port", "0"]
    environ = _environment()
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline().startswith("bedtape: listening on http://127.0.0.1:")
            started.send_signal(signal.SIGTERM)
            assert started.stdout.read() == ""  # the server has closed its side too
            assert started.wait(WAIT) in (0, -signal.SIGTERM)
        finally:
            started.kill()


def test_the_lines_that_install_the_client_before_the_release(tmp_path: Path) -> None:
    """The page's lines, in a copy of the client, and the line that `bedtape init` prints."""
    skip_unless_installed(CLIENT)
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    lines = re.findall(r"^\$ (npm .+)$", page, re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["ci", "pack", "install"]
    assert (
        lines[2].removeprefix("npm install -D ")
        in plan_of(Project(package="{}"), "vitest", {}).then[0]
    )
    copy, project = tmp_path / "clone" / "clients" / "typescript", tmp_path / "project"
    shutil.copytree(CLIENT, copy, ignore=shutil.ignore_patterns("node_modules", "dist", "build"))
    (copy / "node_modules").symlink_to(CLIENT / "node_modules")  # what `npm ci` installs
    (tmp_path / ".bedtape-wheels").mkdir()
    project.mkdir()
    (project / "package.json").write_text("{}")
    for line in lines[1:]:
        words = (
            line.replace("~", str(tmp_path))
            .replace("/path/to/the/clone", str(tmp_path / "clone"))
            .split()
        )
        ended = _run(project, *words, npm_config_offline="true")
        assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = _run(project, "node", "-p", 'typeof require("@bedtape/client").Bedtape')
    assert shown.stdout == "function\n", shown.stderr
    assert (project / "node_modules" / ".bin" / "bedtape").exists()


def test_the_client_has_the_version_of_the_server() -> None:
    package = json.loads((CLIENT / "package.json").read_text())["version"]
    assert f'version = "{package}"' in (CLIENT / "src" / "version.ts").read_text()
    assert package == version("bedtape")
