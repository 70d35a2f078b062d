"""The pytest plugin as its users have it: whole runs of pytest in processes of their
own, with boto3 as it comes.
"""

import json
import os
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bedtape_cassettes.cli import main
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Cassette, Interaction
from support import WAIT, folders
from support.recorder import environment
from support.recordings import answer, converse, path, prompt, record_interaction
from support.runs import Run, runs
from support.upstream import Answer, Upstream

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
RECORDER = next(iter(sorted(ROOT.glob(".venv-record*/bin/bedtape"))), None)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs(pytester, monkeypatch)


def _write(folder: Path, name: str, *interactions: Interaction) -> None:
    folders.write(folder / "cassettes", Cassette(name, interactions))


def _said(result: pytest.RunResult) -> str:
    return result.stdout.str()


# -- cassettes -------------------------------------------------------------------------------------


def test_each_test_plays_its_own_cassette_from_beside_its_file(
    run: Run, pytester: pytest.Pytester
) -> None:
    """Functions, classes, odd ids, packages, and a root directory that is somewhere else."""
    top, deep = pytester.path / "tests", pytester.path / "tests" / "deep"
    _write(top, "test_a/test_one", converse("hi", "of one"))
    _write(top, "test_a/TestIt/test_one", converse("hi", "of the class"))
    _write(top, "test_a/test_odd[x]", converse("hi", "of x"))
    _write(deep, "test_a/test_one", converse("hi", "deep"))
    for package in (top, deep):
        (package / "__init__.py").touch()
    files = {
        "tests/test_a.py": (
            """
            def test_one(bedrock):
                assert ask(bedrock.client(), "hi") == "of one"

            class TestIt:
                def test_one(self, bedrock):
                    assert ask(bedrock.client(), "hi") == "of the class"

            @pytest.mark.parametrize("odd", ["x", "a/b: *?", "\\u00e9\\n" * 200])
            def test_odd(bedrock, odd):
                bedrock.respond(text="by a rule") if odd != "x" else None
                assert ask(bedrock.client(), "hi") == ("of x" if odd == "x" else "by a rule")
            """
        ),
        "tests/deep/test_a.py": (
            """
            def test_one(bedrock):
                assert ask(bedrock.client(), "hi") == "deep"
            """
        ),
    }
    elsewhere = pytester.path / "elsewhere"
    elsewhere.mkdir()
    result = run(files, f"--rootdir={elsewhere}", "tests")
    result.assert_outcomes(passed=6)
    assert (
        "bedtape: 4 played, 2 from rules and faults, 0 recorded, 0 missed, 0 never played"
        in _said(result)
    )


