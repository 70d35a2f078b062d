"""The match key: equal for what Bedrock cannot tell apart, different for what it
can, and never an exception.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.format import bodies
from bedtape_cassettes.matching import key as key_module
from bedtape_cassettes.matching.key import (
    ANSWER_HEADERS,
    DEFAULT,
    Canonical,
    MatchRules,
    answer_headers,
    canonical,
    canonicalize_request,
    compute_key,
    compute_request_key,
)
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import Headers, JsonValue, Request
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction import scrub as scrub_module
from bedtape_cassettes.redaction.kinds import SECRETS
from bedtape_cassettes.redaction.scrub import scrub, scrub_path
from bedtape_cassettes.redaction.walk import scrub_interaction
from support import interactions as some
from support import secret_places
from support.examples import examples

quick = settings(derandomize=True, deadline=None, max_examples=examples(150))

PATH = "/model/us.amazon.nova-2-lite-v1%3A0/converse"
BODY = b'{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"temperature":1,"topP":0.5}}'
ARN = "arn:aws:bedrock:us-east-1:999988887777:inference-profile/x"


def key(
    body: bytes | str = BODY,
    path: str = PATH,
    headers: dict[str, str] | None = None,
    rules: MatchRules = DEFAULT,
    method: str = "POST",
) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return compute_key(
        method, identify(method, path), answer_headers((headers or {}).get), data, rules
    )


def about(
    body: bytes,
    path: str = PATH,
    headers: dict[str, str] | None = None,
    rules: MatchRules = DEFAULT,
) -> Canonical:
    return canonical(
        "POST", identify("POST", path), answer_headers((headers or {}).get), body, rules
    )


def facts(one: Canonical) -> object:
    """The canonical request with its types, which Python's equality leaves out (True == 1)."""
    return (one.operation, one.model, one.path, one.headers, repr(one.body))


# -- equal -----------------------------------------------------------------------------------------

SAME_BODIES = {
    "the order of keys": ('{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}'),
    "spacing": ('{"a":[1,2]}', ' { "a" :\n[ 1 , 2 ] } '),
    "1 and 1.0": ('{"a":[1,{"b":-3}]}', '{"a":[1.0,{"b":-3.0}]}'),
    "0 and -0": ('{"a":0}', '{"a":-0.0}'),
    "spellings of a number": ('{"a":0.00001}', '{"a":1E-5}'),
    "a large number": ('{"a":100000}', '{"a":1e5}'),
    "escapes": ('{"a":"é/😀\\n"}', '{"a":"\\u00e9\\/\\ud83d\\ude00\\u000a"}'),
    "anthropic_version": ('{"a":1}', '{"a":1,"anthropic_version":"bedrock-2023-05-31"}'),
    "account ids in ARNs": (
        f'{{"a":"{ARN}"}}',
        f'{{"a":"{ARN.replace("999988887777", "111122223333")}"}}',
    ),
    "access key ids": ('{"a":"AKIAQQQQQQQQQQQQQQQQ"}', '{"a":"ASIA1111111111111111"}'),
}


@pytest.mark.parametrize(("one", "other"), SAME_BODIES.values(), ids=SAME_BODIES)
def test_bodies_that_mean_the_same(one: str, other: str) -> None:
    assert key(one) == key(other)
    assert facts(about(one.encode())) == facts(about(other.encode()))


