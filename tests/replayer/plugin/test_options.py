"""The plugin's settings as its users have them: a mark before the command line, a
variable, a file, the default.
"""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from bedtape_cassettes.config.options import TABLES
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer.plugin.marks import PlayRequest
from support import folders
from support.recordings import converse
from support.runs import Run, runs

# Each test runs pytest.
pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

PASSED = "def test_it(): pass"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs(pytester, monkeypatch)


def _put(folder: Path, text: str) -> None:
    (folder / "bedtape.toml").write_text(text)


def _write(folder: Path, name: str, *interactions: Interaction) -> None:
    folders.write(folder / "cassettes", Cassette(name, interactions))


def _said(result: pytest.RunResult) -> str:
    return result.stdout.str()


def _refused(result: pytest.RunResult) -> str:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    return result.stderr.str()


# -- how tests are played --------------------------------------------------------------------------

STRICT = """
    def test_silent(bedrock):
        assert ask(bedrock.client(), "hi") == "one"
        assert ask(bedrock.client(), "hi") == "one"

    @pytest.mark.bedrock("test_it/test_silent", strict={})
    def test_marked(bedrock):
        assert ask(bedrock.client(), "hi") == "one"
        assert ask(bedrock.client(), "hi") == "one"
"""


@pytest.mark.parametrize(
    ("file", "variable", "silent"),
    [("true", "0", "not"), ("true", None, "strict"), ("false", "1", "strict")],
)
def test_a_mark_before_a_variable_before_the_file(
    run: Run,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    variable: str | None,
    silent: str,
) -> None:
    _write(pytester.path, "test_it/test_silent", converse("hi", "one"))
    _put(pytester.path, f"[pytest]\nstrict = {file}\n")
    if variable is not None:
        monkeypatch.setenv("BEDTAPE_PYTEST_STRICT", variable)
    for marked in (True, False):
        result = run({"test_it.py": STRICT.format(marked)})
        result.assert_outcomes(
            passed=(silent == "not") + (not marked), failed=(silent == "strict") + marked
        )
        assert "No recording is left" in _said(result) or (silent == "not" and not marked)


def test_what_is_played_is_strict_where_the_run_is(run: Run, pytester: pytest.Pytester) -> None:
    _write(pytester.path, "shared", converse("hi", "one"))
    _put(pytester.path, "pytest.strict = true\n")
    code = """
        @pytest.mark.parametrize("strict", [None, False])
        def test_it(bedrock, strict):
            bedrock.play("shared", strict=strict)
            assert [ask(bedrock.client(), "hi") for _ in "ab"] == ["one", "one"]
        """
    run({"test_it.py": code}).assert_outcomes(passed=1, failed=1)


def test_misses_and_pace_may_be_set_for_all(run: Run, pytester: pytest.Pytester) -> None:
    _write(pytester.path, "test_it/test_pace", converse("hi", "one", after_ms=3_600_000))
    _put(pytester.path, "[pytest]\nallow-misses = true\nspeed = 1\n")
    code = """
        from botocore.exceptions import ClientError, ReadTimeoutError

        def test_miss(bedrock):
            with pytest.raises(ClientError, match="No recording"):
                ask(bedrock.client(), "nothing")

        def test_pace(bedrock):
            with pytest.raises(ReadTimeoutError):
                ask(bedrock.client(config=Config(read_timeout=0.2, retries={"total_max_attempts": 1})), "hi")

        @pytest.mark.bedrock("test_it/test_pace", speed=None)
        def test_no_pace(bedrock):
            assert ask(bedrock.client(), "hi") == "one"
        """
    run({"test_it.py": code}).assert_outcomes(passed=3)


