"""The recipes for CI work as pasted: their commands are run in a fresh project, and the
image's parts by themselves.

No Docker engine is needed: what the Dockerfile copies is built, and what the image runs is run.
"""

import http.client
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from support import sdk
from support.boto import boto3_client
from support.commands import hold_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "ci.md").read_text()
RECIPES = {
    text.splitlines()[0].removeprefix("# "): yaml.safe_load(text)
    for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
}
ACTIONS, GITLAB = RECIPES[".github/workflows/test.yaml"], RECIPES[".gitlab-ci.yml"]
COMPOSE, CODEBUILD = RECIPES["compose.yaml"], RECIPES["buildspec.yml"]

# A program that has to be answered from cassettes/: what the samples hold, asked by
# boto3 as any program would.
PROGRAM = """
import boto3
answer = boto3.client("bedrock-runtime").converse(**{arguments!r})
assert answer["output"]["message"]["content"], answer
"""
TEST = """
import boto3, pytest

@pytest.mark.bedrock("{cassette}")
def test_it(bedrock):
    answer = boto3.client("bedrock-runtime").converse(**{arguments!r})
    assert answer["output"]["message"]["content"]
"""


def _jobs() -> Iterator[tuple[str, list[str]]]:
    """Each job's commands, in order."""
    for name, job in ACTIONS["jobs"].items():
        yield f"actions-{name}", [step["run"] for step in job["steps"] if "run" in step]
    for name, job in GITLAB.items():
        yield f"gitlab-{name}", job["script"]
    yield (
        "codebuild",
        [command for phase in CODEBUILD["phases"].values() for command in phase["commands"]],
    )


JOBS = dict(_jobs())


def _stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project: cassettes, a Python test, and a program that `npm test` runs."""
    recorded = next(
        row for row in sdk.of_samples() if row.operation == "Converse" and row.status == 200
    )
    arguments = sdk.arguments(recorded)
    for folder in (tmp_path / "cassettes", tmp_path / "tests" / "cassettes"):
        shutil.copytree(store.samples(), folder)
    (tmp_path / "tests" / "test_it.py").write_text(
        TEST.format(cassette=recorded.session, arguments=arguments)
    )
    (tmp_path / "program.py").write_text(PROGRAM.format(arguments=arguments))
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As a runner has it: no keys, and installers that write down what they were asked
    for and install nothing.
    """
    tools = tmp_path / "tools"
    tools.mkdir()
    python = sys.executable
    asked = f'echo "$(basename "$0") $@" >> {tmp_path}/asked'
    _stand_in(tools, "pip", asked)
    _stand_in(tools, "apt-get", asked)
    _stand_in(tools, "npm", f'{asked}\n[ "$1" != test ] || exec {python} program.py')
    _stand_in(tools, "pytest", f'exec {python} -m pytest tests "$@"')
    _stand_in(
        tools,
        "bedtape",
        f'exec {python} -c "from bedtape_cassettes.cli.main import main; main()" "$@"',
    )
    # `python3 -m venv .bedtape` makes a folder with the same stand-ins.
    _stand_in(tools, "python3", f'{asked}\nmkdir -p "$3" && ln -s {tools} "$3/bin"')
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTEST_"))
    }
    return {
        **kept,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
    }


@pytest.mark.parametrize("job", JOBS)
def test_the_commands_of_a_job_work(job: str, project: Path, environment: dict[str, str]) -> None:
    for command in JOBS[job]:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    asked = (project / "asked").read_text()
    assert re.search(r"^pip install .*\bbedtape\b", asked, re.MULTILINE)
    assert "1 played" in done.stdout + done.stderr


