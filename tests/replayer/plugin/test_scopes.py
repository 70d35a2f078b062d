"""Fixtures of wider scope, and calls outside the test that should answer them,
in whole runs of pytest.
"""

import re
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette
from support import folders
from support.recordings import converse
from support.runs import Run, runs

# Most tests start processes.
pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs(pytester, monkeypatch)


def _write(folder: Path, name: str, said: str) -> None:
    folders.write(folder / "cassettes", Cassette(name, (converse("hi", said),)))


_EVERY_SCOPE = """
    @pytest.fixture(scope="module")
    def client(bedrock_module):
        return boto3.client("bedrock-runtime")

    def test_module(client, bedrock_module):
        assert ask(client, "hi") == ask(bedrock_module.client(), "hi") == "of the module"
        assert len(bedrock_module.calls) == 2

    def test_own_session_comes_first(client, bedrock, bedrock_module):
        bedrock.respond(text="of the test")
        assert ask(client, "hi") == "of the test"
        assert ask(bedrock_module.client(), "hi") == "of the module"
        assert (len(bedrock.calls), len(bedrock_module.calls)) == (1, 3)

    def test_module_again(client, bedrock_module):
        assert ask(client, "hi") == "of the module"
        assert len(bedrock_module.calls) == 4

    def test_run(bedrock_session, bedrock_module):
        assert ask(bedrock_session.client(), "hi") == "of the run"
        assert ask(boto3.client("bedrock-runtime"), "hi") == "of the module"
    """


def test_sessions_of_each_scope_have_their_own_cassette_and_calls(
    run: Run, pytester: pytest.Pytester
) -> None:
    _write(pytester.path, "test_a/bedrock_module", "of the module")
    _write(pytester.path, "bedrock_session", "of the run")
    other = """
        def test_run_is_open(bedrock_session):
            assert ask(boto3.client("bedrock-runtime"), "hi") == "of the run"
            assert len(bedrock_session.calls) == 2

        def test_environment_is_that_of_the_innermost(bedrock_session, bedrock, monkeypatch):
            assert bedrock.url != bedrock_session.url
            bedrock.respond(text="of the test")
            assert ask(boto3.client("bedrock-runtime"), "hi") == "of the test"
        """
    last = """
        BEFORE = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

        def pytest_unconfigure():
            now = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
            assert now == BEFORE
        """
    result = run({"test_a.py": _EVERY_SCOPE, "test_b.py": other, "conftest.py": last})
    result.assert_outcomes(passed=6)
    assert result.ret == 0
    assert (
        "bedtape: 7 played, 2 from rules and faults, 0 recorded, 0 missed, 0 never played"
        in result.stdout.str()
    )


def test_a_session_that_begins_after_that_of_its_test_is_around_it(
    run: Run, pytester: pytest.Pytester
) -> None:
    """The session of a test begins before all fixtures, and ends after all of them."""
    code = """
        @pytest.fixture(scope="module", autouse=True)
        def rules(bedrock_module):
            bedrock_module.respond(text="of the module")

        def test_both(bedrock):
            bedrock.respond(text="of the test")
            assert ask(boto3.client("bedrock-runtime"), "hi") == "of the test"

        def test_module():
            assert ask(boto3.client("bedrock-runtime"), "hi") == "of the module"
        """
    ending = """
        def test_ends(bedrock, bedrock_module):
            bedrock.respond(text="of the test")
            bedrock_module.respond(text="of the module")
            assert ask(boto3.client("bedrock-runtime"), "hi") == "of the test"
            assert ask(bedrock_module.client(), "hi") == "of the module"
        """
    after = """
        def test_environment():
            assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" not in os.environ
        """
    run(
        {"test_a.py": code, "test_b.py": ending, "test_c.py": after}, "-p", "no:randomly"
    ).assert_outcomes(passed=4)