SAME_PATHS = {
    "an encoded colon": (PATH, PATH.replace("%3A", ":")),
    "small letters in an escape": (PATH, PATH.replace("%3A", "%3a")),
    "doubled slashes": (PATH, PATH.replace("/", "//")),
    "a prefix of the endpoint": (PATH, "/s/test-1" + PATH),
    "a slash at the end": (PATH, PATH + "/"),
    "an empty query": (PATH, PATH + "?"),
    "the order of a query": (PATH + "?a=1&b=2", PATH + "?b=2&a=1"),
    "an ARN, encoded and raw": (
        f"/model/{ARN}/converse",
        f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse",
    ),
    "account ids": (
        f"/model/{ARN}/converse",
        f"/model/{ARN.replace('999988887777', '123456789012')}/converse",
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME_PATHS.values(), ids=SAME_PATHS)
def test_paths_that_mean_the_same(one: str, other: str) -> None:
    assert key(path=one) == key(path=other)
    assert facts(about(BODY, one)) == facts(about(BODY, other))


ANY_ACCEPT = [
    "",
    "*/*",
    "application/json",
    "Application/JSON; charset=utf-8",
    "application/vnd.amazon.eventstream",
]
ANY_ACCEPT += [
    "application/json, text/plain, */*",
    "text/event-stream,application/json",
    "*/*;q=0.8",
]


@pytest.mark.parametrize("value", ANY_ACCEPT)
@pytest.mark.parametrize("name", ["accept", "x-amzn-bedrock-accept"])
def test_an_accept_that_asks_for_nothing_in_particular(name: str, value: str) -> None:
    assert key(headers={name: value}) == key()


def test_other_headers_do_not_count() -> None:
    assert (
        key(headers={"user-agent": "x", "content-type": "text/plain", "authorization": "x"})
        == key()
    )


# -- different -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [["true", "1", '"1"', "null", "[]", "{}", '""', "false", "0", "[1]", '{"a":1}', "1.5"]],
)
def test_values_of_different_types(values: list[str]) -> None:
    bodies_ = [f'{{"a":{value}}}' for value in values] + ["{}", "[]", "null", "", "text"]
    assert len({key(body) for body in bodies_}) == len(bodies_)


DIFFERENT_BODIES = {
    "text": ('{"a":"Hi"}', '{"a":"hi"}'),
    "blanks in text": ('{"a":"Hi"}', '{"a":"Hi "}'),
    "the order of a list": ("[1,2]", "[2,1]"),
    "the length of a list": ("[1]", "[1,1]"),
    "a number": ('{"a":0.1}', '{"a":0.2}'),
    "large integers": ('{"a":9007199254740993}', '{"a":9007199254740992}'),
    "a key": ('{"a":1}', '{"b":1}'),
    "unicode forms": ('{"a":"\u00e9"}', '{"a":"e\u0301"}'),
    "anthropic_version deeper": ('{"a":{"anthropic_version":1}}', '{"a":{}}'),
    "where a value stands": ('{"a":{"b":1}}', '{"a":{},"b":1}'),
}


@pytest.mark.parametrize(("one", "other"), DIFFERENT_BODIES.values(), ids=DIFFERENT_BODIES)
def test_bodies_that_mean_something_else(one: str, other: str) -> None:
    assert key(one) != key(other)
    assert facts(about(one.encode())) != facts(about(other.encode()))


@pytest.mark.parametrize(
    "path",
    [
        PATH.replace("us.", "eu."),
        PATH.replace("us.", ""),
        PATH.replace("lite", "pro"),
        PATH + "-stream",
        PATH.replace("converse", "invoke"),
        PATH + "?a=1",
        f"/model/{ARN}/converse",
        "/elsewhere",
    ],
)
def test_addresses_that_mean_something_else(path: str) -> None:
    assert key(path=path) != key()
    assert facts(about(BODY, path)) != facts(about(BODY))


def test_the_method_counts_where_no_operation_is_known() -> None:
    assert key(path="/x", method="PUT") != key(path="/x", method="POST")


@pytest.mark.parametrize("name", ANSWER_HEADERS)
def test_headers_that_change_the_answer(name: str) -> None:
    keys = {key(headers=headers) for headers in ({}, {name: "image/png"}, {name: "DRAFT"})}
    assert len(keys) == 3
    assert facts(about(BODY, headers={name: "DRAFT"})) != facts(about(BODY))


# -- rules -----------------------------------------------------------------------------------------

CACHED = '{"messages":[{"content":[{"text":"a"},{"cachePoint":{"type":"default"}}],"cachePoint":1},{"x":1}]}'


