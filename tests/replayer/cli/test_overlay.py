"""`bedtape overlay check` and `schema`, and what `bedtape replay` does with overlays and the
control API, as a user sees.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import jsonschema
import pytest
import yaml

from bedtape_cassettes.model import Cassette
from support import WAIT, folders
from support.client import Answer, Http1, until
from support.commands import run_program
from support.recordings import converse, path, prompt

# Most tests start processes.
pytestmark = pytest.mark.slow

_COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()"]
TOKEN = "sixteen-or-more-characters"

GOOD = (
    "bedtape-overlay: 1\nrules:\n- answer: {text: hi}\n- {name: b, answer: {text: b}}\nfaults:\n-"
    " stall: {}\n"
)
BAD = (
    "bedtape-overlay: 1\nrules:\n- when: {turn: 0}\n  answer: {text: a}\nfaults:\n- eror: X\n-"
    " stall: {after: 1}\n"
)
BAD_LINES = (3, 6, 6, 7)


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "BEDTAPE_CACHE_DIR": "",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "100",
        "TERM": "xterm-256color",
    }


def run(folder: Path, *arguments: str) -> tuple[int, list[str], list[str]]:
    """Exit code, and the lines on stdout and stderr."""
    ended = run_program([*_COMMAND, *arguments], _environment(), folder)
    assert "\x1b" not in ended.stdout + ended.stderr  # no colours, for it is read by CI
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


# -- check and schema ------------------------------------------------------------------------------


def test_a_good_file(folder: Path) -> None:
    assert run(folder, "overlay", "check", "good.yaml") == (0, ["good.yaml: 2 rules, 1 fault"], [])


def test_every_problem_has_its_line(folder: Path) -> None:
    code, out, errors = run(folder, "overlay", "check", "bad.yaml")
    assert (code, out) == (1, [])
    assert [line.partition(": ")[0] for line in errors] == [
        f"bad.yaml:{number}" for number in BAD_LINES
    ]
    assert errors[0] == "bad.yaml:3: expected a number from 1 at rules[0].when.turn, found 0"


def test_several_files_are_all_checked_in_their_order(folder: Path) -> None:
    code, out, errors = run(folder, "overlay", "check", "bad.yaml", "nosuch.yaml", "good.yaml")
    assert (code, out) == (1, ["good.yaml: 2 rules, 1 fault"])
    assert [line.partition(":")[0] for line in errors] == ["bad.yaml"] * 4 + ["nosuch.yaml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "expected an overlay file, found none (No such file or directory)"),
        ("", "expected"),
        ("{", "expected"),
        ("\x00", "expected"),
        ("bedtape-overlay: 2\n", "x.yaml:1: expected one of 1 at bedtape-overlay, found 2"),
        ("rules: []\n", "expected the key 'bedtape-overlay', found none; add bedtape-overlay"),
    ],
)
def test_what_is_no_overlay(text: str | None, said: str, folder: Path) -> None:
    if text is not None:
        (folder / "x.yaml").write_text(text)
    code, out, errors = run(folder, "overlay", "check", "x.yaml")
    assert (code, out) == (1, [])
    assert said in errors[0]
    assert errors[0].startswith("x.yaml:")


def test_a_folder_is_no_overlay(folder: Path) -> None:
    assert run(folder, "overlay", "check", ".") == (
        1,
        [],
        [".: expected an overlay file, found none (Is a directory)"],
    )


def test_a_cassette_is_no_overlay(folder: Path) -> None:
    folders.write(folder / "cassettes", Cassette("talk", (converse("a", "1"),)))
    (file,) = (folder / "cassettes" / "talk").glob("*.yaml")
    code, _, errors = run(folder, "overlay", "check", str(file))
    assert code == 1
    assert "did you mean bedtape-overlay?" in errors[0]


@pytest.mark.parametrize("arguments", [("overlay",), ("overlay", "check"), ("overlay", "nosuch")])
def test_what_the_command_line_lacks_is_told(arguments: tuple[str, ...], folder: Path) -> None:
    code, out, errors = run(folder, *arguments)
    assert code == 2
    assert any(line.lower().startswith("usage:") for line in out + errors)


def test_the_schema_is_for_editors(folder: Path) -> None:
    code, out, errors = run(folder, "overlay", "schema")
    assert (code, errors) == (0, [])
    schema = json.loads("\n".join(out))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid(yaml.safe_load(GOOD))
    assert {error.absolute_path[0] for error in check.iter_errors(yaml.safe_load(BAD))} == {
        "rules",
        "faults",
    }


# -- bedtape replay --------------------------------------------------------------------------------


@contextmanager
def replaying(folder: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """The URL of a `bedtape replay` that runs."""
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [*_COMMAND, "replay", "--port", "0", *arguments],
            cwd=folder,
            env={**_environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" ")[2].strip()
        assert url.startswith("http://"), (folder / "stderr").read_text()
        yield url
        process.terminate()
        assert process.wait(WAIT) == 0
    finally:
        process.kill()
        process.wait(WAIT)
        assert process.stdout is not None
        process.stdout.close()


Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    folders.write(tmp_path / "cassettes", Cassette("talk", (converse("a", "recorded"),)))
    with ExitStack() as stack:
        yield lambda *arguments, **environment: stack.enter_context(
            replaying(tmp_path, *arguments, **environment)
        )


def ask(url: str, method: str, target: str, body: bytes = b"", *headers: tuple[str, str]) -> Answer:
    with Http1(url) as client:
        return client.request(method, target, headers, body)


def test_an_overlay_answers_and_harms(start: Start, tmp_path: Path) -> None:
    text = (
        "bedtape-overlay: 1\nrules:\n- when: {prompt_contains: b}\n  answer: {text:"
        " ruled}\nfaults:\n- {error: ThrottlingException, times: 1}\n"
    )
    (tmp_path / "overlay.yaml").write_text(text)
    url = start("--overlay", "overlay.yaml")
    assert [ask(url, "POST", path(), prompt(asked)).status for asked in "aab"] == [429, 200, 200]
    assert b"ruled" in ask(url, "POST", path(), prompt("b")).body
    layers = json.loads(ask(url, "GET", "/_bedtape/sessions/default/overlay").body)
    assert [layer["name"] for layer in layers["rules"] + layers["faults"]] == [
        "file-rule-1",
        "file-fault-1",
    ]
    # the lines of a file are written in batches
    until(lambda: "rule file-rule-1" in (tmp_path / "stderr").read_text())


def test_a_bad_overlay_is_told_whole_and_nothing_starts(folder: Path) -> None:
    code, out, errors = run(folder, "replay", "--overlay", "bad.yaml")
    assert (code, out, len(errors)) == (2, [], len(BAD_LINES))
    assert (
        errors[0] == "bedtape: bad.yaml:3: expected a number from 1 at rules[0].when.turn, found 0"
    )
    assert run(folder, "replay", "--overlay", "nosuch.yaml")[0] == 2


@pytest.mark.parametrize(
    ("when", "recorded", "ruled"),
    [("rules", 400, 400), ("always", 400, 400), ("never", 400, 200), (None, 400, 400)],
)
def test_when_requests_are_checked(
    when: str | None, recorded: int, ruled: int, start: Start, tmp_path: Path
) -> None:
    """A temperature of 7 is none.

    `always` refuses it before the cassette is looked at, which else misses.
    """
    (tmp_path / "o.yaml").write_text(
        "bedtape-overlay: 1\nrules:\n- when: {prompt_contains: ruled}\n  answer: {text: x}\n"
    )
    url = start("--overlay", "o.yaml", *([] if when is None else ["--validate", when]))
    answers = []
    for text in ("recorded", "ruled"):
        body = {**json.loads(prompt(text)), "inferenceConfig": {"temperature": 7}}
        answers.append(ask(url, "POST", path(), json.dumps(body).encode()))
    assert [answer.status for answer in answers] == [recorded, ruled]
    error = "ValidationException" if when == "always" else "CassetteMissException"
    assert str(answers[0].header("x-amzn-errortype")).startswith(error)
    if ruled == 400:
        assert str(answers[1].header("x-amzn-errortype")).startswith("ValidationException")


@pytest.mark.parametrize(("arguments", "different"), [((), 1), (("--ids", "unique"), 2)])
def test_ids_are_unique_as_the_option_says(
    arguments: tuple[str, ...], different: int, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "o.yaml").write_text(
        "bedtape-overlay: 1\nrules: [{answer: {tool: {name: weather}}, allow_unoffered_tools:"
        " true}]\n"
    )
    url = start("--overlay", "o.yaml", *arguments)
    assert len({ask(url, "POST", path(), prompt("hi")).body for _ in range(2)}) == different


@pytest.mark.parametrize(
    ("arguments", "stop"), [((), "end_turn"), (("--simulate", "limits"), "max_tokens")]
)
def test_features_are_simulated_as_the_option_says(
    arguments: tuple[str, ...], stop: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "o.yaml").write_text(
        "bedtape-overlay: 1\nrules: [{answer: {text: one two three four}}]\n"
    )
    url = start("--overlay", "o.yaml", *arguments)
    body = {**json.loads(prompt("hi")), "inferenceConfig": {"maxTokens": 1}}
    answer = ask(url, "POST", path(), json.dumps(body).encode())
    assert json.loads(answer.body)["stopReason"] == stop


def test_a_token_opens_the_control_api_to_other_hosts(start: Start) -> None:
    for url in (start("--control-token", TOKEN), start(BEDTAPE_CONTROL_TOKEN=TOKEN)):
        assert ask(url, "GET", "/_bedtape/health").status == 401
        assert ask(url, "GET", "/_bedtape/health", b"", ("x-bedtape-token", TOKEN)).status == 200
        assert (
            ask(url, "GET", "/_fakecloud/health", b"", ("authorization", f"Bearer {TOKEN}")).status
            == 200
        )
        assert ask(url, "POST", path(), prompt("a")).status == 200  # Bedrock's own paths need none


def test_without_control_there_is_none(start: Start) -> None:
    url = start("--no-control")
    for target in ("/_bedtape/health", "/_fakecloud/health", "/_reset"):
        answer = ask(url, "GET", target)
        assert (answer.status, answer.header("x-amzn-errortype")) == (400, "CassetteMissException")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--control-token", "short"),
        ("--control-token", TOKEN, "--no-control"),
        ("--control-token", ""),
        ("--control-token", f"{TOKEN} {TOKEN}"),
        ("--control-token", f"{TOKEN}\n"),
        ("--control-token", f"{TOKEN}\u00e9"),
    ],
)
def test_a_token_that_cannot_be(arguments: tuple[str, ...], folder: Path) -> None:
    code, _, (error,) = run(folder, "replay", *arguments)
    assert (code, error.startswith("bedtape: --control-token: expected ")) == (2, True)
    assert TOKEN not in error