def test_marks_choose_cassette_overlay_and_how_it_is_played(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write(
        pytester.path,
        "shared/weather",
        converse("hi", "of the mark", after_ms=3_600_000),
        converse("b", "unasked"),
    )
    (pytester.path / "rules.yaml").write_text(
        "bedtape-overlay: 1\nrules:\n  - {when: {prompt_contains: x}, answer: {text: of the"
        " file}}\n"
    )
    code = """
        from botocore.exceptions import ReadTimeoutError
        NOW = Config(read_timeout=0.2, retries={"total_max_attempts": 1})

        @pytest.mark.bedrock("shared/weather")
        class TestIt:
            def test_twice(self, bedrock):
                assert [ask(bedrock.client(), "hi") for _ in "ab"] == ["of the mark"] * 2

            @pytest.mark.bedrock(strict=True, allow_misses=True)
            def test_once(self, bedrock):
                assert ask(bedrock.client(), "hi") == "of the mark"
                with pytest.raises(Exception, match="No recording is left"):
                    ask(bedrock.client(), "hi")

            @pytest.mark.bedrock(speed=1)
            def test_as_slow_as_it_was(self, bedrock):
                with pytest.raises(ReadTimeoutError):
                    ask(bedrock.client(config=NOW), "hi")

        @pytest.mark.bedrock(overlay="rules.yaml")
        def test_file(bedrock):
            assert ask(bedrock.client(), "x") == "of the file"

        @pytest.mark.bedrock(overlay={"bedtape-overlay": 1, "rules": [{"answer": {"text": "of a document"}}]})
        @pytest.mark.usefixtures("bedrock")
        def test_unnamed(monkeypatch, tmp_path):
            monkeypatch.chdir(tmp_path)
            assert ask(boto3.client("bedrock-runtime"), "x") == "of a document"

        def test_chosen_within(bedrock):
            bedrock.play("shared/weather")
            assert ask(bedrock.client(), "hi") == "of the mark"
            with pytest.raises(ValueError, match="expected a cassette 'absent'"):
                bedrock.play("absent")
        """
    result = run({"test_marks.py": code})
    result.assert_outcomes(passed=6)
    said = _said(result)
    assert "1 missed, 1 never played" in said
    assert "never played: cassettes/shared/weather/0002-converse-" in said


def test_what_cannot_be_is_said_before_the_test_runs(run: Run, pytester: pytest.Pytester) -> None:
    broken = pytester.path / "cassettes" / "broken"
    broken.mkdir(parents=True)
    (broken / "0001.yaml").write_text("bedtape: 99\n")
    code = """
        WRONG = [(("../out",), {}), ((), {"stict": True}), ((), {"overlay": "absent.yaml"}), (("broken",), {})]

        @pytest.mark.parametrize(
            "n", [pytest.param(n, marks=pytest.mark.bedrock(*a, **k)) for n, (a, k) in enumerate(WRONG)]
        )
        def test_it(bedrock, n):
            print("it ran")

        def test_next(bedrock):
            bedrock.respond(text="fine")
            assert ask(bedrock.client(), "hi") == "fine"
        """
    result = run({"test_bad.py": code}, "-rP")
    result.assert_outcomes(errors=4, passed=1)
    said = _said(result)
    assert "expected a cassette name of plain parts joined by /, found '../out'" in said
    assert "found 'stict' (strict?)" in said
    assert "absent.yaml: expected an overlay file" in said
    assert "0001.yaml" in said
    assert "it ran" not in said.replace('print("it ran")', "")


# -- what tests see --------------------------------------------------------------------------------


def test_rules_faults_calls_and_assertions_are_each_tests_own(run: Run) -> None:
    code = """
        def test_first(bedrock):
            bedrock.respond("spam", json={"label": "spam"})
            bedrock.fail("ThrottlingException", times=2)
            client = bedrock.client(config=Config(retries={"total_max_attempts": 1}))
            for _ in "ab":
                with pytest.raises(client.exceptions.ThrottlingException):
                    ask(client, "is it spam?")
            assert ask(client, "is it spam?") == '{"label":"spam"}'
            bedrock.assert_called(times=3, prompt_contains="spam", model=MODEL)
            assert [call.status for call in bedrock.calls] == [429, 429, 200]

        def test_second(bedrock):
            assert not bedrock.calls
            bedrock.assert_not_called()
            bedrock.respond(text="anything")
            assert ask(bedrock.client(), "is it spam?") == "anything"
            bedrock.reset()
            assert not bedrock.calls
            bedrock.respond(text="more")
            assert ask(kept(), "x") == ask(boto3.client("bedrock-runtime"), "x") == "more"
            assert len(bedrock.calls) == 2

        def test_typed() -> None:
            from bedtape_replayer import Bedrock, Replayer
            from bedtape_replayer.engine.session import Session
            assert issubclass(Bedrock, Session)

        @pytest.mark.bedrock(allow_misses=True)
        def test_other_services(bedrock):
            agents = boto3.client("bedrock-agent-runtime", config=Config(retries={"total_max_attempts": 1}))
            with pytest.raises(Exception, match="CassetteMiss"):
                agents.retrieve(knowledgeBaseId="ABCDEFGHIJ", retrievalQuery={"text": "x"})
            (call,) = bedrock.calls
            assert call.call.path == "/knowledgebases/ABCDEFGHIJ/retrieve"
        """
    run({"test_own.py": code}).assert_outcomes(passed=4)


def test_the_environment_is_the_tests_alone_and_restored(run: Run) -> None:
    code = """
        NAMES = [name for name in os.environ if name.startswith(("AWS_", "ANTHROPIC_", "NO_PROXY", "no_proxy"))]

        @pytest.fixture(autouse=True)
        def cleaning(monkeypatch):
            monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", raising=False)

        @pytest.fixture(scope="module", autouse=True)
        def before():
            os.environ["AWS_BEARER_TOKEN_BEDROCK"] = "secret"
            os.environ["AWS_PROFILE"] = "that is not there"
            os.environ["OPENAI_BASE_URL"] = "https://bedrock-mantle.us-east-1.api.aws/v1"
            os.environ["OPENAI_API_KEY"] = "secret"
            return dict(os.environ)

        def test_outside_before(before):
            assert dict(os.environ) == {**before, "PYTEST_CURRENT_TEST": os.environ["PYTEST_CURRENT_TEST"]}

        @pytest.mark.parametrize("how", ["passes", "fails"])
        def test_inside(cleaning, bedrock, how):
            assert "AWS_BEARER_TOKEN_BEDROCK" not in os.environ
            assert "AWS_PROFILE" not in os.environ
            assert bedrock.url.startswith(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"])
            assert os.environ["ANTHROPIC_BEDROCK_BASE_URL"] == os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
            assert os.environ["AWS_ACCESS_KEY_ID"] == "bedtape"
            assert os.environ["OPENAI_BASE_URL"].endswith("/service/bedrock-mantle/v1")
            assert os.environ["OPENAI_API_KEY"] == "bedtape"
            bedrock.respond(text="hello")
            assert ask(boto3.client("bedrock-runtime"), "hi") == "hello"
            os.environ["AWS_BEARER_TOKEN_BEDROCK"] = "set by the test"
            assert how == "passes"

        def test_outside_after(before):
            assert dict(os.environ) == {**before, "PYTEST_CURRENT_TEST": os.environ["PYTEST_CURRENT_TEST"]}

        def test_asked_for_late(request, before):
            found = request.getfixturevalue("bedrock")
            found.respond(text="late")
            assert ask(boto3.client("bedrock-runtime"), "hi") == "late"

        def test_outside_at_last(before):
            assert dict(os.environ) == {**before, "PYTEST_CURRENT_TEST": os.environ["PYTEST_CURRENT_TEST"]}
        """
    run({"test_environment.py": code}).assert_outcomes(passed=5, failed=1)


def test_clients_that_outlive_a_test_reach_the_one_that_runs(run: Run) -> None:
    """Made at import, in a session fixture or kept in a cache, without credentials; from
    threads and coroutines too.
    """
    code = """
        import asyncio, unittest
        from concurrent.futures import ThreadPoolExecutor

        early = boto3.client("bedrock-runtime", region_name="eu-central-1")

        @pytest.fixture(scope="session")
        def shared():
            return boto3.client("bedrock-runtime", region_name="us-east-1")

        def test_without(shared):
            pass

        @pytest.mark.parametrize("said", ["one", "two"])
        def test_all(bedrock, shared, said):
            bedrock.respond(text=said)
            assert {ask(client, "hi") for client in (early, shared, kept(), bedrock.client())} == {said}
            with ThreadPoolExecutor(4) as pool:
                assert set(pool.map(lambda n: ask(early, str(n)), range(8))) == {said}
            async def both():
                return await asyncio.gather(*(asyncio.to_thread(ask, kept(), "hi") for _ in "ab"))
            assert asyncio.run(both()) == [said] * 2
            bedrock.assert_called(times=14)

        class Case(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def given(self, bedrock):
                self.bedrock = bedrock

            def test_it(self):
                self.bedrock.respond(text="case")
                self.assertEqual(ask(early, "hi"), "case")

        @pytest.mark.usefixtures("bedrock")
        class Async(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
                with self.assertRaises(Exception):
                    await asyncio.to_thread(ask, early, "hi")
        """
    result = run({"test_kept.py": code})
    result.assert_outcomes(passed=4, failed=1)
    assert "No recording answers Converse" in _said(result), (
        "Async's call was missed, and swallowed"
    )


def test_it_is_silent_and_light_until_it_is_used(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "asking.py").write_text("")
    code = """
        import sys

        def test_nothing_is_there():
            ours = {name for name in sys.modules if name.startswith("bedtape")}
            few = {"bedtape_cassettes", "bedtape_cassettes.addresses", "bedtape_cassettes.errors", "bedtape_replayer"}
            few |= {"bedtape_cassettes.format", "bedtape_cassettes.format.patterns"}
            few |= {"bedtape_cassettes.model", "bedtape_replayer.pytest_plugin", "bedtape_replayer.plugin"}
            few |= {"bedtape_replayer.plugin.blocking", "bedtape_replayer.plugin.options", "bedtape_replayer.plugin.plugin"}
            few |= {"bedtape_replayer.plugin.patched_environment"}
            assert {name for name in ours if not name.startswith("bedtape_cassettes.config")} == few
            assert not {"botocore", "boto3", "asyncio", "orjson", "yaml"} & set(sys.modules)
            assert not [name for name in os.environ if name.startswith("ANTHROPIC_BEDROCK")]
        """
    result = run({"test_light.py": code}, "-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(passed=1)
    assert "bedtape:" not in _said(result)


def test_the_fixture_and_the_marks_say_what_they_are(run: Run) -> None:
    fixtures = _said(run({}, "--fixtures", "-q"))
    assert "bedrock -- " in fixtures
    assert "Amazon Bedrock for this test" in fixtures
    marks = _said(run({}, "--markers", "--strict-markers"))
    assert "@pytest.mark.bedrock(name=None" in marks
    assert "@pytest.mark.real_bedrock" in marks


@pytest.mark.slow
def test_it_is_found_where_bedtape_is_installed_and_can_be_turned_off(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pytest finds plugins: by what pyproject.toml says, in the metadata
    of an installed package.
    """
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
        "pytest11"
    ]
    metadata = pytester.path / "site" / "bedtape-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bedtape\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(
        "[pytest11]\n" + "".join(f"{n} = {m}\n" for n, m in entry_points.items())
    )
    monkeypatch.setenv("PYTHONPATH", str(metadata.parent), prepend=os.pathsep)
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    (pytester.path / "test_it.py").write_text("def test_it(bedrock): bedrock.respond(text='hi')")
    pytester.runpytest_subprocess(timeout=WAIT).assert_outcomes(passed=1)
    off = pytester.runpytest_subprocess("-p", "no:bedtape", timeout=WAIT)
    off.assert_outcomes(errors=1)
    assert "fixture 'bedrock' not found" in _said(off)


def test_a_projects_own_fixture_and_mark_of_these_names_are_its_own(run: Run) -> None:
    code = """
        @pytest.fixture
        def bedrock():
            return "its own"

        @pytest.mark.bedrock("labels", "of", its="own")
        def test_it(bedrock):
            assert bedrock == "its own"
            assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" not in os.environ

        class TestOver:
            @pytest.fixture
            def bedrock(self, bedrock):
                return bedrock + " over it"

            def test_it(self, bedrock):
                assert bedrock == "its own over it"
        """
    result = run({"test_names.py": code})
    result.assert_outcomes(passed=2)
    assert "bedtape:" not in _said(result)


def test_a_fixture_over_ours_has_ours_below(run: Run) -> None:
    code = """
        @pytest.fixture
        def bedrock(bedrock):
            bedrock.respond(text="for all tests here")
            return bedrock

        def test_it(bedrock):
            assert ask(boto3.client("bedrock-runtime"), "hi") == "for all tests here"
            bedrock.assert_called(times=1)
        """
    run({"test_over.py": code}).assert_outcomes(passed=1)


# -- misses ----------------------------------------------------------------------------------------


def test_a_miss_fails_the_test_at_its_end_even_if_it_was_swallowed(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write(pytester.path, "test_miss/test_near", converse("What is the weather?", "Rain"))
    code = """
        import unittest

        def swallow(client=None):
            try:
                ask(client or boto3.client("bedrock-runtime"), "What is the whether?")
            except Exception:
                pass

        def test_near(bedrock):
            swallow()

        def test_far(bedrock):
            swallow()
            swallow()

        @pytest.mark.bedrock(allow_misses=True)
        def test_allowed(bedrock):
            swallow()

        @pytest.mark.xfail(strict=True)
        def test_expected(bedrock):
            swallow()

        @pytest.fixture
        def late(bedrock):
            yield
            swallow()

        def test_as_it_is_torn_down(late):
            pass

        def test_fails_by_itself(bedrock):
            swallow()
            assert 1 == 2

        class Case(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def given(self, bedrock):
                pass

            def test_fails_by_itself(self):
                swallow()
                self.assertEqual(3, 4)

        def test_not_said_as_it_should_be(bedrock):
            bedrock.respond(image="auto")
            swallow()
        """
    result = run({"test_miss.py": code}, "-rA", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=5, xfailed=1, errors=1)
    said = _said(result)
    near = said.split("_ test_near _")[1].split("_ test_far _")[0]
    assert (
        'messages[0].content[0].text: recorded "What is the weather?", sent "What is the whether?"'
        in near
    )
    assert "test_miss/test_near/0001-converse-" in near
    assert "The cassette cassettes/test_miss/test_near lacks it" in near
    assert "pytest --bedtape=new 'test_miss.py::test_near'" in near
    far = said.split("_ test_far _")[1].split("_ test_fails_by_itself _")[0]
    assert "2 calls were answered by nothing" in far
    assert far.count("No recording answers") == 1
    assert "There is no cassette cassettes/test_miss/test_far" in far
    assert "pytest --bedtape=once 'test_miss.py::test_far'" in far
    assert "assert 1 == 2" in said
    assert "3 != 4" in said
    assert said.count("bedrock: ") >= 5
    for test in ("test_fails_by_itself _", "Case.test_fails_by_itself _"):
        assert "No recording answers" in said.split(f" {test}")[1].split("\n____")[0]
    assert " cannot answer Converse: " in said


# -- real Bedrock ----------------------------------------------------------------------------------

_CLIENTS = """
    import http.client, socket, subprocess, sys
    from botocore.exceptions import EndpointConnectionError

    refuse_lookups()
    KEYS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    HOST = "bedrock-runtime.us-east-1.amazonaws.com"

    def client(name="bedrock-runtime", **options):
        return boto3.client(name, region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}), **options)
    """
_USES = """
    def test_uses(bedrock):
        pass
    """
_BLOCKED = (
    _CLIENTS
    + """
    from bedtape_replayer.plugin.blocking import RealBedrockBlocked

    WAYS = {
        "boto3": lambda: ask(client(**KEYS), "hi"),
        "boto3 without credentials": lambda: ask(client(), "hi"),
        "boto3 of another service": lambda: client("bedrock", **KEYS).list_foundation_models(),
        "urllib3": lambda: __import__("urllib3").request("POST", f"https://{HOST}/model/m/converse", retries=9),
        "httpx": lambda: __import__("httpx").post(f"https://{HOST}./model/m/converse"),
        "requests": lambda: __import__("requests").post(f"https://{HOST.upper()}/model/m/converse"),
        "http.client": lambda: http.client.HTTPSConnection(HOST).request("POST", "/model/m/converse"),
        "openai": lambda: __import__("openai").OpenAI(base_url=f"https://{HOST}/openai/v1", api_key="a").models.list(),
        "socket": lambda: socket.create_connection((HOST, 443)),
        "asyncio": lambda: __import__("asyncio").run(__import__("asyncio").open_connection(HOST, 443)),
        "asyncio in httpx": lambda: __import__("asyncio").run(__import__("httpx").AsyncClient().get(f"https://{HOST}")),
    }

    @pytest.mark.parametrize("way", WAYS)
    def test_blocked(way, monkeypatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(RealBedrockBlocked, match="def test_it") as blocked:
            try:
                WAYS[way]()
            except Exception as error:
                raise AssertionError("hidden") from error
        assert "bedrock" in str(blocked.value).partition(";")[0]

    def test_blocked_through_a_proxy():
        with socket.create_server(("127.0.0.1", 0)) as proxy:
            url, looked_up = f"http://127.0.0.1:{proxy.getsockname()[1]}", socket.getaddrinfo
            socket.getaddrinfo = lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", proxy.getsockname())]
            try:
                with pytest.raises(RealBedrockBlocked):
                    __import__("requests").post(f"https://{HOST}/", proxies={"https": url})
            finally:
                socket.getaddrinfo = looked_up

    def test_other_hosts_are_reached():
        with pytest.raises(EndpointConnectionError):
            client("sts", **KEYS).get_caller_identity()

    PRINT = "import os; print(os.environ.get('AWS_ENDPOINT_URL_BEDROCK_RUNTIME'))"

    def test_children():
        begin = lambda **more: subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, **more).stdout
        assert "real-bedrock-is-blocked-use-the-fixture-bedrock" in begin()
        assert "real-bedrock-is-blocked" in begin(env={"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"https://{HOST}"})
        chosen = "http://127.0.0.1:4566"
        assert begin(env={"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": chosen}) == chosen + "\\n"
        assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" not in os.environ

    CALL = "boto3.client('bedrock-runtime').converse(modelId='m', messages=[])"

    def test_a_child_without_credentials_and_region(tmp_path):
        own = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}
        def begin(**more):
            child = [sys.executable, "-c", f"import boto3; {CALL}"]
            return subprocess.run(child, capture_output=True, text=True, env=own | more).stderr
        assert "real-bedrock-is-blocked-use-the-fixture-bedrock" in begin()
        assert "ProfileNotFound" in begin(AWS_PROFILE="chosen")

    def test_a_client_from_before_the_test(bedrock):
        with pytest.raises(RealBedrockBlocked, match="create the client inside the test"):
            WAYS["httpx"]()
        bedrock.respond(text="redirected")
        assert ask(client(), "hi") == "redirected"
        out = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True).stdout
        assert out == f"{os.environ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME']}\\n"
    """
)
_PASSED = (
    _CLIENTS
    + """
    def test_bedrock():
        with pytest.raises(EndpointConnectionError):
            ask(client(**KEYS), "hi")

    def test_children():
        code = "import os; print('AWS_ENDPOINT_URL_BEDROCK_RUNTIME' in os.environ)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\\n"

    @pytest.mark.real_bedrock
    def test_real():
        pass
    """
)


def test_connections_to_real_bedrock_are_refused_and_the_fixture_is_named(run: Run) -> None:
    """By every library, in other processes, and so that no fallback of the code hides it."""
    run({"test_block.py": _BLOCKED}).assert_outcomes(passed=16)


def test_a_project_that_does_not_use_bedtape_is_left_alone(run: Run) -> None:
    """Installing bedtape changes nothing: a call without credentials fails as
    it does without bedtape.
    """
    code = """
    from botocore.exceptions import NoCredentialsError

    def test_no_credentials(monkeypatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(NoCredentialsError):
            ask(client(), "hi")
    """
    unmarked = _PASSED.partition("    @pytest.mark.real_bedrock")[0]
    run({"test_block.py": unmarked + code}).assert_outcomes(passed=3)


@pytest.mark.parametrize("by", ["settings", "fixture", "mark"])
def test_refusing_acts_where_bedtape_is_used(run: Run, pytester: pytest.Pytester, by: str) -> None:
    code = (
        _CLIENTS
        + """
    from bedtape_replayer.plugin.blocking import RealBedrockBlocked

    def test_blocked():
        with pytest.raises(RealBedrockBlocked):
            ask(client(), "hi")
    """
    )
    if by == "settings":
        (pytester.path / "bedtape.toml").write_text("[pytest]\nstrict = true\n")
    others = {
        "settings": "",
        "fixture": _USES,
        "mark": "@pytest.mark.real_bedrock\ndef test_real(): pass",
    }
    result = run({"test_block.py": code, "test_other.py": others[by]})
    result.assert_outcomes(passed=2 if by == "fixture" else 1, skipped=1 if by == "mark" else 0)


def test_refusing_can_be_turned_off(run: Run) -> None:
    run({"test_block.py": _PASSED}, "-o", "bedtape_block=false").assert_outcomes(
        passed=2, skipped=1
    )


def test_an_open_gate_lets_calls_out_and_runs_what_is_marked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_REAL_BEDROCK_TESTS", "1")
    run({"test_block.py": _PASSED}).assert_outcomes(passed=3)


def test_recording_is_refused_where_the_gate_is_shut(run: Run) -> None:
    result = run({"test_any.py": "def test_any(bedrock): pass"}, "--bedtape=once")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "set RUN_REAL_BEDROCK_TESTS=1 to allow it" in result.stderr.str()


# -- with others -----------------------------------------------------------------------------------


def test_async_tests_of_pytest_asyncio(run: Run) -> None:
    code = """
        import asyncio

        @pytest.mark.asyncio
        async def test_two_at_once(bedrock):
            bedrock.respond(lambda call: call.prompt.last)
            said = await asyncio.gather(*(asyncio.to_thread(ask, kept(), text) for text in ("a", "b")))
            assert said == ["a", "b"]
            bedrock.assert_called(times=2)

        @pytest.mark.asyncio
        async def test_a_miss_is_told(bedrock):
            with pytest.raises(Exception):
                await asyncio.to_thread(ask, kept(), "nobody")
    """
    result = run({"test_it.py": code}, "-p", "pytest_asyncio.plugin")
    result.assert_outcomes(passed=1, failed=1)
    assert "No recording answers" in _said(result)


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_in_any_order_of_pytest_randomly(run: Run, seed: str) -> None:
    code = """
        @pytest.mark.parametrize("n", range(8))
        def test_each(bedrock, n):
            bedrock.respond(text=str(n), times=1)
            assert ask(kept(), "x") == str(n)
            bedrock.assert_called(times=1)
    """
    result = run(
        {"test_a.py": code, "test_b.py": code}, "-p", "pytest_randomly", f"--randomly-seed={seed}"
    )
    result.assert_outcomes(passed=16)


@pytest.mark.slow
def test_workers_of_xdist_have_servers_of_their_own_and_counts_add_up(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write(pytester.path, "shared", *(converse(str(n), f"said {n}") for n in range(9)))
    code = """
        @pytest.mark.bedrock("shared")
        @pytest.mark.parametrize("n", range(8))
        def test_it(bedrock, n):
            assert ask(bedrock.client(), str(n)) == f"said {n}"
            bedrock.assert_called(times=1)
        """
    result = run({"test_spread.py": code}, "-p", "xdist.plugin", "-n", "2")
    result.assert_outcomes(passed=8)
    assert "bedtape: 8 played, 0 recorded, 0 missed, 1 never played" in _said(result)


def test_a_failed_assertion_shows_the_tests_own_line_and_none_of_ours(run: Run) -> None:
    code = """
        def test_it(bedrock):
            bedrock.respond("hi", text="there")
            assert ask(bedrock.client(), "hi") == "there"
            bedrock.assert_called("hello")

        def test_layers(bedrock):
            bedrock.fail("ThrottlingException", times=0)
        """
    result = run({"test_shown.py": code}, "--tb=short")
    result.assert_outcomes(failed=2)
    assert 'bedrock.assert_called("hello")' in _said(result)
    assert "Nearest: call 1" in _said(result)
    assert "times: expected a number from 1, found 0" in _said(result)
    assert not [line for line in result.outlines if re.search(r"bedtape_replayer/\S+\.py:\d", line)]


# -- recording -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_missing_cassettes_are_recorded_and_then_played(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a stand-in for AWS that checks signatures: `once`, then without it, then `new`."""
    if RECORDER is None:
        pytest.skip(
            "no recorder is installed: `make test` makes .venv-record with bedtape[record] in it"
        )
    code = """
        early = boto3.client("bedrock-runtime", region_name="us-east-1")

        def test_one(bedrock):
            assert ask(bedrock.client(region_name="us-east-1"), "one") == "real one"
            assert ask(early, "kept") == "real kept"
            bedrock.assert_called(times=2)

        def test_two(bedrock):
            assert ask(early, "two") == "real two"
            assert ask(boto3.client("bedrock-runtime", region_name="us-east-1"), "two more") == "real two more"

        def test_ruled(bedrock):
            bedrock.respond(text="by a rule")
            assert ask(bedrock.client(region_name="us-east-1"), "three") == "by a rule"
            assert ask(early, "three") == "by a rule"

        def test_there(bedrock):
            assert ask(early, "there") == "recorded before"
        """
    _write(pytester.path, "test_record/test_there", converse("there", "recorded before"))
    folder = pytester.path / "cassettes"
    texts = ("one", "kept", "two", "two more", "added")
    with Upstream([_real(text) for text in texts]) as upstream:
        for name, value in environment(upstream, pytester.path).items():
            monkeypatch.setenv(name, value)
        command = shlex.join([str(RECORDER), "record", "--upstream", upstream.url])
        recording = ("-o", f"bedtape_record={command}")
        result = run({"test_record.py": code}, "--bedtape=once", *recording)
        result.assert_outcomes(passed=4)
        assert (
            "bedtape: 1 played, 2 from rules and faults, 4 recorded, 0 missed, 0 never played"
            in _said(result)
        )
        assert "bedtape: recorded 4 interactions into 2 cassettes" in _said(result)
        assert "Ctrl-C" not in _said(result), "how to end the recorder, which has ended"
        assert not upstream.failures
        names = {file.relative_to(folder).parent.as_posix() for file in folder.rglob("*.yaml")}
        assert names == {"test_record/test_one", "test_record/test_two", "test_record/test_there"}
        played = run({})
        played.assert_outcomes(passed=4)
        assert (
            "bedtape: 5 played, 2 from rules and faults, 0 recorded, 0 missed, 0 never played"
            in _said(played)
        )
        before = len(upstream.requests)
        more = code.replace('"one") == "real one"', '"added") == "real added"')
        new = run({"test_record.py": more}, "--bedtape=new", "-k", "test_one", *recording)
        new.assert_outcomes(passed=1, deselected=3)
        assert len(upstream.requests) == before + 1, "what is held is played"
        assert "1 recorded" in _said(new)


def _real(text: str) -> Answer:
    return Answer(path(), prompt(text), frames=(json.dumps(answer(f"real {text}")).encode(),))


def test_a_recorder_that_cannot_start_says_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_REAL_BEDROCK_TESTS", "1")
    why = shlex.join([sys.executable, "-c", "import sys; sys.exit('no credentials here')"])
    result = run(
        {"test_any.py": "def test_any(bedrock): pass"},
        "--bedtape=all",
        "-o",
        f"bedtape_record={why}",
    )
    result.assert_outcomes(errors=1)
    assert "no credentials here" in _said(result)


# Ends as `bedtape record` does, and says something; it records nothing.
_RECORDER = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]);"
    "print('export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:9', flush=True);"
    "signal.sigwait([signal.SIGTERM]); sys.exit('the disk is full')"
)
_STAND_IN = (
    "--bedtape=all",
    "-o",
    "bedtape_record=" + shlex.join([sys.executable, "-c", _RECORDER]),
)