def test_a_failed_test_shows_its_own_calls_of_a_shared_session(
    run: Run, pytester: pytest.Pytester
) -> None:
    code = """
        @pytest.fixture(scope="module", autouse=True)
        def rules(bedrock_module):
            bedrock_module.respond("spam", "yes")
            bedrock_module.respond("refund", "no")

        def test_first():
            ask(boto3.client("bedrock-runtime"), "spam of the first")

        def test_assertion():
            ask(boto3.client("bedrock-runtime"), "spam of the second")
            assert False

        def test_swallowed():
            with pytest.raises(Exception):
                ask(boto3.client("bedrock-runtime"), "unknown")

        def test_last():
            ask(boto3.client("bedrock-runtime"), "spam of the last")
        """
    result = run({"test_it.py": code}, "-p", "no:randomly")
    result.assert_outcomes(failed=2, passed=2)
    text = result.stdout.str()
    listed = re.split("-+ bedrock_module -+", text)[1]
    assert "1 call:" in listed
    assert "spam of the second" in listed
    assert "spam of the first" not in listed
    assert "bedrock_module: 1 call was answered by nothing." in text
    assert text.count('rule-1: prompt_contains expected "spam", found "unknown"') == 1
    assert "add one with bedrock_module.respond(...)" in text
    assert '  never acted: test_it.py: rule-2 (prompt_contains="refund")' in text


def test_unused_layers_fail_the_end_of_the_scope(run: Run, pytester: pytest.Pytester) -> None:
    code = """
        pytestmark = pytest.mark.bedrock(unused="fail")

        def test_it(bedrock_module):
            bedrock_module.respond("refund", "no")
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*bedrock_module: rules and faults that never acted:"])


def test_a_factory_makes_sessions_for_any_scope(run: Run, pytester: pytest.Pytester) -> None:
    _write(pytester.path, "checkout", "recorded")
    _write(pytester.path / "deep", "checkout", "deep")
    code = """
        @pytest.fixture(scope="class")
        def checkout(bedrock_factory):
            with bedrock_factory("checkout", strict=True) as bedrock:
                yield bedrock

        class TestCheckout:
            def test_first(self, checkout):
                assert ask(boto3.client("bedrock-runtime"), "hi") == "recorded"

            def test_strict(self, checkout):
                assert len(checkout.calls) == 1
                with pytest.raises(Exception, match="No recording is left"):
                    ask(checkout.client(), "hi")

        def test_two(bedrock_factory):
            with bedrock_factory("checkout") as one, bedrock_factory("checkout", folder="deep") as two:
                assert one.name != two.name
                assert (ask(one.client(), "hi"), ask(two.client(), "hi")) == ("recorded", "deep")

        def test_misses_in_a_closed_session(bedrock_factory):
            with bedrock_factory("checkout") as bedrock, pytest.raises(Exception):
                ask(bedrock.client(), "unknown")

        def test_invalid(bedrock_factory):
            with bedrock_factory("checkout", stirct=True):
                pass
        """
    result = run({"test_it.py": code}, "-p", "no:randomly")
    result.assert_outcomes(passed=2, failed=3)
    text = result.stdout.str()
    assert "bedrock_factory: 1 call was answered by nothing." in text
    assert re.search("-+ bedrock_factory -+", text)
    assert text.count("found 'stirct' (strict?): bedrock_factory(\"name\", ") == 1


def test_each_worker_has_its_own_sessions(run: Run, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    code = """
        @pytest.mark.parametrize("number", range(8))
        def test_it(bedrock_session, bedrock_module, number):
            bedrock_session.respond(f"run {number}", "of the run")
            bedrock_module.respond(f"module {number}", "of the module")
            assert ask(bedrock_session.client(), f"run {number}") == "of the run"
            assert ask(bedrock_module.client(), f"module {number}") == "of the module"
            assert number != 5
        """
    report = pytester.path / "report.html"
    result = run(
        {"test_it.py": code}, "-p", "xdist.plugin", "-n", "2", f"--bedtape-report={report}"
    )
    result.assert_outcomes(passed=7, failed=1)
    assert "16 from rules and faults" in result.stdout.str()
    assert "module 5" in report.read_text()
    assert "test_it.py (bedrock_module, test_it/bedrock_module)" in report.read_text()


# -- calls outside the test ------------------------------------------------------------------------


def test_a_blocked_call_in_a_thread_fails_the_test(run: Run) -> None:
    code = """
        import threading
        from concurrent.futures import ThreadPoolExecutor

        def call():
            client = boto3.client("bedrock-runtime", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))
            ask(client, "hi")

        def test_thread():
            thread = threading.Thread(target=call, name="mailer")
            thread.start()
            thread.join()

        def test_pool():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(call)

        def test_raised():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(call).result()

        def test_expected():
            with ThreadPoolExecutor(1) as pool, pytest.raises(BaseException, match="RealBedrockBlocked|expected no call"):
                pool.submit(call).result()

        def test_after():
            pass

        def test_bedrock(bedrock):
            pass
        """
    result = run(
        {"test_it.py": code},
        "-p",
        "no:randomly",
        "-W",
        "ignore::pytest.PytestUnhandledThreadExceptionWarning",
    )
    result.assert_outcomes(passed=3, failed=3)
    text = result.stdout.str()
    assert (
        "RealBedrockBlocked in the thread mailer: expected no call to real Amazon Bedrock" in text
    )
    assert "use the fixture in the test, `def test_it(bedrock)`" in text


def test_a_test_outside_the_main_thread_may_expect_a_blocked_call(
    run: Run, pytester: pytest.Pytester
) -> None:
    """Some runners call pytest.main in a thread."""
    code = """
        def test_expected():
            with pytest.raises(BaseException, match="expected no call"):
                ask(kept(), "hi")

        def test_bedrock(bedrock):
            pass
        """
    in_thread = """