def test_a_miss_fails_the_python_job(project: Path, environment: dict[str, str]) -> None:
    test = project / "tests" / "test_it.py"
    test.write_text(
        test.read_text().replace("converse(**", 'converse(**{"system": [{"text": "other"}]} | ')
    )
    done = subprocess.run(["pytest"], cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    assert "No recording answers" in done.stdout


def test_no_job_has_keys_or_names_an_index() -> None:
    assert not re.search(r"index-url|secrets\.|AKIA|configure-aws", PAGE)


def test_the_junit_report_that_gitlab_takes_is_the_one_that_is_written() -> None:
    job = GITLAB["python"]
    assert f"--junitxml={job['artifacts']['reports']['junit']}" in job["script"][-1]


def test_codebuild_takes_the_report_that_is_written() -> None:
    (report,) = CODEBUILD["reports"].values()
    assert [f"pytest --junitxml={file}" for file in report["files"]] == CODEBUILD["phases"][
        "build"
    ]["commands"]


# -- the action ------------------------------------------------------------------------------------

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


@pytest.fixture
def runner(project: Path, environment: dict[str, str]) -> dict[str, str]:
    """The variables of a GitHub runner.

    The environment that the script makes contains stand-ins.
    """
    runner = project / "runner"
    runner.mkdir()
    variables = {"GITHUB_ACTION_PATH": ROOT, "RUNNER_TEMP": runner, "GITHUB_PATH": runner / "path"}
    return {**environment, **{name: str(value) for name, value in variables.items()}}


def _use_action(
    project: Path, runner: dict[str, str], **inputs: str
) -> subprocess.CompletedProcess[str]:
    """Runs the step of the action as a runner does: inputs become variables
    by their expressions.
    """
    (step,) = ACTION["runs"]["steps"]
    values = {name: each["default"] for name, each in ACTION["inputs"].items()} | inputs
    assert values.keys() == ACTION["inputs"].keys()
    expressions = {f"${{{{ inputs.{name} }}}}": value for name, value in values.items()}
    variables = {name: expressions[text] for name, text in step["env"].items()}
    command = ["bash", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(
        command, cwd=project, env={**runner, **variables}, capture_output=True, text=True
    )


def test_the_action_installs_itself_and_runs_the_tests(
    project: Path, runner: dict[str, str]
) -> None:
    inputs = {
        "run": "echo first\nnpm test",
        "extras": "tls",
        "report": "bedrock.html",
        "strict": "true",
    }
    done = _use_action(project, runner, **inputs, cassettes="tests/cassettes")
    assert done.returncode == 0, done.stderr
    assert "1 played" in done.stderr
    assert (project / "bedrock.html").is_file()
    asked = (project / "asked").read_text()
    assert f"pip install --quiet --disable-pip-version-check {ROOT}[tls]\n" in asked


@pytest.mark.parametrize(
    ("inputs", "code", "reason"),
    [
        ({"run": "exit 7"}, 7, "0 calls"),
        ({"run": "false\ntrue"}, 1, "0 calls"),
        ({"run": "npm test", "fail-unplayed": "true"}, 1, "never played"),
        ({"run": "npm test", "cassettes": "no such folder"}, 2, "no such folder"),
    ],
)
def test_the_action_fails_as_its_tests(
    inputs: dict[str, str], code: int, reason: str, project: Path, runner: dict[str, str]
) -> None:
    done = _use_action(project, runner, **inputs)
    assert (done.returncode, reason in done.stderr) == (code, True), done.stdout + done.stderr


def test_the_action_puts_the_command_alone_on_the_path(
    project: Path, runner: dict[str, str]
) -> None:
    done = _use_action(project, runner)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (folder,) = Path(runner["GITHUB_PATH"]).read_text().splitlines()
    assert [path.name for path in Path(folder).iterdir()] == ["bedtape"]
    assert "npm" not in (project / "asked").read_text()


def test_the_inputs_that_the_page_uses_exist() -> None:
    (step,) = [
        step
        for recipe in RECIPES.values()
        for job in recipe.get("jobs", {}).values()
        for step in job["steps"]
        if step.get("uses", "").startswith("bedtape/")
    ]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    for name in ACTION["inputs"]:
        assert re.search(rf"\b{name}\b", PAGE)


# -- pre-commit ------------------------------------------------------------------------------------

HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def _run_hook(
    name: str, project: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs the entry as pre-commit does: split into words, without file names, at
    the top of the repository.
    """
    assert HOOKS[name]["pass_filenames"] is False
    words = shlex.split(HOOKS[name]["entry"])
    return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True)


def test_the_hooks_pass_on_good_cassettes_and_the_page_names_them(
    project: Path, environment: dict[str, str]
) -> None:
    for name in HOOKS:
        done = _run_hook(name, project, environment)
        assert done.returncode == 0, done.stdout + done.stderr
    (repository,) = RECIPES[".pre-commit-config.yaml"]["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == list(HOOKS)


def test_the_hooks_fail_on_a_damaged_file_and_on_a_secret(
    project: Path, environment: dict[str, str]
) -> None:
    first, second = sorted((project / "cassettes" / "hello").glob("*.yaml"))[:2]
    first.write_text(first.read_text().replace("teams", "ann.smith@corporation.net", 1))
    done = _run_hook("bedtape-scan", project, environment)
    assert (done.returncode, "email" in done.stdout) == (1, True), done.stdout + done.stderr
    second.write_text("bedtape: 99\n")
    done = _run_hook("bedtape-check", project, environment)
    assert done.returncode in (1, 2)
    assert second.name in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("cassettes/hello/0001-a.yaml", True),
        ("tests/cassettes/x/0001-a.yaml", True),
        ("fixtures/all.tape", True),
        ("src/cassettes.py", False),
        ("docs/page.md", False),
    ],
)
def test_the_hooks_run_if_cassettes_change(path: str, matches: bool) -> None:
    for hook in HOOKS.values():
        assert bool(re.search(hook["files"], path)) is matches


def test_the_hook_of_secrets_has_what_the_extra_has() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert HOOKS["bedtape-scan"]["additional_dependencies"] == extras["scan"]
    assert all(hook["language"] == "python" for hook in HOOKS.values())


# -- the image -------------------------------------------------------------------------------------


def _instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


INSTRUCTIONS = _instructions()
# What the last stage says last holds.
IMAGE = dict(INSTRUCTIONS)


def _exec(form: str) -> list[str]:
    """A command in exec form, which no shell takes apart."""
    command: list[str] = json.loads(form)
    return command


def _health() -> list[str]:
    return _exec(IMAGE["HEALTHCHECK"].partition("CMD")[2])


def test_the_image_is_slim_and_its_user_is_not_root() -> None:
    assert {rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"} == {
        "python:3.13-slim${DIGEST}"
    }
    assert INSTRUCTIONS[0] == ("ARG", "DIGEST=")
    user, _, group = IMAGE["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "apt-get" not in str(INSTRUCTIONS)
    last = INSTRUCTIONS[max(at for at, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]
    assert [rest for word, rest in last if word in ("COPY", "ADD")] == [
        "--from=build /opt/bedtape /opt/bedtape"
    ]


def test_the_image_names_no_registry() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"https?://[^/'\"\s]+", text) == ["http://127.0.0.1:4566"]
    assert "index" not in text


def test_the_image_installs_what_is_locked_and_nothing_else() -> None:
    (run,) = [rest for word, rest in INSTRUCTIONS if word == "RUN"]
    locked, own = run.split("&&")[1:]
    assert re.findall(r"-r (\S+)", locked) == [".ci/locks/build.txt", ".ci/locks/server.txt"]
    assert "--require-hashes" in locked
    assert {"--no-deps", "--no-build-isolation"} <= set(own.split())


def test_the_release_fills_the_digest_and_stores_no_password() -> None:
    page = (ROOT / "docs" / "how-to" / "release.md").read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    job = yaml.safe_load(text)["jobs"]["release"]
    assert any("--build-arg DIGEST=@" in step.get("run", "") for step in job["steps"])
    assert {"attest-build-provenance", "attest-sbom", "sbom-action"} <= {
        step["uses"].partition("@")[0].rpartition("/")[2] for step in job["steps"] if "uses" in step
    }
    assert job["permissions"]["id-token"] == "write"
    assert "secrets." not in text


def _sent() -> list[Path]:
    """What of the checkout is sent to Docker: names with `!` are let in again."""
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and line[0] != "#"
    ]
    assert lines[0] == "*"
    again = [line[1:] for line in lines if line[0] == "!"]
    assert all((ROOT / name).exists() for name in again)
    return [ROOT / name for name in again]


def test_the_image_is_built_of_what_docker_is_sent(tmp_path: Path) -> None:
    assert ("COPY", ". .") in INSTRUCTIONS
    source = tmp_path / "source"
    source.mkdir()
    for path in _sent():
        copy = shutil.copytree if path.is_dir() else shutil.copy
        (source / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        copy(path, source / path.relative_to(ROOT))
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("bedtape-*.whl"))


# Makes every file system read-only, as `docker run --read-only` does, and then becomes the program.
READ_ONLY = """
while read -r _ folder _; do mount -o remount,ro,bind "$folder" 2>/dev/null || :; done < /proc/self/mounts
touch "$1/written" 2>/dev/null && exit 99
shift
exec "$@"
"""


def _protect(folder: Path) -> list[str]:
    """The beginning of a command that runs a program with a read-only root."""
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh", str(folder)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True).returncode
    ):
        pytest.skip("a read-only root needs unshare(1), and a user who may make a mount namespace")
    return command


@pytest.fixture(
    params=[(None, False), ("a-token-of-16-chars", False), (None, True)],
    ids=["open", "token", "read-only"],
)
def container(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """What the image runs, in its folder and with its environment; the port
    is one that is free here.
    """
    with hold_port() as port:
        yield from _run_image(tmp_path, port, *request.param)


def _run_image(
    tmp_path: Path, port: str, token: str | None, protects: bool
) -> Iterator[tuple[str, dict[str, str]]]:
    shutil.copytree(store.samples(), tmp_path / "cassettes")
    assert IMAGE["ENTRYPOINT"] == '["bedtape"]'
    cache = re.search(r"BEDTAPE_CACHE_DIR=(\S*)", IMAGE["ENV"])
    assert cache
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "BEDTAPE_CACHE_DIR": cache[1],
    }
    if token:
        environment["BEDTAPE_CONTROL_TOKEN"] = token
    arguments = [port if word == IMAGE["EXPOSE"] else word for word in _exec(IMAGE["CMD"])]
    assert port in arguments
    code = "from bedtape_cassettes.cli.main import main; main()"
    server = subprocess.Popen(
        [*(_protect(tmp_path) if protects else ()), sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    with server.stdout:
        assert "listening" in server.stdout.readline()
        yield port, environment
        server.terminate()
        assert server.wait() == 0


def _check_health(port: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program, *arguments = [word.replace(IMAGE["EXPOSE"], port) for word in _health()]
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True
    )


def test_the_health_check_tells_a_server_that_runs(container: tuple[str, dict[str, str]]) -> None:
    done = _check_health(*container)
    assert done.returncode == 0, done.stderr


def test_the_image_plays_the_mounted_cassettes(container: tuple[str, dict[str, str]]) -> None:
    """It writes nothing, so that the root can be read-only."""
    recorded = next(
        row for row in sdk.of_samples() if row.operation == "Converse" and row.status == 200
    )
    with closing(boto3_client(f"http://127.0.0.1:{container[0]}")) as client:
        answer = client.converse(**sdk.arguments(recorded))
    assert answer["output"]["message"]["content"]


def test_the_health_check_tells_one_that_does_not() -> None:
    with hold_port() as port:
        assert _check_health(port, dict(os.environ)).returncode != 0


# -- compose ---------------------------------------------------------------------------------------


def test_compose_waits_for_health_and_names_the_port_and_the_folder() -> None:
    server, tests = COMPOSE["services"]["bedtape"], COMPOSE["services"]["tests"]
    assert tests["depends_on"] == {"bedtape": {"condition": "service_healthy"}}
    assert (
        tests["environment"]["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
        == f"http://bedtape:{IMAGE['EXPOSE']}"
    )
    (mount,) = server["volumes"]
    assert mount.split(":")[1:] == [f"{IMAGE['WORKDIR']}cassettes", "ro"]
    assert f"docker build --tag {server['image']} ." in PAGE


def test_the_server_answers_to_its_name_in_compose() -> None:
    """Bedrock's API and the health check by any name; the rest of the control API
    is off, as the page says.
    """
    body: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
    paths = ("/model/amazon.nova-lite-v1:0/converse", "/_bedtape/health", "/_bedtape/sessions")
    with Replayer((), host="0.0.0.0") as bedrock:
        bedrock.respond(text="hi")
        connection = http.client.HTTPConnection("127.0.0.1", bedrock.port)
        statuses = []
        for method, path in zip(("POST", "GET", "GET"), paths, strict=True):
            connection.request(method, path, json.dumps(body), {"Host": "bedtape:4566"})
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
    assert statuses == [200, 200, 403]


def test_what_is_ignored_by_git_is_not_sent_to_docker() -> None:
    """Environments are large, and some hold recordings that were not reviewed."""
    sent = {path.name for path in _sent()}
    ignored = [
        line.rstrip("/")
        for line in (ROOT / ".gitignore").read_text().splitlines()
        if line and line[0] != "#"
    ]
    assert not {(name, pattern) for name in sent for pattern in ignored if fnmatch(name, pattern)}