def test_a_recorder_that_cannot_write_fails_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_REAL_BEDROCK_TESTS", "1")
    result = run({"test_any.py": "def test_any(bedrock): pass"}, *_STAND_IN)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "the disk is full" in _said(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_ends_its_recorder_in_order(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("RUN_REAL_BEDROCK_TESTS", "1")
    code = f"""
        import signal

        def test_any(bedrock):
            assert bedrock.recorded
            bedrock.assert_not_called()
            signal.raise_signal(signal.{name})
            pytest.fail("the signal did not end the run")
        """
    result = run({"test_any.py": code}, *_STAND_IN)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "the disk is full" in _said(result)


# -- changed prompts -------------------------------------------------------------------------------

LOOP = """
    def ask_all(client, word):
        messages = []
        for question in ("first", "second", "third"):
            messages.append({"role": "user", "content": [{"text": f"Be %s. {question}"}]})
            answer = client.converse(modelId="us.amazon.nova-lite-v1:0", messages=messages)
            messages.append(answer["output"]["message"])
        return messages[-1]["content"][0]["text"]

    def test_loop(bedrock):
        assert ask_all(bedrock.client(), "kind") == "three"

    def test_one(bedrock):
        assert ask(bedrock.client(), "Be %s. alone") == "alone"

    def test_other(bedrock):
        assert ask(bedrock.client(), "Be %s. apart") == "apart"
    """


def _write_loop(folder: Path) -> None:
    messages: list[dict[str, object]] = []
    interactions = []
    for question, reply in (("first", "one"), ("second", "two"), ("third", "three")):
        messages.append({"role": "user", "content": [{"text": f"Be kind. {question}"}]})
        interactions.append(
            record_interaction(
                json.dumps({"messages": messages}).encode(), bodies.compact(answer(reply))
            )
        )
        messages.append(answer(reply)["output"]["message"])
    _write(folder, "test_it/test_loop", *interactions)
    _write(folder, "test_it/test_one", converse("Be kind. alone", "alone"))
    _write(folder, "test_it/test_other", converse("Be kind. apart", "apart"))


@pytest.mark.slow
def test_accepting_later_keeps_the_answers_of_the_requests_that_missed(
    run: Run, pytester: pytest.Pytester
) -> None:
    """What was sent is kept without secrets, and the change is shown before it is made."""
    _write_loop(pytester.path)
    root = pytester.path / "cassettes"
    before = {file.relative_to(root): file.read_bytes() for file in root.rglob("*.yaml")}
    code = {"test_it.py": LOOP.replace("%s", "careful with AKIAQWERTYUIOPASDFGH")}
    accept = ["cassette", "accept", "--in", str(root)]
    assert CliRunner().invoke(main.app, accept).exit_code == 2, "nothing has missed"
    run(code, "-k", "one or other").assert_outcomes(failed=2, deselected=1)
    kept = list((root / ".bedtape-misses").rglob("*.yaml"))
    assert len(kept) == 2
    assert not any(b"AKIAQWERTYUIOPASDFGH" in file.read_bytes() for file in kept)
    shown = CliRunner().invoke(main.app, [*accept, "--dry-run"])
    assert "careful" in shown.output
    assert "nothing was changed" in shown.output
    accepted = CliRunner().invoke(main.app, accept)
    assert accepted.exit_code == 0, accepted.output
    assert "accepted in test_it/test_one, test_it/test_other" in accepted.output
    assert not (root / ".bedtape-misses").exists()
    run(code, "-k", "one or other").assert_outcomes(passed=2, deselected=1)
    assert CliRunner().invoke(main.app, ["cassette", "undo", "--in", str(root)]).exit_code == 0
    after = {
        file.relative_to(root): file.read_bytes()
        for file in root.rglob("*.yaml")
        if ".bedtape" not in str(file)
    }
    assert after == before


OTHER_WORDS = """
    def test_loop(bedrock):
        messages = []
        for question in ("Be kind. first please", "Be very kind. second", "Be kind again. third"):
            messages.append({"role": "user", "content": [{"text": question}]})
            answer = bedrock.client().converse(
                modelId="us.amazon.nova-lite-v1:0", messages=messages
            )
            messages.append(answer["output"]["message"])
        assert messages[-1]["content"][0]["text"] == "three"
    """


@pytest.mark.slow
def test_each_turn_may_have_changes_of_its_own(run: Run, pytester: pytest.Pytester) -> None:
    """`--bedtape=accept` takes all of them in one run, `cassette accept` a turn after each run."""
    _write_loop(pytester.path)
    code = {"test_it.py": OTHER_WORDS}
    run(code, "--bedtape=accept").assert_outcomes(passed=1)
    run(code).assert_outcomes(passed=1)
    root = str(pytester.path / "cassettes")
    assert CliRunner().invoke(main.app, ["cassette", "undo", "--in", root]).exit_code == 0
    for _ in range(3):
        run(code).assert_outcomes(failed=1)
        accepted = CliRunner().invoke(main.app, ["cassette", "accept", "--in", root])
        assert accepted.exit_code == 0, accepted.output
    run(code).assert_outcomes(passed=1)


SYSTEM_LOOP = """
    def test_loop(bedrock):
        messages = []
        for question, reply in (("first", "one"), ("second", "two"), ("third", "three")):
            messages.append({"role": "user", "content": [{"text": question}]})
            answer = bedrock.client().converse(
                modelId="us.amazon.nova-lite-v1:0", messages=messages, system=[{"text": "Be %s."}]
            )
            messages.append(answer["output"]["message"])
            assert messages[-1]["content"][0]["text"] == reply
    """


@pytest.mark.slow
def test_accepting_later_changes_all_turns_of_a_conversation(
    run: Run, pytester: pytest.Pytester
) -> None:
    """The first call misses, so that the program does not send the others."""
    messages: list[dict[str, object]] = []
    interactions = []
    for question, reply in (("first", "one"), ("second", "two"), ("third", "three")):
        messages.append({"role": "user", "content": [{"text": question}]})
        body = json.dumps({"messages": messages, "system": [{"text": "Be kind."}]}).encode()
        interactions.append(record_interaction(body, bodies.compact(answer(reply))))
        messages.append(answer(reply)["output"]["message"])
    _write(pytester.path, "test_it/test_loop", *interactions)
    code = {"test_it.py": SYSTEM_LOOP.replace("%s", "careful")}
    run(code).assert_outcomes(failed=1)
    accepted = CliRunner().invoke(
        main.app, ["cassette", "accept", "--in", str(pytester.path / "cassettes")]
    )
    assert accepted.exit_code == 0, accepted.output
    run(code).assert_outcomes(passed=1)


@pytest.mark.slow
def test_requests_that_missed_are_forgotten_when_they_no_longer_miss(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write_loop(pytester.path)
    run({"test_it.py": LOOP.replace("%s", "careful")}).assert_outcomes(failed=3)
    assert (pytester.path / "cassettes" / ".bedtape-misses").exists()
    run({"test_it.py": LOOP.replace("%s", "kind")}).assert_outcomes(passed=3)
    assert not (pytester.path / "cassettes" / ".bedtape-misses").exists()


def test_accept_keeps_the_answers_of_a_changed_prompt_and_undo_restores_it(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write_loop(pytester.path)
    root = pytester.path / "cassettes"
    before = {file.relative_to(root): file.read_bytes() for file in root.rglob("*.yaml")}
    changed = {"test_it.py": LOOP.replace("%s", "careful")}
    missed = run(changed)
    missed.assert_outcomes(failed=3)
    said = _said(missed)
    assert "messages[0].content[0].text `kind` → `careful`" in said
    assert "bedtape: 3 misses, one cause: messages[0].content[0].text `kind` → `careful`" in said
    assert "pytest --last-failed --bedtape=accept" in said
    accepted = run(changed, "--bedtape=accept")
    accepted.assert_outcomes(passed=3)
    assert "accepted: test_it/test_loop/0001-" in _said(accepted)
    run(changed).assert_outcomes(passed=3)
    again = run(changed, "--bedtape=accept")
    again.assert_outcomes(passed=3)
    assert "accepted:" not in _said(again)
    result = CliRunner().invoke(main.app, ["cassette", "undo", "--in", str(root)])
    assert result.exit_code == 0, result.output
    assert {
        file.relative_to(root): file.read_bytes()
        for file in root.rglob("*.yaml")
        if ".bedtape" not in str(file)
    } == before
    assert CliRunner().invoke(main.app, ["cassette", "undo", "--in", str(root)]).exit_code == 2


def test_accept_takes_no_recording_of_another_request(run: Run, pytester: pytest.Pytester) -> None:
    _write(
        pytester.path,
        "test_it/test_it",
        converse("hi", "played"),
        converse("What is the weather?", "unplayed"),
    )
    code = {
        "test_it.py": (
            "def test_it(bedrock):\n    ask(bedrock.client(), 'hi')\n    ask(bedrock.client(), 'hi"
            " there')"
        )
    }
    result = run(code, "--bedtape=accept")
    result.assert_outcomes(failed=1)
    assert "accepted:" not in _said(result)
