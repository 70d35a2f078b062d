"""Interactions as documents: read back as they were written, and refused with every
problem, its line and its cure.
"""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format import document, yamlio
from bedtape_cassettes.format.bodies import MAX_LEVELS, read_body
from bedtape_cassettes.format.cassette_schema import CASSETTE
from bedtape_cassettes.model import (
    Body,
    Event,
    Events,
    Headers,
    Interaction,
    JsonValue,
    event_headers,
    exception_headers,
)
from support import interactions as some
from support.examples import examples

quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(200),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

FILE = "weather/0001-converse.yaml"
RIGHT = """\
bedtape: 1
operation: ConverseStream
model: us.amazon.nova-2-lite-v1:0
request:
  method: POST
  path: /model/us.amazon.nova-2-lite-v1%3A0/converse-stream
  headers: {content-type: application/json}
  json:
    messages: []
response:
  status: 200
  after_ms: 312
  headers: {content-type: application/vnd.amazon.eventstream}
  events:
  - {at_ms: 0, type: messageStart, json: {role: assistant}}
  - {at_ms: 74, exception: throttlingException, json: {message: slow}}
"""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(CassetteInvalid) as refused:
        document.read(text.encode(), FILE)
    return refused.value.problems


def but(old: str, new: str) -> str:
    """The right document with one place changed."""
    assert RIGHT.count(old) == 1, old
    return RIGHT.replace(old, new)


# -- the round trip --------------------------------------------------------------------------------


@quick
@given(some.interactions)
def test_what_is_written_is_read_back(interaction: Interaction) -> None:
    data = document.write(interaction)
    assert document.read(data, FILE) == interaction
    assert document.write(document.read(data, FILE)) == data


def test_a_document_is_what_the_design_shows() -> None:
    interaction = document.read(RIGHT.encode(), FILE)
    assert interaction.file == FILE
    assert (interaction.operation, interaction.model) == (
        "ConverseStream",
        "us.amazon.nova-2-lite-v1:0",
    )
    assert interaction.request.body == Body("json", b'{"messages":[]}')
    assert interaction.response.after_ms == 312
    assert isinstance(interaction.response.body, Events)
    assert interaction.response.body.padded
    assert interaction.response.body.events == (
        Event(0, event_headers("messageStart"), b'{"role":"assistant"}', "json"),
        Event(74, exception_headers("throttlingException"), b'{"message":"slow"}', "json"),
    )
    assert document.write(interaction).decode() == RIGHT


def of_events(*events: Event, padded: bool = False) -> Interaction:
    plain = some.small()
    return Interaction(
        None, None, plain.request, type(plain.response)(200, (), Events.of(events, padded=padded))
    )


NASTY_EVENTS = {
    "a line break in a header": Event(0, (("a\nb", "c\r\n\0d"),), b"{}", "json"),
    "no type": Event(0, event_headers(""), b"{}", "json"),
    "no exception": Event(0, exception_headers(""), b"{}", "json"),
    "an empty payload": Event(0, event_headers("a"), b"", "text"),
    "an empty piece of bytes": Event(0, (), b"", "base64"),
    "headers in another order": Event(0, event_headers("a")[::-1], b"{}", "json"),
    "a type that YAML takes for a number": Event(0, event_headers("1.0"), b"1.0", "json"),
    "json that is null": Event(0, event_headers("a"), b"null", "json"),
    "text that is json": Event(0, event_headers("a"), b"{}", "text"),
}


@pytest.mark.parametrize("event", NASTY_EVENTS.values(), ids=NASTY_EVENTS)
def test_nasty_events_are_read_back(event: Event) -> None:
    interaction = of_events(event)
    assert document.read(document.write(interaction), FILE) == interaction


@pytest.mark.parametrize(
    "text", ['"\\ud83d"', "1E-6", '{"a":1,"a":2}', "NaN", "[" * 150 + "]" * 150, "a\r\nb\0"]
)
def test_text_that_is_not_opened_is_read_back(text: str) -> None:
    plain = some.small()
    response = type(plain.response)(200, (), read_body(text.encode()))
    interaction = Interaction(None, None, plain.request, response)
    assert document.read(document.write(interaction), FILE) == interaction


def test_headers_are_a_mapping_where_they_can_be() -> None:
    def shown(headers: Headers, *, exact: bool = False) -> object:
        plain = some.small()
        response = type(plain.response)(200, headers, plain.response.body)
        data = document.write(Interaction(None, None, plain.request, response, exact))
        assert document.read(data, FILE).response.headers == headers
        return yaml.safe_load(data)["response"].get("headers")

    assert shown(()) is None
    assert shown((("b", "1"), ("a", "2"))) == {"b": "1", "a": "2"}
    assert shown((("a", "1"), ("A", "2"))) == [["a", "1"], ["A", "2"]]
    assert shown((("Date", "1"),), exact=True) == [["Date", "1"]]