import threading, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if threading.current_thread() is threading.main_thread():
        thread = threading.Thread(target=lambda: codes.append(pytest.main([*config.invocation_params.args])))
        codes = []
        thread.start()
        thread.join()
        return codes[0]
"""
    (pytester.path / "in_thread.py").write_text(in_thread)
    run({"test_it.py": code}, "-p", "no:randomly", "-p", "in_thread").assert_outcomes(passed=2)


def test_a_miss_of_a_client_of_another_test_names_the_fixture(run: Run) -> None:
    code = """
        import urllib.request
        kept = []

        def call(url):
            body = b'{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}'
            request = urllib.request.Request(f"{url}/model/m/converse", body, {"content-type": "application/json"})
            try:
                return urllib.request.urlopen(request).read().decode()
            except urllib.error.HTTPError as error:
                return error.read().decode()

        def test_with(bedrock):
            bedrock.respond(text="yes")
            kept.append(bedrock.url)
            kept.append(os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"])
            assert "yes" in call(kept[0])
            assert "yes" in call(kept[1])

        def test_forgotten():
            assert "Use the fixture in this test" in call(kept[1])

        def test_forgotten_and_raised():
            assert call(kept[1]) == ""

        def test_other(bedrock):
            bedrock.respond(text="no")
            assert "no" in call(kept[1])
            assert "The session 'test_it/test_with' is of a test that has ended" in call(kept[0])

        def test_after():
            pass
        """
    result = run({"test_it.py": code}, "-p", "no:randomly")
    result.assert_outcomes(passed=2, failed=3)
    text = result.stdout.str()
    assert (
        "Use the fixture in this test, `def test_it(bedrock)`, and create the client in the test."
        in text
    )
    assert "errors" not in text.splitlines()[-1]


def test_an_empty_test_waits_for_the_server_three_times(run: Run) -> None:
    conftest = """
        import pytest
        from bedtape_replayer.server.thread import Replayer

        waits = []
        run = Replayer.run

        def count(self, function):
            waits.append(function)
            return run(self, function)

        Replayer.run = count

        @pytest.fixture(scope="session")
        def counted():
            return waits
    """
    tests = """
        def test_first(counted, bedrock): counted.clear()
        def test_empty(bedrock): pass
        def test_third(counted): assert len(counted) == 5  # two are of the first test
    """
    result = run({"conftest.py": conftest, "test_it.py": tests}, "-p", "no:randomly")
    result.assert_outcomes(passed=3)