@pytest.mark.parametrize(
    ("ignore", "other"),
    [
        ("messages.*.cachePoint", CACHED.replace(',"cachePoint":1', "")),
        ("$.messages[*].cachePoint", CACHED.replace(',"cachePoint":1', "")),
        ("messages[0].cachePoint", CACHED.replace(',"cachePoint":1', "")),
        ("messages.*.content.*.cachePoint", CACHED.replace('"cachePoint":{"type":"default"}', "")),
        ("messages.*.*.*.cachePoint", CACHED.replace('"cachePoint":{"type":"default"}', "")),
        ("messages.1", CACHED.replace(',{"x":1}', "")),
        ("$.messages[0].content[1]", CACHED.replace(',{"cachePoint":{"type":"default"}}', "")),
        (
            "messages.0.content.*",
            CACHED.replace('{"text":"a"},{"cachePoint":{"type":"default"}}', ""),
        ),
        ("$", CACHED),
        ("messages.9.x", CACHED),
        ("messages.0.text.x", CACHED),
        ("", CACHED),
    ],
)
def test_ignored_paths(ignore: str, other: str) -> None:
    rules = MatchRules(ignore=(ignore,))
    json.loads(other)
    assert key(CACHED, rules=rules) == key(other, rules=rules)
    assert (key(CACHED) == key(other)) == (other == CACHED)


def test_what_is_ignored_is_ignored_only_there() -> None:
    rules = MatchRules(ignore=("messages.*.cachePoint",))
    assert key('{"cachePoint":1}', rules=rules) != key("{}", rules=rules)
    assert key('{"anthropic_version":1}', rules=rules) != key("{}", rules=rules)
    listed = MatchRules(ignore=("$[0].a",))
    assert key('[{"a":1},{"a":1}]', rules=listed) == key('[{},{"a":1}]', rules=listed)


def test_placeholders_make_dates_and_ids_equal_in_text_only() -> None:
    rules = MatchRules(placeholders=(re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"id-\w+")))
    one, other = '{"a":["on 2024-01-02","id-a"],"n":1}', '{"a":["on 2025-11-12","id-b"],"n":1}'
    assert key(one, rules=rules) == key(other, rules=rules)
    assert key(one) != key(other)
    assert key('{"2024-01-02":1}', rules=rules) != key('{"2025-11-12":1}', rules=rules)


@pytest.mark.parametrize("prefix", ["us", "eu", "apac", "us-gov", "global", "jp", "au", "ca"])
def test_any_profile(prefix: str) -> None:
    rules = MatchRules(any_profile=True)
    one, other = PATH.replace("/us.", f"/{prefix}."), PATH.replace("/us.", "/")
    assert key(path=one, rules=rules) == key(path=other, rules=rules)
    assert key(path=one) != key(path=other)
    assert facts(about(BODY, one, rules=rules)) == facts(about(BODY, other, rules=rules))
    assert about(BODY, one, rules=rules).model == "amazon.nova-2-lite-v1:0"


def test_a_model_that_only_begins_like_a_profile_keeps_its_name() -> None:
    rules = MatchRules(any_profile=True)
    assert key(path="/model/us.model/converse", rules=rules) != key(
        path="/model/model/converse", rules=rules
    )


# -- whatever comes --------------------------------------------------------------------------------

STRANGE = {
    "nothing": b"",
    "text": b"hello",
    "bytes": b"\xff\x00",
    "a huge integer": b'{"a":' + b"9" * 5000 + b"}",
    "a number too large": b'{"a":1e999}',
    "a half": b'{"a":"\\ud83d"}',
    "a half in UTF-8": b'"\xed\xa0\xbd"',
    "a key twice": b'{"a":1,"a":2}',
    "NaN": b'{"a":NaN}',
    "deep": b"[" * 253 + b"1.0" + b"]" * 253,
    "deeper than orjson writes": b"[" * 300 + b"1.0" + b"]" * 300,
    "deeper than Python": b"[" * 1000 + b"1.0" + b"]" * 1000,
    "deeper than orjson reads": b"[" * 100_000 + b"]" * 100_000,
    "a byte order mark": b"\xef\xbb\xbf{}",
    "base64 that is none": b'{"bytes":"AAAAAAAAAAAAAAAAAAAAAAAAA"}',
}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize(
    "rules",
    [
        DEFAULT,
        MatchRules(
            ignore=("a", "*.*.*", "0.0.0.0"), placeholders=(re.compile("a"),), any_profile=True
        ),
    ],
)
def test_strange_bodies_have_keys_too(body: bytes, rules: MatchRules) -> None:
    assert key(body, rules=rules) == key(body, rules=rules)
    assert len(key(body, rules=rules)) == 16
    said = about(body, rules=rules).body
    assert bodies.levels(said) <= 254  # whoever reports it walks over it
    bodies.compact(said)


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("exact", [True, False])
def test_strange_bodies_match_their_own_recording(body: bytes, exact: bool) -> None:
    assert compute_request_key(recorded(body, exact=exact)) == key(body)