def test_what_makes_requests_the_same_is_said_once_for_all(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write(pytester.path, "test_it/test_it", converse("on 2024-01-01 ticket-1", "one"))
    code = """
        def test_it(bedrock):
            assert ask(bedrock.client(), "on 2026-11-28 ticket-1") == "one"
            client = bedrock.client()
            said = client.converse(
                modelId=MODEL.removeprefix("us."),
                messages=[{"role": "user", "content": [{"text": "on 2025-05-05 ticket-1"}]}],
                requestMetadata={"run": "7"},
            )
            assert said["output"]["message"]["content"][0]["text"] == "one"
        """
    run({"test_it.py": code}).assert_outcomes(failed=1)
    _put(
        pytester.path,
        "placeholder = ['\\d{4}-\\d\\d-\\d\\d']\nany-profile = true\npytest.ignore ="
        " ['requestMetadata']\n",
    )
    run({}).assert_outcomes(passed=1)


def test_one_overlay_lies_below_that_of_every_test(run: Run, pytester: pytest.Pytester) -> None:
    rule = "bedtape-overlay: 1\nrules:\n- {{when: {{prompt_contains: {}}}, answer: {{text: {}}}}}\n"
    (pytester.path / "all.yaml").write_text(rule.format("h", "of all"))
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "mine.yaml").write_text(rule.format("hi", "mine"))
    _put(pytester.path, "pytest.overlay = 'all.yaml'\n")
    code = """
        @pytest.mark.bedrock(overlay="mine.yaml")
        def test_both(bedrock):
            assert ask(bedrock.client(), "hi") == "mine"
            assert ask(bedrock.client(), "ho") == "of all"
            bedrock.assert_sequence([{"by": "rule-1"}, {"by": "file-rule-1"}])

        def test_it_stays(bedrock):
            bedrock.overlay({"bedtape-overlay": 1})
            assert ask(bedrock.client(), "hi") == "of all"
        """
    run({"tests/test_it.py": code}).assert_outcomes(passed=2)
    (pytester.path / "all.yaml").write_text("bedtape-overlay: 1\nrlues: []\n")
    result = run({})
    result.assert_outcomes(errors=2)
    assert "did you mean rules?" in _said(result)
    assert "Traceback" not in _said(result)


def test_requests_are_validated_and_calls_forgotten_as_it_is_set(
    run: Run, pytester: pytest.Pytester
) -> None:
    _put(pytester.path, "[pytest]\nvalidate = 'never'\nhistory = 2\n")
    code = """
        def test_it(bedrock):
            bedrock.respond(text="hi")
            client = bedrock.client()
            for _ in range(3):
                client.converse(modelId=MODEL, messages=[{"role": "nobody", "content": [{"text": "hi"}]}])
            assert (len(bedrock.calls), bedrock.calls.forgotten) == (2, 1)
        """
    run({"test_it.py": code}).assert_outcomes(passed=1)
    _put(pytester.path, "")
    run({}).assert_outcomes(failed=1)


def test_ids_are_unique_as_it_is_set(run: Run, pytester: pytest.Pytester) -> None:
    _put(pytester.path, "[pytest]\nids = 'unique'\n")
    code = """
        def test_it(bedrock):
            bedrock.respond(tool={"name": "weather"}, allow_unoffered_tools=True)
            client = bedrock.client()
            asked = [{"role": "user", "content": [{"text": "hi"}]}]
            answers = [client.converse(modelId=MODEL, messages=asked) for _ in range(2)]
            one, two = (each["output"]["message"]["content"][0]["toolUse"]["toolUseId"] for each in answers)
            assert one != two
        """
    run({"test_it.py": code}).assert_outcomes(passed=1)
    _put(pytester.path, "")
    run({}).assert_outcomes(failed=1)


def test_features_are_simulated_as_it_is_set(run: Run, pytester: pytest.Pytester) -> None:
    _put(pytester.path, "[pytest]\nsimulate = ['limits']\n")
    code = """
        def test_it(bedrock):
            bedrock.respond(text="one two three four")
            asked = [{"role": "user", "content": [{"text": "hi"}]}]
            limits = {"maxTokens": 1}
            answer = bedrock.client().converse(modelId=MODEL, messages=asked, inferenceConfig=limits)
            assert answer["stopReason"] == "max_tokens"
        """
    run({"test_it.py": code}).assert_outcomes(passed=1)
    _put(pytester.path, "")
    run({}).assert_outcomes(failed=1)


TLS = """
    import os
    import boto3

    BUNDLE = os.environ.get("AWS_CA_BUNDLE")
    MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
    EARLY = boto3.client("bedrock-runtime", region_name="us-east-1")  # made before the test sets anything

    def ask(client):
        return client.converse(modelId=MODEL, messages=MESSAGES)["output"]["message"]["content"][0]["text"]

    def test_it(bedrock):
        bedrock.respond(text="hello")
        assert bedrock.url.startswith("https://")
        assert os.environ["AWS_BEARER_TOKEN_BEDROCK"] == "bedtape"
        sent = []
        own = bedrock.client()
        own.meta.events.register("before-send.*", lambda request, **_: sent.append(request.headers["Authorization"]))
        assert [ask(client) for client in (own, boto3.client("bedrock-runtime"), EARLY)] == ["hello"] * 3
        assert sent == [b"Bearer bedtape"]

    def test_after():
        assert os.environ["AWS_BEARER_TOKEN_BEDROCK"] == "a-real-key"
        assert os.environ.get("AWS_CA_BUNDLE") == BUNDLE
"""


