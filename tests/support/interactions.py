"""Hypothesis strategies for interactions: likely ones, as a recorder makes
them, and unlikely ones.
"""

import json
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.eventstream import Frame, HeaderType, HeaderValue, encode_all
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import (
    EMPTY,
    LONGEST_MS,
    Body,
    Event,
    Events,
    Headers,
    Interaction,
    JsonValue,
    Request,
    Response,
    event_headers,
    exception_headers,
)
from bedtape_cassettes.operations import identify

# Characters and words that some reader of JSON, YAML, HTTP or UTF-8 stumbles over.
_NASTY = st.sampled_from([*"\n\t\0\x7f\x85\ufeff\u2028é漢😀'\"\\{", "\r\n", ": ", " #", "- "])
texts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.lists(_NASTY, max_size=5).map("".join),
    st.sampled_from(
        [
            "true",
            "no",
            "null",
            "~",
            "1",
            "1.0",
            "0x1F",
            "12:30",
            "2024-01-01",
            "<<",
            "*a",
            "&a",
            "!a",
            "p",
        ]
    ),
)
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1e-05, 0.0, -0.0, 1.0, 1e16, 1e22]),
    texts,
)
json_values: st.SearchStrategy[JsonValue] = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
json_objects: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(
    texts, json_values, max_size=4
)

# JSON as Bedrock spells it, as Python does, and as neither does.
json_bytes = st.one_of(
    json_values.map(bodies.compact),
    json_values.map(lambda value: json.dumps(value).encode()),
    json_values.map(lambda value: json.dumps(value, indent=1).encode()),
    st.sampled_from(
        [
            b"1E-6",
            b"[1.50]",
            b'"\\ud83d"',
            b'{"a":1,"a":2}',
            b"NaN",
            b"-0",
            b'{"a":"\\/"}',
            b"[" * 300,
        ]
    ),
)
body_bytes = st.one_of(st.just(b""), json_bytes, texts.map(str.encode), st.binary(max_size=20))

_TOKENS = st.text("abcXYZ019-_.!#$%&'*+^`|~", min_size=1, max_size=12)
_VALUES = texts.filter(lambda text: not set(text) & set("\r\n\0"))
headers: st.SearchStrategy[Headers] = st.lists(st.tuples(_TOKENS, _VALUES), max_size=3).map(tuple)

_MODELS = [
    "amazon.nova-lite-v1%3A0",
    "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx",
    "a/b.c",
]
paths = st.one_of(
    st.builds(
        "/model/{}/{}".format,
        st.sampled_from(_MODELS),
        st.sampled_from(
            ["converse", "converse-stream", "invoke", "invoke-with-response-stream", "count-tokens"]
        ),
    ),
    st.sampled_from(
        [
            "/",
            "/foundation-models?byProvider=a",
            "/v1/responses",
            "//x///",
            "/guardrail/a/version/1/apply",
        ]
    ),
)
times = st.integers(0, LONGEST_MS)

_frame_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
frame_headers: st.SearchStrategy[Headers] = st.one_of(
    st.sampled_from(["messageStart", "chunk", "yes"]).map(event_headers),
    st.sampled_from(["throttlingException", "null"]).map(exception_headers),
    st.lists(
        st.tuples(_frame_names, texts), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
    ).map(tuple),
)
payloads = st.one_of(
    json_objects.map(bodies.compact),
    json_values.map(bodies.seal_chunk),
    body_bytes,
    st.just(b'{"bytes":"bm90IEpTT04="}'),
)


def encode_frames(rows: list[tuple[Headers, bytes]]) -> bytes:
    """Frames with string headers, as a body."""
    return encode_all(
        Frame(
            tuple((name, HeaderValue(HeaderType.STRING, value)) for name, value in headers), payload
        )
        for headers, payload in rows
    )


stream_bytes = st.lists(st.tuples(frame_headers, payloads), min_size=1, max_size=4).map(
    encode_frames
)


