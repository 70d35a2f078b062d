"""Which recording answers; and what a miss says."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.matching.key import MatchRules, answer_headers, compute_key
from bedtape_cassettes.matching.rules import match_rules
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.match import Index
from support.examples import examples
from support.recordings import converse, path, prompt, record_interaction


def _call(
    body: bytes, url: str | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Call:
    return Call("default", "POST", path() if url is None else url, Head.of(headers), body)


def _index(*interactions: Interaction, rules: MatchRules | None = None) -> Index:
    return Index([Cassette("c", interactions)], rules or MatchRules())


def _answers(index: Index, call: Call) -> bool:
    return bool(index.queue(index.key(call)))


def test_the_same_request_finds_its_recordings_in_recorded_order() -> None:
    index = _index(converse("a", "1"), converse("b", "2"), converse("a", "3"))
    queue = index.queue(index.key(_call(prompt("a"))))
    assert [recording.number for recording in queue] == [0, 1]
    assert [recording.interaction.response.body.data[-60:] for recording in queue] != []  # type: ignore[union-attr]
    assert index.queue(index.key(_call(prompt("c")))) == []


@pytest.mark.parametrize(
    "url",
    [
        "/model/us.amazon.nova-lite-v1%3A0/converse",
        "/model/us.amazon.nova-lite-v1:0/converse",
        "//model/us.amazon.nova-lite-v1%3a0/converse",
        "/some/gateway/model/us.amazon.nova-lite-v1%3A0/converse",
        "/model/us.amazon.nova-lite-v1%3A0/converse?",
    ],
)
def test_spellings_of_a_path_that_clients_use(url: str) -> None:
    assert _answers(_index(converse("a", "1")), _call(prompt("a"), url))


_BODIES = {
    "small": prompt("a"),
    "with a document": json.dumps(
        {"messages": [{"document": {"bytes": "QUJD" * 40_000}}]}
    ).encode(),
    "not JSON": b"\xff{",
    "empty": b"",
}


@pytest.mark.parametrize("body", _BODIES.values(), ids=_BODIES)
def test_a_key_leaves_the_call_as_it_is_and_belongs_to_one_index(body: bytes) -> None:
    by_rules = [
        (rules, _index(rules=rules).key(_call(body)))
        for rules in (MatchRules(), match_rules(["messages"], [], []), match_rules([], ["a"], []))
    ]
    call = _call(body)
    for rules, key in (*by_rules, *reversed(by_rules)):
        index = _index(rules=rules)
        assert index.key(call) == index.key(call) == key
        assert call.body is body


def test_another_model_or_operation_misses() -> None:
    index = _index(converse("a", "1"))
    assert not _answers(index, _call(prompt("a"), path("converse", "amazon.nova-pro-v1:0")))
    assert not _answers(index, _call(prompt("a"), path("converse-stream")))


def test_headers_that_change_the_answer_count_and_others_do_not() -> None:
    index = _index(converse("a", "1"))
    assert _answers(
        index, _call(prompt("a"), headers=((b"user-agent", b"x"), (b"accept", b"application/json")))
    )
    assert not _answers(
        index, _call(prompt("a"), headers=((b"x-amzn-bedrock-guardrailidentifier", b"gr"),))
    )


def _automation(name: str) -> tuple[str, str]:
    return "X-Amz-Target", f"AmazonBedrockKeystoneRuntimeService.{name}"


def test_operations_at_one_path_are_told_apart_by_their_header() -> None:
    """All operations of Data Automation have the path `/`, and equal bodies may be sent to each."""
    names = ["InvokeDataAutomation", "InvokeDataAutomationAsync", "TagResource"]
    recordings = [
        record_interaction(b"{}", b'"%d"' % number, url="/", request_headers=(_automation(name),))
        for number, name in enumerate(names)
    ]
    index = _index(*recordings[:2])
    for number, name in enumerate(names):
        header, value = _automation(name)
        call = _call(b"{}", "/", ((header.encode(), value.encode()),))
        assert [r.interaction for r in index.queue(index.key(call))] == recordings[:2][
            number : number + 1
        ]
    assert "headers.x-amz-target: recorded" in str(index.report_miss(call))


def test_recordings_without_the_header_still_answer() -> None:
    """Recordings of earlier versions lack it. A recording that has it comes first."""
    older = record_interaction(b"{}", b"1", url="/")
    newer = record_interaction(b"{}", b"2", url="/", request_headers=(_automation("TagResource"),))
    index = _index(older, newer)
    for name, expected in (("TagResource", newer), ("UntagResource", older)):
        header, value = _automation(name)
        call = _call(b"{}", "/", ((header.encode(), value.encode()),))
        assert [r.interaction for r in index.queue(index.key(call))] == [expected]


def test_partial_recordings_are_never_played() -> None:
    whole = converse("a", "1")
    partial = Interaction(whole.operation, whole.model, whole.request, whole.response, partial=True)
    index = _index(partial)
    assert not _answers(index, _call(prompt("a")))
    assert index.interactions == ()


def test_the_memo_of_bodies_never_mixes_requests() -> None:
    """Same body, other path or header: keys differ however often they were asked before."""
    index = _index(converse("a", "1"))
    calls = [
        _call(prompt("a")),
        _call(prompt("a"), path("converse", "amazon.nova-pro-v1:0")),
        _call(prompt("a"), headers=((b"x-amzn-bedrock-trace", b"ENABLED"),)),
    ]
    first = [index.key(call) for call in calls]
    assert len(set(first)) == 3
    assert [index.key(call) for call in reversed(calls)] == list(reversed(first))


def test_a_miss_names_the_nearest_recording_and_every_field_that_differs() -> None:
    body = json.loads(prompt("What is the capital of France?")) | {
        "inferenceConfig": {"temperature": 0.5}
    }
    index = _index(
        converse("Sing a song about tape.", "la"),
        record_interaction(json.dumps(body).encode(), b"{}"),
    )
    sent = {
        "messages": body["messages"],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"temperature": 0.7},
    }
    miss = index.report_miss(_call(json.dumps(sent).encode()))
    assert [(d.field, d.recorded, d.sent) for d in miss.nearest[0].differences] == [
        ("inferenceConfig.temperature", "0.5", "0.7"),
        ("system", None, '[{"text":"Be brief."}]'),
    ]
    assert "inferenceConfig.temperature: recorded 0.5, sent 0.7" in str(miss)
    assert "system: not in the recording, sent" in str(miss)


def test_the_nearest_is_the_one_about_the_same_thing() -> None:
    index = _index(
        converse("Are you busy?", "no"),
        converse("In one sentence: why do teams record calls?", "so"),
    )
    miss = index.report_miss(_call(prompt("In one sentence: why do teams guess?")))
    assert "record calls" in str(miss.nearest[0].differences[0].recorded)


def test_long_texts_are_cut_around_the_first_difference() -> None:
    index = _index(converse("x" * 5000 + " cat " + "y" * 5000, "1"))
    (difference,) = (
        index.report_miss(_call(prompt("x" * 5000 + " dog " + "y" * 5000))).nearest[0].differences
    )
    assert difference.recorded is not None
    assert "cat" in difference.recorded
    assert "dog" in str(difference.sent)
    assert len(difference.recorded) < 200


def test_another_model_is_reported_as_the_difference() -> None:
    miss = _index(converse("a", "1")).report_miss(
        _call(prompt("a"), path("converse", "amazon.nova-pro-v1:0"))
    )
    (difference,) = miss.nearest[0].differences
    assert (difference.field, difference.sent) == ("model", '"amazon.nova-pro-v1:0"')


def test_a_difference_inside_a_string_of_json_is_reported_inside_it() -> None:
    def chat(arguments: str) -> bytes:
        call = {
            "id": "c",
            "type": "function",
            "function": {"name": "weather", "arguments": arguments},
        }
        return json.dumps(
            {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
        ).encode()

    url = "/openai/v1/chat/completions"
    index = _index(record_interaction(chat('{"city":"Paris","unit":"C"}'), b"{}", url=url))
    assert _answers(index, _call(chat('{"unit": "C", "city": "Paris"}'), url))
    miss = index.report_miss(_call(chat('{"unit": "C", "city": "Rome"}'), url))
    field = "messages[0].tool_calls[0].function.arguments.city"
    assert [str(difference) for difference in miss.nearest[0].differences] == [
        f'{field}: recorded "Paris", sent "Rome"'
    ]


def test_a_miss_of_an_operation_that_was_never_recorded_says_so() -> None:
    miss = _index(converse("a", "1")).report_miss(_call(b"{}", path("count-tokens")))
    assert miss.nearest == ()
    assert "no recording of this operation" in str(miss)


def test_a_report_never_lists_more_than_can_be_read() -> None:
    many = {f"key{n}": n for n in range(100)}
    index = _index(record_interaction(json.dumps(many).encode(), b"{}"))
    report = str(
        index.report_miss(_call(json.dumps({key: -value for key, value in many.items()}).encode()))
    )
    assert "more differences" in report
    assert len(report.splitlines()) < 40


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"not json", b"[" * 5000, b'{"a":NaN}', b'"\\ud800"', b"null"]
)
def test_any_body_gets_a_key_and_a_report(body: bytes) -> None:
    index = _index(converse("a", "1"))
    assert not _answers(index, _call(body))
    assert str(index.report_miss(_call(body)))


def test_rules_leave_out_what_they_name() -> None:
    rules = MatchRules(ignore=("messages.*.id",))
    one = json.dumps({"messages": [{"id": 1, "text": "a"}]}).encode()
    other = json.dumps({"messages": [{"id": 2, "text": "a"}]}).encode()
    assert _answers(_index(record_interaction(one, b"{}"), rules=rules), _call(other))
    assert not _answers(_index(record_interaction(one, b"{}")), _call(other))


# Secrets of each kind, what stands in their place, and texts with neither.
_TEXTS = st.sampled_from(
    [
        "hello",
        "no",
        "arn:aws:iam::999988887777:role/x",
        "arn:aws:iam::123456789012:role/x",
        "AKIAQWERTYUIOPASDFGH",
        "AKIAIOSFODNN7EXAMPLE",
        "Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c",
    ]
)
_MODELS = st.sampled_from(
    [
        "us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:999988887777:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
    ]
)
_RULES = st.sampled_from(
    [MatchRules(), MatchRules(any_profile=True), MatchRules(ignore=("messages.*.content",))]
)


@settings(derandomize=True, deadline=None, max_examples=examples(200))
@given(st.lists(st.tuples(_TEXTS, _MODELS), max_size=5), _TEXTS, _MODELS, _RULES, st.booleans())
def test_the_key_of_a_call_is_the_slow_one(
    known: list[tuple[str, str]], text: str, model: str, rules: MatchRules, spaced: bool
) -> None:
    """What skips the search for secrets where a recording is the same, against
    what never skips it.
    """
    index = _index(*(converse(said, "1", model=to) for said, to in known), rules=rules)
    body = json.dumps(json.loads(prompt(text)), indent=1 if spaced else None).encode()
    call = _call(body, path("converse", model))
    expected = compute_key(call.method, call.target, answer_headers(call.head.get), body, rules)
    assert [index.key(call), index.key(call)] == [expected, expected]
    if (text, model) in known:
        assert _answers(index, call)