def test_a_test_has_tls_as_it_is_set(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(pytester.path, "[pytest]\ntls = true\n")
    monkeypatch.setenv("BEDTAPE_STATE_DIR", str(pytester.path / "state"))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-real-key")
    run({"test_it.py": TLS}).assert_outcomes(passed=2)
    (pytester.path / "state" / "tls-authority.pem").write_text("damaged")
    result = run({})
    result.assert_outcomes(errors=1, passed=1)
    assert "expected bedtape's certificate authority, found another content" in _said(result)


def test_workers_have_the_same_settings(run: Run, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    _write(pytester.path / "tests", "test_it/test_silent", converse("hi", "one"))
    _put(pytester.path / "tests", "pytest.strict = true\n")
    code = STRICT.format(False)
    run({"tests/test_it.py": code}, "-p", "xdist", "-n2", "tests").assert_outcomes(
        passed=1, failed=1
    )


# -- which file ------------------------------------------------------------------------------------


def test_the_file_is_looked_for_from_the_tests_upwards(run: Run, pytester: pytest.Pytester) -> None:
    for name, strict in (("a", "false"), ("b", "true")):
        _write(pytester.path / name, f"test_{name}/test_it", converse("hi", "one"))
        (pytester.path / name / "pyproject.toml").write_text(
            f"[tool.bedtape.pytest]\nstrict = {strict}\n"
        )
    code = (
        "def test_it(bedrock): assert [ask(bedrock.client(), 'hi') for _ in 'ab'] == ['one', 'one']"
    )
    run({"a/test_a.py": code, "b/test_b.py": code}, "a").assert_outcomes(passed=1)
    run({}, "b/test_b.py::test_it").assert_outcomes(failed=1)
    run({}, "a", "b").assert_outcomes(passed=2)
    run({}).assert_outcomes(passed=2)
    (pytester.path / "pytest.ini").write_text("[pytest]\ntestpaths = b\n")
    run({}).assert_outcomes(failed=1)


def test_the_folder_from_which_other_tests_are_run_has_no_say(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "pytest.ini").write_text("[pytest]\n")  # the root, for pytest
    here = pytester.mkdir("packages") / "a"
    here.mkdir()
    _put(here, "[pytest]\nstirct = true\n")
    monkeypatch.chdir(here)
    run({"packages/b/test_b.py": PASSED}, "../b").assert_outcomes(passed=1)
    assert "stirct" in _refused(run({}, "../a"))


def test_settings_that_are_wrong_refuse_the_run_and_are_all_told(
    run: Run, pytester: pytest.Pytester
) -> None:
    _put(pytester.path, "[pytest]\nstirct = true\n[replay]\nport = 'x'\n")
    told = _refused(run({"test_it.py": PASSED}))
    assert "did you mean strict?" in told
    assert "at replay.port" in told
    assert "Traceback" not in told


def test_a_variable_that_nobody_reads_is_told_at_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDTAPE_PYTEST_STIRCT", "1")
    result = run({"test_it.py": PASSED}, "-q", "-W", "error")
    result.assert_outcomes(passed=1)
    assert (
        "BEDTAPE_PYTEST_STIRCT is set, and nothing reads it; did you mean BEDTAPE_PYTEST_STRICT?"
        in _said(result)
    )


# -- recording and real Bedrock --------------------------------------------------------------------

ASKS = """
    from bedtape_replayer.plugin.blocking import RealBedrockBlocked

    def test_it():
        refuse_lookups()
        with pytest.raises(BaseException) as told:
            ask(boto3.client("bedrock-runtime", region_name="us-east-1", aws_access_key_id="a",
                aws_secret_access_key="b", config=Config(retries={{"total_max_attempts": 1}})), "hi")
        assert (told.type is RealBedrockBlocked) is {}

    def test_uses(bedrock):
        pass
"""


@pytest.mark.parametrize(
    ("own", "variable", "file", "arguments", "blocks"),
    [
        (None, None, None, (), True),
        (None, None, "false", (), False),
        ("false", None, None, (), False),
        (None, "0", "true", (), False),
        ("true", "0", None, (), False),
        ("false", "", None, (), True),
        (None, "1", None, ("-o", "bedtape_block=false"), False),
        (None, None, "true", ("-o", "bedtape_block=false"), False),
    ],
)
def test_whether_real_calls_are_refused(
    run: Run,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    own: str | None,
    variable: str | None,
    file: str | None,
    arguments: tuple[str, ...],
    blocks: bool,
) -> None:
    if own is not None:
        (pytester.path / "pytest.ini").write_text(f"[pytest]\nbedtape_block = {own}\n")
    if variable is not None:
        monkeypatch.setenv("BEDTAPE_PYTEST_BLOCK", variable)
    if file is not None:
        _put(pytester.path, f"pytest.block = {file}\n")
    run({"test_it.py": ASKS.format(blocks)}, *arguments).assert_outcomes(passed=2)


@pytest.mark.parametrize("key", ["block", "record"])
def test_what_both_files_say_is_refused(run: Run, pytester: pytest.Pytester, key: str) -> None:
    (pytester.path / "pytest.ini").write_text(f"[pytest]\nbedtape_{key} = true\n")
    _put(pytester.path, f"pytest.{key} = {'true' if key == 'block' else repr('true')}\n")
    told = _refused(run({"test_it.py": PASSED}))
    assert re.search(
        rf"expected bedtape_{key} in one file, found it in .+pytest.ini, and {key} in"
        r" .+bedtape.toml:1",
        told,
    )


# Tells what it was started with, and that it listens; it records nothing.
RECORDER = shlex.join(
    [
        sys.executable,
        "-c",
        (
            "import json, os, pathlib, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK,"
            " [signal.SIGTERM]);said = {n: v for n, v in os.environ.items() if"
            " n.startswith('BEDTAPE_')};pathlib.Path('started.json').write_text(json.dumps([sys.argv[1:],"
            " said]));print('export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:9',"
            " flush=True); signal.sigwait([signal.SIGTERM])"
        ),
    ]
)


def test_a_file_says_what_is_recorded_and_opens_no_gate(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(
        pytester.path,
        f"[pytest]\nbedtape = 'new'\nrecord = {json.dumps(RECORDER)}\n[record]\nregion ="
        " 'eu-west-1'\n",
    )
    code = (
        "def test_it(bedrock): assert bedrock.recorded is (os.environ.get('RUN_REAL_BEDROCK_TESTS')"
        " == '1')"
    )
    run({"test_it.py": code}).assert_outcomes(passed=1)
    assert not (pytester.path / "started.json").exists()
    monkeypatch.setenv("RUN_REAL_BEDROCK_TESTS", "1")
    monkeypatch.setenv("BEDTAPE_RECORD_NAME", "all-in-one")
    run({}).assert_outcomes(passed=1)
    arguments, said = json.loads((pytester.path / "started.json").read_text())
    assert arguments == ["--to", str(pytester.path / "cassettes"), "--record", "new"]
    assert said["BEDTAPE_CONFIG"] == str(pytester.path / "bedtape.toml")
    assert said["BEDTAPE_RECORD_NAME"] == ""
    run({}, "--bedtape=none", "-k", "nothing")
    monkeypatch.setenv("BEDTAPE_PYTEST_BEDTAPE", "none")
    run({}, "--bedtape=all").assert_outcomes(passed=1)
    assert json.loads((pytester.path / "started.json").read_text())[0][-1] == "all"


@pytest.mark.parametrize("by", ["--bedtape", "BEDTAPE_PYTEST_BEDTAPE"])
def test_who_asks_to_record_with_the_gate_shut_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "--bedtape":
        told = _refused(run({"test_it.py": PASSED}, "--bedtape=once"))
    else:
        monkeypatch.setenv(by, "once")
        told = _refused(run({"test_it.py": PASSED}))
    assert (
        f"{by}=once calls real Amazon Bedrock, which costs money: set RUN_REAL_BEDROCK_TESTS=1"
        in told
    )


def test_every_key_of_the_plugin_is_one_of_its_options_or_of_a_tests(run: Run) -> None:
    """The other tests here show that each is heard; this one that none is
    missing, on either side.
    """
    helped = _said(run({}, "--help"))
    own = {"block", "record", "bedtape", "url"}
    assert all(f"bedtape_{key}" in helped or f"--{key}=" in helped for key in own)
    marks = {name.replace("_", "-") for name in PlayRequest.__slots__} - {
        "test",
        "fixture",
        "folder",
        "cassette",
        "match",
    }
    matching = {"ignore", "placeholder", "any-profile", "redact"}
    assert set(TABLES["pytest"]) == own | marks | matching | {
        "validate",
        "ids",
        "simulate",
        "tls",
        "history",
        "report",
        "vcr",
    }


def test_a_kept_endpoint_is_seen_and_calls_are_redirected(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDTAPE_PYTEST_ENDPOINT", "kept")
    code = """
        import subprocess, sys
        READ = "import os; print(os.environ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'])"

        def test_it(bedrock):
            bedrock.respond(text="ok")
            client = boto3.client("bedrock-runtime")
            assert client.meta.endpoint_url == "https://bedrock-runtime.us-east-1.amazonaws.com"
            assert ask(client, "hi") == "ok"
            child = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True)
            assert child.stdout.startswith("http://127.0.0.1:"), child.stderr
            assert bedrock.calls[0].path.startswith("/model/")
    """
    run({"test_it.py": code}).assert_outcomes(passed=1)


def test_vcr_py_is_missing(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "sitecustomize.py").write_text("import sys\nsys.modules['vcr'] = None\n")
    result = run({"test_it.py": "def test_it(): pass"}, "--bedtape-vcr")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --bedtape-vcr: expected the package vcrpy, found none; pip install vcrpy"]
    )