def recorded(
    body: bytes, path: str = PATH, headers: Headers = (), *, exact: bool = False
) -> Request:
    return build_interaction(
        method="POST",
        path=path,
        request_headers=headers,
        request_body=body,
        status=200,
        response_headers=(),
        response_body=b"",
        exact=exact,
    ).request


SPELLINGS: list[Callable[[JsonValue], bytes]] = [
    bodies.compact,
    lambda value: json.dumps(value).encode(),
    lambda value: json.dumps(value, indent=2, ensure_ascii=False).encode(),
    lambda value: json.dumps(value).replace("/", "\\/").encode(),
]


@quick
@given(
    some.json_values,
    st.sampled_from(SPELLINGS),
    st.booleans(),
    st.sampled_from(["", ARN, "AKIA" + "Q" * 16, "\nBearer " + "a" * 30]),
)
def test_a_request_matches_its_own_recording_however_it_is_spelt(
    value: JsonValue, spell: Callable[[JsonValue], bytes], exact: bool, secret: str
) -> None:
    """The recording was scrubbed, and unless exact, spelt anew; the call is as it comes."""
    body = spell({"a": value, "b": secret})
    request = recorded(body, exact=exact)
    assert compute_request_key(request) == key(body)
    assert facts(canonicalize_request(request)) == facts(about(body))


@quick
@given(some.body_bytes, some.paths)
def test_whatever_was_recorded_matches_itself(body: bytes, path: str) -> None:
    assert (
        compute_request_key(recorded(body, path))
        == compute_request_key(recorded(body, path, exact=True))
        == key(body, path)
    )


_SIMILAR = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, -0.0, 0.5, "", "1", "a", ARN]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)
_OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "anthropic_version"]), _SIMILAR, max_size=2)
_PATHS = st.sampled_from([PATH, PATH.replace("%3A", ":"), "/s/x" + PATH, PATH + "-stream", "/x"])
_HEADERS = st.dictionaries(
    st.sampled_from(["accept", "x-amzn-bedrock-trace"]),
    st.sampled_from(["*/*", "a", "A"]),
    max_size=1,
)


@settings(derandomize=True, deadline=None, max_examples=examples(400))
@given(_OBJECTS, _OBJECTS, _PATHS, _PATHS, _HEADERS, _HEADERS)
def test_keys_are_equal_exactly_where_the_canonical_requests_are(
    one: JsonValue,
    other: JsonValue,
    path: str,
    other_path: str,
    headers: dict[str, str],
    other_headers: dict[str, str],
) -> None:
    first, second = bodies.compact(one), json.dumps(other).encode()
    equal = facts(about(first, path, headers)) == facts(about(second, other_path, other_headers))
    assert (key(first, path, headers) == key(second, other_path, other_headers)) == equal


@quick
@given(_OBJECTS, _OBJECTS)
def test_equal_keys_mean_equal_json(one: JsonValue, other: JsonValue) -> None:
    """Against an independent canonical form: Python's own JSON, less the version,
    1.0 as 1, accounts as one.
    """

    def plain(value: JsonValue) -> JsonValue:
        match value:
            case float() if value.is_integer():
                return int(value)
            case str():
                return value.replace("999988887777", "123456789012")
            case list():
                return [plain(item) for item in value]
            case dict():
                return {name: plain(member) for name, member in value.items()}
        return value

    def form(value: JsonValue) -> str:
        assert isinstance(value, dict)
        return json.dumps(
            plain({k: v for k, v in value.items() if k != "anthropic_version"}), sort_keys=True
        )

    assert (key(bodies.compact(one)) == key(bodies.compact(other))) == (form(one) == form(other))


# -- recorded requests -----------------------------------------------------------------------------


def test_a_recorded_requests_headers_are_looked_up_as_a_calls_are() -> None:
    """Whatever their case; the first of a name counts, as it does on the wire."""
    request = replace(
        recorded(BODY),
        headers=(("X-Amzn-Bedrock-Trace", "ENABLED"), ("x-amzn-bedrock-trace", "DISABLED")),
    )
    assert compute_request_key(request) == key(headers={"x-amzn-bedrock-trace": "ENABLED"})


