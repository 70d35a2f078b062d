"""What pytest prints about a failed test, in whole runs of pytest with boto3 as it comes."""

import re

import pytest

from bedtape_cassettes.model import Cassette
from support import folders
from support.recordings import MODEL, converse
from support.runs import Run, runs

# Most tests start processes.
pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs(pytester, monkeypatch)


def _section(result: pytest.RunResult, test: str) -> str:
    """Return the report of one failed test."""
    after = re.split(rf"^_+ {test} _+$", result.stdout.str(), maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(r"^(?:_+ \w+ _+|bedtape: .*|=+ .* =+)$", after, maxsplit=1, flags=re.MULTILINE)[
        0
    ]


def test_a_failed_test_shows_its_calls_and_what_never_acted(
    run: Run, pytester: pytest.Pytester
) -> None:
    folders.write(
        pytester.path / "cassettes",
        Cassette("test_it/test_own_assertion", (converse("hi", "recorded"),)),
    )
    code = """
        def test_own_assertion(bedrock):
            bedrock.respond("spam", "yes")
            bedrock.respond("refund", "no", name="refunds")
            bedrock.fail("ThrottlingException")
            ask(bedrock.client(), "is this spam?")
            ask(bedrock.client(), "hi")
            assert len(bedrock.calls) == 9, bedrock

        def test_passes(bedrock):
            bedrock.respond("refund", "no")
            bedrock.respond(text="yes")
            ask(bedrock.client(), "is this spam?")

        @pytest.mark.bedrock(unused="ignore")
        def test_ignores(bedrock):
            bedrock.respond("refund", "no")

        def test_asserts(bedrock):
            bedrock.respond("refund", "no")
            bedrock.fault(latency={"first_byte_ms": 1})
            bedrock.assert_all_used()
        """
    result = run({"test_it.py": code}, "-p", "no:randomly")
    result.assert_outcomes(failed=2, passed=2)
    failed = _section(result, "test_own_assertion")
    assert (
        "AssertionError: <Bedrock 'test_it/test_own_assertion': 3 calls, 2 rules, 1 fault>"
        in failed
    )
    listed = failed.partition("- bedrock -")[2].splitlines()[1:]
    name = next(line for line in listed if "0001" in line).split()[4]
    assert name.startswith("0001-converse-")
    assert [" ".join(line.split()) for line in listed if line] == [
        "3 calls:",
        (
            f'1 Converse {MODEL} 429 ThrottlingException fault-1 "is this spam?" → "Too many'
            ' requests, please wait before t…"'
        ),
        f'2 Converse {MODEL}, attempt 2 200 rule-1 "is this spam?" → "yes"',
        f'3 Converse {MODEL} 200 {name} "hi" → "recorded"',
        'never acted: refunds (prompt_contains="refund")',
    ]
    asserts = _section(result, "test_asserts")
    assert "Expected every rule and fault to act, found 2 that never acted." in asserts
    assert 'rule-1 (prompt_contains="refund")' in asserts
    assert "fault-1 (latency={'first_byte_ms': 1})" in asserts
    assert (
        '  never acted: test_it.py::test_passes: rule-1 (prompt_contains="refund")'
        in result.outlines
    )
    assert "test_ignores" not in result.stdout.str()


def test_a_miss_is_printed_once_and_advises_what_the_test_can_do(run: Run) -> None:
    """A test with rules is not recorded, so its report does not advise a recording.

    The SDK's frames are not shown.
    """
    code = """
        def test_raised(bedrock):
            bedrock.respond("refund", "no", times=1)
            ask(bedrock.client(), "the order again")

        def test_swallowed(bedrock):
            bedrock.respond("refund", "no", times=1)
            with pytest.raises(Exception):
                ask(bedrock.client(), "the order again")

        def test_no_rules(bedrock):
            ask(bedrock.client(), "the order again")
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=3)
    reason = 'rule-1: prompt_contains expected "refund", found "the order again"'
    for test in ("test_raised", "test_swallowed"):
        failed = _section(result, test)
        assert failed.count(reason) == 1
        assert "bedrock: 1 call was answered by nothing." in failed
        assert (
            "Correct the rule that should answer, or add one with bedrock.respond(...)." in failed
        )
        assert "Record it" not in failed
        assert "_make_api_call" not in failed
    failed = _section(result, "test_no_rules")
    assert (
        "Record it: RUN_REAL_BEDROCK_TESTS=1 pytest --bedtape=once 'test_it.py::test_no_rules'"
        in failed
    )
    assert failed.count("No recording answers") == 1


def test_a_rule_that_failed_is_corrected_and_nothing_is_added(run: Run) -> None:
    code = """
        def test_function(bedrock):
            bedrock.respond(lambda call: {}["text"])
            ask(bedrock.client(), "hi")

        def test_script(bedrock):
            bedrock.script([("one", "1"), ("two", "2")])
            ask(bedrock.client(), "one")
            ask(bedrock.client(), "three")

        def test_both(bedrock):
            bedrock.respond(lambda call: {}["text"], prompt_contains="one")
            for text in ("one", "two"):
                with pytest.raises(Exception):
                    ask(bedrock.client(), text)
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=3)
    for test in ("test_function", "test_script"):
        failed = _section(result, test)
        assert "bedrock: 1 call was refused by bedtape, because a rule failed." in failed
        assert "Correct the rule, or the program if it departs from a script." in failed
        assert "add one with" not in failed
    assert "did not end: script-1 (1 of 2 turns came" in _section(result, "test_script")
    assert "never acted" not in _section(result, "test_script")
    both = _section(result, "test_both")
    assert "2 calls were answered by nothing." in both
    assert "add one with bedrock.respond(...)" in both