def _pad_all(seed: int, rows: list[tuple[str, dict[str, JsonValue]]]) -> bytes:
    return encode_frames(
        [
            (event_headers(name), bodies.pad(bodies.compact(value), Random(seed + number)))
            for number, (name, value) in enumerate(rows)
        ]
    )


_UNPADDED = json_objects.filter(lambda value: "p" not in value)
_event_rows = st.lists(
    st.tuples(st.sampled_from(["messageStart", "chunk"]), _UNPADDED), min_size=1, max_size=4
)
padded_stream_bytes = st.builds(_pad_all, st.integers(0, 9), _event_rows)
sse_bytes = st.one_of(
    st.lists(json_values.map(bodies.seal_data), min_size=1, max_size=3).map(b"".join),
    st.lists(
        st.sampled_from(["data: ", "\n\n", "\n", "event: a", "{}", "é", "\r\n\r\n", "[DONE]"])
    ).map(lambda parts: "".join(parts).encode()),
)

recorded: st.SearchStrategy[Interaction] = st.builds(
    build_interaction,
    method=st.sampled_from(["POST", "GET"]),
    path=paths,
    request_headers=headers,
    request_body=body_bytes,
    status=st.sampled_from([200, 400, 429, 503]),
    response_headers=st.builds(
        lambda kind, more: (("Content-Type", kind), *more),
        st.sampled_from(
            [
                "application/json",
                bodies.EVENT_STREAM,
                bodies.SERVER_SENT,
                "text/plain; charset=utf-8",
            ]
        ),
        headers,
    ),
    response_body=st.one_of(body_bytes, stream_bytes, padded_stream_bytes, sse_bytes),
    exact=st.booleans(),
    after_ms=times,
    at_ms=st.lists(times, max_size=4),
)


def _plain(data: bytes, as_text: bool) -> Body:
    body = bodies.read_body(data)
    return Body("text", data) if as_text and body.form == "json" else body


plain_bodies = st.one_of(st.just(EMPTY), st.builds(_plain, body_bytes, st.booleans()))


def _event(at_ms: int, headers: Headers, payload: bytes) -> Event:
    return Event(at_ms, headers, payload, bodies.choose_form(payload, framed=bool(headers)))


framed_events = st.lists(st.builds(_event, times, frame_headers, payloads), min_size=1, max_size=4)
bare_events = st.lists(st.builds(_event, times, st.just(()), body_bytes), min_size=1, max_size=4)


@st.composite
def handmade_interactions(draw: st.DrawFn) -> Interaction:
    """An interaction put together by hand: all that a cassette can say, likely or not."""
    exact = draw(st.booleans())
    method, path = draw(st.sampled_from(["POST", "GET", "DELETE"])), draw(paths)
    padded = not exact and draw(st.booleans())
    body = draw(
        st.one_of(
            plain_bodies,
            framed_events.map(lambda events: Events.of(events, padded=padded)),
            framed_events.map(
                lambda events: Events.of(
                    [replace(event, bare=True) for event in events], padded=padded
                )
            ),
            bare_events.map(lambda events: Events.of(events, padded=False)),
        )
    )
    target = identify(method, path)
    return Interaction(
        draw(st.sampled_from([None, target.name])),
        draw(st.sampled_from([None, target.model])),
        Request(method, path, draw(headers), draw(plain_bodies)),
        Response(draw(st.integers(200, 599)), draw(headers), body, draw(times)),
        exact,
        draw(st.booleans()),
    )


interactions: st.SearchStrategy[Interaction] = st.one_of(recorded, handmade_interactions())


def small(
    path: str = "/model/amazon.nova-lite-v1%3A0/converse", text: str = "Hello", answer: str = "Hi"
) -> Interaction:
    """One plain exchange."""
    return build_interaction(
        method="POST",
        path=path,
        request_headers=(("Content-Type", "application/json"),),
        request_body=bodies.compact({"messages": [{"role": "user", "content": [{"text": text}]}]}),
        status=200,
        response_headers=(("Content-Type", "application/json"),),
        response_body=bodies.compact(
            {"output": {"message": {"role": "assistant", "content": [{"text": answer}]}}}
        ),
    )