# -- wrong documents -------------------------------------------------------------------------------

EVENT_1 = "{at_ms: 0, type: messageStart, json: {role: assistant}}"

HEADERS = "{content-type: application/json}"
BODY = "  json:\n    messages: []"
REQUEST = RIGHT[RIGHT.index("request:") : RIGHT.index("response:")]
RESPONSE, EVENTS = RIGHT[RIGHT.index("response:") :], RIGHT[RIGHT.index("  events:") :]

# What is changed into what; the line, what was expected, what was found, what fixes it.
HEADERS = "{content-type: application/json}"
BODY = "  json:\n    messages: []"
REQUEST, RESPONSE, EVENTS = (
    RIGHT[RIGHT.index(start) : RIGHT.index(end) if end else None]
    for start, end in (("request:", "response:"), ("response:", ""), ("  events:", ""))
)

WRONG: dict[str, tuple[str, str, int, str, str, str]] = {
    "an unknown key": (
        "after_ms: 312",
        "aftr_ms: 312",
        12,
        "one of status, after_ms",
        "`aftr_ms`",
        "mean `after_ms`?",
    ),
    "a key nothing like any": (
        "after_ms: 312",
        "zzz: 312",
        12,
        "one of status",
        "the key `zzz`",
        "take it out",
    ),
    "an unknown key at the top": (
        "model:",
        "modle:",
        3,
        "one of bedtape",
        "`modle`",
        "did you mean `model`?",
    ),
    "an unknown key of an event": (
        EVENT_1,
        "{typ: a, json: 1}",
        15,
        "one of at_ms",
        "`typ`",
        "did you mean `type`?",
    ),
    "no version": ("bedtape: 1\n", "", 1, "`bedtape: 1`", "nothing", "write `bedtape: 1`"),
    "an older version": ("bedtape: 1", "bedtape: 0", 1, "`bedtape: 1`", "0", "write `bedtape: 1`"),
    "a newer version": (
        "bedtape: 1",
        "bedtape: 3",
        1,
        "`bedtape: 1` or 2",
        "version 3",
        "upgrade bedtape",
    ),
    "a version that is no number": (
        "bedtape: 1",
        "bedtape: one",
        1,
        "`bedtape: 1`",
        "'one'",
        "write `bedtape: 1`",
    ),
    "a version that only looks right": (
        "bedtape: 1",
        "bedtape: 1.0",
        1,
        "`bedtape: 1`",
        "1.0",
        "write `bedtape: 1`",
    ),
    "a version that is true": (
        "bedtape: 1",
        "bedtape: true",
        1,
        "`bedtape: 1`",
        "true",
        "write `bedtape: 1`",
    ),
    "another operation": (
        "operation: ConverseStream",
        "operation: Converse",
        2,
        "ConverseStream, as",
        "'Converse'",
        "write",
    ),
    "another model": (
        "model: us.amazon.nova-2-lite-v1:0",
        "model: amazon.nova-2-lite-v1:0",
        3,
        "us.amazon.nova-2-lite-v1:0, as the request's path says",
        "'amazon.nova-2-lite-v1:0'",
        "write `model: us.amazon.nova-2-lite-v1:0` or change the path",
    ),
    "an operation that is a number": (
        "operation: ConverseStream",
        "operation: 1",
        2,
        "text",
        "1",
        "in quotes: '1'",
    ),
    "exact that is text": (
        "request:\n",
        "exact: yes\nrequest:\n",
        4,
        "true or false",
        "'yes'",
        "write true or false",
    ),
    "no method": ("  method: POST\n", "", 4, "the HTTP method", "nothing", "write it"),
    "a method in small letters": (
        "method: POST",
        "method: post",
        5,
        "in capitals",
        "'post'",
        "write it so",
    ),
    "a method that is a path": (
        "method: POST",
        "method: ../../x",
        5,
        "in capitals",
        "'../../x'",
        "write it so",
    ),
    "a path that is relative": (
        "path: /model",
        "path: model",
        6,
        "a percent-encoded path from /",
        "'model/us",
        "as sent",
    ),
    "a path with a blank": (
        "path: /model",
        "path: /a b",
        6,
        "a percent-encoded path from /",
        "'/a b",
        "as sent",
    ),
    "a path of other letters": (
        "path: /model",
        "path: /é",
        6,
        "a percent-encoded path from /",
        "'/é",
        "as sent",
    ),
    "headers that are text": (
        "headers: {content-type: application/json}",
        "headers: none",
        7,
        "a mapping, or a list of [name, value]",
        "'none'",
        "write {name: value}",
    ),
    "a header that is a number": (
        HEADERS,
        "{content-length: 12}",
        7,
        "text for header content-length",
        "12",
        "write it in quotes: '12'",
    ),
    "a header that is true": (HEADERS, "{a: true}", 7, "text for header a", "true", "'true'"),
    "a header that is null": (HEADERS, "{a: null}", 7, "text for header a", "null", "'null'"),
    "a header that is a list": (HEADERS, "{a: [b]}", 7, "text for header a", "a list", "write"),
    "a header that is no pair": (HEADERS, "[[a, b], [c]]", 7, "a pair", "a list", "brackets"),
    "a header with a blank in its name": (
        HEADERS,
        "{a b: c}",
        7,
        "a header that HTTP can carry",
        "'a b': 'c'",
        "as sent",
    ),
    "a header on two lines": (
        HEADERS,
        '{a: "b\\r\\nset-cookie: c"}',
        7,
        "on one line",
        "'a': 'b\\r\\nset-cookie: c'",
        "as sent",
    ),
    "two bodies": (BODY, "  json: 1\n  text: a", 9, "exactly one of", "json and text", "keep one"),
    "a body and events": (
        "  after_ms: 312",
        "  json: {}",
        12,
        "exactly one of events, json",
        "events and json",
        "keep one",
    ),
    "text that is a number": (BODY, "  text: 12", 8, "text", "12", "write it in quotes: '12'"),
    "bad base64": (BODY, "  base64: ab!d", 8, "base64", "text that is not", "write the bytes"),
    "json that is too deep": (
        BODY,
        "  json: " + "[" * (MAX_LEVELS + 1) + "]" * (MAX_LEVELS + 1),
        8,
        f"at most {MAX_LEVELS} levels",
        "a deeper one",
        "keep it as `text`",
    ),
    "no request": (REQUEST, "", 1, "request to be", "nothing", "write method"),
    "no response": (RESPONSE, "", 1, "response to be a mapping", "nothing", "write status"),
    "a request that is a list": (REQUEST, "request: []\n", 4, "mapping", "a list", "write"),
    "no status": (
        "  status: 200\n",
        "",
        10,
        "a whole number from 200 to 599",
        "nothing",
        "write such a number",
    ),
    "a status of text": (
        "status: 200",
        "status: '200'",
        11,
        "a whole number from 200 to 599",
        "'200'",
        "write such",
    ),
    "too small a status": (
        "status: 200",
        "status: 199",
        11,
        "from 200 to 599",
        "199",
        "write such",
    ),
    "too large a status": (
        "status: 200",
        "status: 600",
        11,
        "from 200 to 599",
        "600",
        "write such",
    ),
    "a status that is true": (
        "status: 200",
        "status: true",
        11,
        "from 200 to 599",
        "true",
        "write such",
    ),
    "a negative time": (
        "after_ms: 312",
        "after_ms: -1",
        12,
        "a whole number from 0",
        "-1",
        "write such",
    ),
    "more than a day": (
        "after_ms: 312",
        "after_ms: 86400001",
        12,
        "to 86400000",
        "86400001",
        "write such",
    ),
    "a time of an event": (
        "at_ms: 0",
        "at_ms: 0.5",
        15,
        "a whole number from 0 to 86400000",
        "0.5",
        "write such",
    ),
    "padding that is a number": (
        "after_ms: 312",
        "padding: 1",
        12,
        "true or false",
        "1",
        "write true or false",
    ),
    "no events": (EVENTS, "  events: []\n", 14, "a list of events", "a list", "at least one"),
    "events that are null": (
        EVENTS,
        "  events: null\n",
        14,
        "a list of events",
        "null",
        "at least",
    ),
    "an event that is text": (
        EVENT_1,
        "hello",
        15,
        "response.events.0 to be a mapping",
        "'hello'",
        "write at_ms",
    ),
    "an event without payload": (
        EVENT_1,
        "{type: a}",
        15,
        "exactly one of json, bytes, data, text",
        "none",
        "keep one",
    ),
    "an event with two payloads": (
        EVENT_1,
        "{type: a, json: 1, text: b}",
        15,
        "exactly one of",
        "json and text",
        "keep one",
    ),
    "an event of two kinds": (
        EVENT_1,
        "{type: a, exception: b, json: 1}",
        15,
        "exactly one of",
        "type and exception",
        "keep",
    ),
    "an event without a name": (
        EVENT_1,
        "{type: '', json: 1}",
        15,
        "the event's name",
        "''",
        "write it",
    ),
    "an event's header twice": (
        EVENT_1,
        "{headers: [[a, b], [a, c]], json: 1}",
        15,
        "an event that fits into a frame",
        "'a' stands twice",
        "fix or shorten it",
    ),
    "an event's header too long": (
        EVENT_1,
        "{headers: {a: " + "b" * 32768 + "}, json: 1}",
        15,
        "an event that fits into a frame",
        "32768 bytes is too long",
        "fix or shorten it",
    ),
    "an event's header without name": (
        EVENT_1,
        "{headers: {'': b}, json: 1}",
        15,
        "an event that fits",
        "1 to 255",
        "fix",
    ),
}