def test_the_calls_of_a_failed_test_show_what_was_simulated(run: Run) -> None:
    code = """
        def test_it(bedrock):
            bedrock.simulate(limits=True)
            bedrock.respond("hi", text="one two three four")
            asked = [{"role": "user", "content": [{"text": "hi"}]}]
            limits = {"maxTokens": 1}
            bedrock.client().converse(modelId=MODEL, messages=asked, inferenceConfig=limits)
            assert False
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=1)
    assert "(simulated limits: max_tokens cut 5 tokens to 1)" in _section(result, "test_it")


def test_a_layer_that_never_acted_fails_the_test_if_the_settings_say_so(
    run: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "pyproject.toml").write_text('[tool.bedtape.pytest]\nunused = "fail"\n')
    code = """
        def test_it(bedrock):
            bedrock.respond("refund", "no")
            bedrock.respond(text="yes")
            ask(bedrock.client(), "is this spam?")

        @pytest.mark.bedrock(overlay={"bedtape-overlay": 1, "rules": [{"answer": {"text": "for many tests"}}]})
        def test_of_the_mark(bedrock):
            pass

        @pytest.fixture
        def rules(bedrock):
            bedrock.respond("refund", "for many tests")

        def test_of_a_fixture(bedrock, rules):
            pass

        @pytest.mark.bedrock(unused="list")
        def test_listed(bedrock):
            bedrock.respond("refund", "no")
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=1, passed=3)
    assert 'never acted:\n  rule-1 (prompt_contains="refund")\nRemove them' in result.stdout.str()


def test_an_invalid_layer_points_at_the_line_of_the_test(run: Run) -> None:
    code = """
        def test_respond(bedrock):
            bedrock.respond("refund", txt="no")

        def test_fail(bedrock):
            bedrock.fail("ThrottlingException", time=1)

        def test_overlay(bedrock):
            bedrock.overlay({"rules": []})

        def test_remove(bedrock):
            bedrock.remove("absent")
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=4)
    for test in ("test_respond", "test_fail", "test_overlay", "test_remove"):
        shown = re.findall(r"^(\S+\.py):\d+: ", _section(result, test), re.MULTILINE)
        assert shown == ["test_it.py"], test


def test_a_rule_that_raises_and_a_misspelled_keyword(run: Run) -> None:
    code = """
        def test_raises(bedrock):
            bedrock.respond(lambda call: 1 / 0)
            ask(bedrock.client(), "hi")

        def test_respond(bedrock):
            bedrock.respond(promt_contains="hi", text="hello")

        def test_fail(bedrock):
            bedrock.fail("ThrottlingException", probabilty=0.5)
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=3)
    failed = _section(result, "test_raises")
    assert failed.count("its function raised ZeroDivisionError") == 1
    assert "never acted" not in failed
    assert "_make_api_call" not in failed
    assert "found promt_contains; did you mean prompt_contains?" in _section(result, "test_respond")
    assert "found probabilty; did you mean probability?" in _section(result, "test_fail")