def test_the_canonical_request_says_what_counts() -> None:
    body = orjson.dumps({"anthropic_version": "x", "arn": ARN, "n": 1.0})
    canonical = about(
        body,
        f"/s/x/model/{ARN}/converse",
        {"accept": "image/png", "x-amzn-bedrock-trace": "ENABLED"},
    )
    clean = ARN.replace("999988887777", "123456789012")
    assert canonical == Canonical(
        "Converse",
        clean,
        f"Converse /model/{clean}/converse",
        (("accept", "image/png"), ("x-amzn-bedrock-trace", "ENABLED")),
        {"arn": clean, "n": 1},
    )


def test_a_body_that_is_not_json_is_told_as_text() -> None:
    assert about(b"hello \xff").body == "hello \\xff"
    assert about(b"").body is None


def test_keys_stay_as_they_are() -> None:
    """File names begin with them: a change renames every file of every cassette."""
    assert key().hex() == "b7240b00b6b41e3897c498840c1b935b"


# -- users' own patterns ---------------------------------------------------------------------------

OWN = MatchRules(
    redact=(re.compile("Zo\u00eb"), re.compile("acme[a-z]*"), re.compile(r"(?<=\"id\": )\d+"))
)


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (PATH, b'{"text":"Zo\\u00eb asks"}', {}),
        (PATH, '{ "text" : "Zo\u00eb asks", "id": 5 }'.encode(), {}),
        (PATH, b'{"messages":[{"bytes":"WmFjbWVzIFpv\\u00eb"}],"b":"acmes"}', {}),
        (PATH, "not JSON: Zo\u00eb".encode(), {}),
        ("/model/arn%3Aaws%3Abedrock%3A%3A1%3Aprofile%2Facme-x/converse", b"{}", {}),
        ("/agents/Zo%C3%AB", b"{}", {}),
        ("/async-invoke?name=acmes&b=1", b"", {}),
        (PATH, b"{}", {"x-amzn-bedrock-guardrailidentifier": "acmes-guard"}),
    ],
)
def test_a_request_hits_what_was_recorded_of_it_without_what_users_take_out(
    path: str, body: bytes, headers: dict[str, str]
) -> None:
    recorded = build_interaction(
        method="POST",
        path=path,
        request_headers=tuple(headers.items()),
        request_body=body,
        status=200,
        response_headers=(),
        response_body=b"",
        redaction=OWN.redaction,
    ).request
    assert "REDACTED" in repr(recorded)
    assert compute_request_key(recorded, OWN) == key(body, path, headers, OWN)
    assert canonicalize_request(recorded, OWN) == about(body, path, headers, OWN)
    assert compute_request_key(recorded) != key(body, path, headers)


@quick
@given(
    some.json_objects,
    st.sampled_from(["[a-z]+", ".+", r"\d", '"[^"]*"', r"\W", "a|b"]),
    st.booleans(),
)
def test_any_pattern_and_any_spelling_hits(
    value: dict[str, JsonValue], pattern: str, spaced: bool
) -> None:
    rules = MatchRules(redact=(re.compile(pattern),))
    body = json.dumps(value, separators=None if spaced else (",", ":")).encode(
        errors="surrogatepass"
    )
    clean = scrub(body, rules.redaction)
    recorded = Request("POST", PATH, (), bodies.read_request_body(clean))
    assert compute_request_key(recorded, rules) == key(body, PATH, rules=rules)


def test_secrets_in_headers_make_no_difference() -> None:
    name = "x-amzn-bedrock-guardrailidentifier"
    assert key(headers={name: ARN}) == key(
        headers={name: ARN.replace("999988887777", "123456789012")}
    )