# What the JSON Schema of cassettes cannot express.
BEYOND_SCHEMA = {
    "a version that only looks right",  # 1.0
    "another operation",
    "another model",
    "json that is too deep",
    "an event's header twice",
}


@pytest.mark.parametrize("name", WRONG)
def test_the_schema_refuses_wrong_documents(name: str) -> None:
    schema = Draft202012Validator(CASSETTE)
    old, new, *_ = WRONG[name]
    assert schema.is_valid(yamlio.load(RIGHT.encode(), FILE))
    assert schema.is_valid(yamlio.load(but(old, new).encode(), FILE)) is (name in BEYOND_SCHEMA)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected", "found", "fix"), WRONG.values(), ids=WRONG
)
def test_wrong_documents(
    old: str, new: str, line: int, expected: str, found: str, fix: str
) -> None:
    told = problems(but(old, new))
    first = next((problem for problem in told if expected in problem.expected), None)
    assert first is not None, told
    assert first.file == FILE
    assert first.line == line
    assert found in first.found
    assert fix in first.fix
    assert str(first).startswith(f"{FILE}:{line}: expected ")


def test_a_document_that_is_no_mapping() -> None:
    (problem,) = problems("- a\n- b\n")
    assert (problem.line, problem.expected, problem.found) == (
        1,
        "the file to be a mapping",
        "a list",
    )
    assert "is this a cassette?" in problem.fix


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines() -> None:
    text = RIGHT
    for old, new in (
        ("bedtape: 1", "bedtape: 0"),
        ("operation: ConverseStream", "operation: Converse"),
        ("method: POST", "method: POST\n  text: 7"),
        ("status: 200", "status: 20"),
        ("at_ms: 0", "at_ms: x"),
        ("after_ms: 312", "partial: 3"),
        ("at_ms: 74", "at: 74"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    assert [problem.line for problem in problems(text)] == [1, 2, 6, 12, 13, 16, 17]


def test_a_wrong_method_or_path_is_not_told_again_as_a_wrong_operation() -> None:
    assert [problem.line for problem in problems(but("method: POST", "method: post"))] == [5]
    assert [problem.line for problem in problems(but("path: /", "path: "))] == [6]


def test_a_newer_files_other_keys_are_not_judged() -> None:
    (problem,) = problems("bedtape: 7\nsession: {}\nrequest: 1\n")
    assert problem.found == "version 7"


def test_a_problem_of_the_dialect_is_told_as_one() -> None:
    told = problems("bedtape: 1\nrequest: &a {}\nresponse: *a\n")
    assert [problem.line for problem in told] == [2, 3]


def test_messages_stay_short_and_few() -> None:
    keys = "".join(f"{'k' * 500}{n}: 1\n" for n in range(500))
    told = problems(RIGHT + keys)
    assert len(told) == document.MAX_PROBLEMS
    assert max(len(str(problem)) for problem in told) < 300


# -- whatever else a file may hold -----------------------------------------------------------------

_KEYS = ["bedtape", "operation", "model", "exact", "partial", "request", "response"]
_MORE = (
    "method path headers json text base64 status after_ms padding events at_ms type exception bytes"
    " data"
)
_PARTS = st.recursive(
    st.one_of(
        some.json_values, st.sampled_from([1, "POST", "/model/a/converse", 200, "", "e30=", True])
    ),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(_MORE.split()), inner, max_size=5),
        st.lists(inner, max_size=3),
    ),
    max_leaves=10,
)
_DOCUMENTS = st.builds(
    lambda value, right: {**right, **value},
    st.dictionaries(st.sampled_from(_KEYS), _PARTS, max_size=4),
    st.sampled_from([{}, yaml.safe_load(RIGHT)]),
)


@quick
@given(_DOCUMENTS)
def test_any_value_is_an_interaction_or_is_refused(value: dict[str, JsonValue]) -> None:
    try:
        interaction = document.read(yamlio.dump(value), FILE)
    except CassetteInvalid as error:
        told = error.problems
    else:
        assert document.read(document.write(interaction), FILE) == interaction
        return
    assert told