def test_calls_show_tools_and_their_results(run: Run) -> None:
    code = """
        def test_tools(bedrock):
            bedrock.respond("hi", tool={"name": "find", "input": {"what": "x"}})
            bedrock.respond(text="yes")
            client = bedrock.client()
            tools = {"tools": [{"toolSpec": {"name": "find", "inputSchema": {"json": {"type": "object"}}}}]}
            messages = [{"role": "user", "content": [{"text": "hi"}]}]
            said = client.converse(modelId="amazon.nova-lite-v1:0", messages=messages, toolConfig=tools)["output"]["message"]
            use = next(block["toolUse"] for block in said["content"] if "toolUse" in block)
            given = {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": "found it"}]}}
            messages += [said, {"role": "user", "content": [given]}]
            client.converse(modelId="amazon.nova-lite-v1:0", messages=messages, toolConfig=tools)
            bedrock.remove("rule-2")
            with pytest.raises(Exception, match="found no text, because the last message has the results of tools"):
                client.converse(modelId="amazon.nova-lite-v1:0", messages=messages, toolConfig=tools)
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=1)  # the last call is a miss
    failed = _section(result, "test_tools")
    assert '"hi" → calls find' in failed
    assert 'result of find "found it" → "yes"' in failed


def test_a_forgotten_fixture_is_named_for_each_client(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that another test has created, and a client without a region
    and without credentials.
    """
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(pytester.path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(pytester.path / "none"))
    code = """
        import boto3
        kept = []

        def test_with(bedrock):
            bedrock.respond(text="yes")
            kept.append(boto3.client("bedrock-runtime"))
            ask(kept[0], "hi")

        def test_kept():
            try:
                ask(kept[0], "hi")
            except Exception:
                pass

        def test_new():
            ask(boto3.client("bedrock-runtime"), "hi")
        """
    result = run({"test_it.py": code}, "-p", "no:randomly")
    result.assert_outcomes(failed=2, passed=1)
    for test, reason in (
        ("test_kept", "a client that another test has created"),
        ("test_new", "found one to bedrock-run"),
    ):
        failed = _section(result, test)
        assert "RealBedrockBlocked: expected" in failed
        assert reason in failed
        assert "use the fixture in the test, `def test_it(bedrock)`" in failed
        assert "_make_api_call" not in failed


def test_a_miss_names_the_cassette_of_another_test(run: Run, pytester: pytest.Pytester) -> None:
    """A test that was renamed misses, although its recording is there."""
    folders.write(
        pytester.path / "cassettes",
        Cassette("test_it/test_old_name", (converse("hi", "recorded"),)),
    )
    code = """
        def test_new_name(bedrock):
            ask(bedrock.client(), "hi")
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=1)
    assert re.search(
        r"cassettes/test_it/test_old_name/0001-\S+ has this request",
        _section(result, "test_new_name"),
    )


def test_a_miss_of_a_changed_prompt_offers_to_keep_the_answer(
    run: Run, pytester: pytest.Pytester
) -> None:
    folders.write(
        pytester.path / "cassettes",
        Cassette("test_it/test_one", (converse("hi there", "recorded"),)),
    )
    code = """
        def test_one(bedrock):
            assert ask(bedrock.client(), "hi again there") == "recorded"
        """
    result = run({"test_it.py": code})
    command = "pytest --bedtape=accept 'test_it.py::test_one'"
    assert f"or keep the recorded answer: {command}" in _section(result, "test_one")
    run({}, "--bedtape=accept").assert_outcomes(passed=1)
    run({}).assert_outcomes(passed=1)


def test_a_test_fails_where_its_program_departs_from_the_script(run: Run) -> None:
    code = """
        SCRIPT = [("weather", "sunny"), ("thanks", "bye")]

        def test_departs(bedrock):
            bedrock.script(SCRIPT)
            ask(bedrock.client(), "weather")
            with pytest.raises(Exception):
                ask(bedrock.client(), "the refund")

        def test_ends_early(bedrock):
            bedrock.script(SCRIPT)
            ask(bedrock.client(), "weather")

        def test_passes(bedrock):
            bedrock.script(SCRIPT)
            assert [ask(bedrock.client(), text) for text in ("weather?", "thanks!")] == ["sunny", "bye"]
        """
    result = run({"test_it.py": code})
    result.assert_outcomes(failed=2, passed=1)
    reason = (
        'departs from the script at turn 2 of 2: prompt_contains expected "thanks", found "the'
        ' refund"'
    )
    assert reason in _section(result, "test_departs")
    early = _section(result, "test_ends_early")
    assert 'script-1 (1 of 2 turns came; the next expects prompt_contains="thanks")' in early
    assert "the program ended before the script" in early