def test_without_patterns_none_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the hot path of replay: whoever has no patterns pays nothing for them."""

    def paid(*_: object, **__: object) -> None:
        raise AssertionError("looked for patterns where there are none")

    for place, name in (
        (scrub_module, "_redact"),
        (scrub_module, "redact_path"),
        (key_module, "redact_path"),
    ):
        monkeypatch.setattr(place, name, paid)
    headers = {"x-amzn-bedrock-trace": "ENABLED"}
    assert key(headers=headers) == key(BODY.replace(b":", b": "), headers=headers)
    with pytest.raises(AssertionError, match="looked for patterns"):
        key(rules=OWN)


# -- values that differ in every call --------------------------------------------------------------


def test_tokens_that_sdks_invent_are_not_part_of_the_key() -> None:
    jobs, async_invoke = "/model-invocation-job", "/async-invoke"
    for path in (jobs, async_invoke):
        one, other = (
            '{"clientToken":"' + token + '","clientRequestToken":"x","a":1}'
            for token in ("one", "other")
        )
        assert key(one, path) == key(other, path) == key('{"a":1}', path) != key('{"a":2}', path)
    assert key("", "/memories/m?a=1&clientToken=x", method="DELETE") == key(
        "", "/memories/m?a=1", method="DELETE"
    )
    assert key("", "/memories/m?clientToken=x", method="DELETE") == key(
        "", "/memories/m", method="DELETE"
    )
    # A body for a model can have any member.
    invoke = "/model/a/invoke"
    assert key('{"clientToken":"x"}', invoke) != key('{"clientToken":"y"}', invoke)


@pytest.mark.parametrize("pattern", ["[0-9]+", "[a-z]{3}", "[A-Z][A-Za-z0-9]+"])
@pytest.mark.parametrize("kind", [kind.name for kind in SECRETS])
def test_a_pattern_that_matches_a_part_of_a_secret_does_not_prevent_a_match(
    kind: str, pattern: str
) -> None:
    """The recording contains no secret, and the request contains it."""
    rules = MatchRules(placeholders=(re.compile(pattern),))
    for text, _ in secret_places.KINDS[kind]:
        sent = secret_places.with_request(bodies.compact({"a": [text]}))
        recorded = scrub_interaction(sent)
        assert recorded != sent
        assert compute_request_key(sent.request, rules) == compute_request_key(
            recorded.request, rules
        )
        assert canonicalize_request(sent.request, rules) == canonicalize_request(
            recorded.request, rules
        )


def test_a_pattern_that_matches_a_part_of_a_secret_in_a_path_does_not_prevent_a_match() -> None:
    rules = MatchRules(placeholders=(re.compile("[0-9]+"),))
    path = "/evaluation-jobs/arn:aws:bedrock:us-east-1:999988887777:evaluation-job%2Fx"
    assert scrub_path(path) != path
    assert key(path=path, rules=rules, method="GET") == key(
        path=scrub_path(path), rules=rules, method="GET"
    )


def test_a_placeholder_applies_to_a_path_without_a_model() -> None:
    rules = MatchRules(placeholders=(re.compile("[0-9]+"),))
    agent = "/agents/A/agentAliases/B/sessions/%s/text"
    assert (
        key(path=agent % "1", rules=rules)
        == key(path=agent % "22", rules=rules)
        != key(path=agent % "x", rules=rules)
    )
    assert key(path="/model/a-v1/invoke", rules=rules) != key(
        path="/model/a-v2/invoke", rules=rules
    )


SIGNED = {
    "Converse": '{"reasoningContent":{"reasoningText":{"text":"%s","signature":"%s"}}}',
    "Converse, redacted": '{"text":"%s","reasoningContent":{"redactedContent":"%s"}}',
    "Anthropic": '{"type":"thinking","thinking":"%s","signature":"%s"}',
    "Anthropic, redacted": '{"text":"%s","type":"redacted_thinking","data":"%s"}',
    "Responses": '{"type":"reasoning","text":"%s","encrypted_content":"%s"}',
}


@pytest.mark.parametrize("block", SIGNED.values(), ids=SIGNED)
def test_signatures_of_reasoning_are_not_part_of_the_key(block: str) -> None:
    def ask(text: str, signature: str) -> bytes:
        return key('{"messages":[{"content":[%s]}]}' % (block % (text, signature)))

    assert ask("a", "one") == ask("a", "other") != ask("b", "one")


def test_a_tool_that_has_a_signature_keeps_it() -> None:
    body = '{"toolUse":{"input":{"signature":"%s","text":"t"}}}'
    assert key(body % "one") != key(body % "other")
