"""Merges an interaction with its earlier recording, so that a review shows what
changed and nothing else.

Two recordings of one request differ in times, latencies, padding and signatures, which no test
expects. If nothing else differs, the earlier recording stays. Otherwise, what is equal keeps its
times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

import orjson

from bedtape_cassettes.format import bodies
from bedtape_cassettes.matching.key import DEFAULT, MatchRules, canonicalize_request
from bedtape_cassettes.matching.normalise import VOLATILE_RESPONSE_HEADERS, keep_request_headers
from bedtape_cassettes.matching.signatures import SIGNED, drop_signatures
from bedtape_cassettes.matching.stable_values import ID_PATTERN
from bedtape_cassettes.model import LONGEST_MS, Body, Event, Events, Headers, Interaction, Request

_LATENCIES = "latencyMs|invocationLatency|firstByteLatency|totalTimeMs"
_TIMINGS = re.compile(rb'("(?:%b)"\s*:\s*)\d+(?:\.\d+)?' % _LATENCIES.encode())
_LATENCY_HEADER = "x-amzn-bedrock-invocation-latency"
# An exact recording keeps these headers. Other recordings keep the last.
_VOLATILE_HEADERS = VOLATILE_RESPONSE_HEADERS | {_LATENCY_HEADER}
# Answers with this share of equal parts are the same answer with a change, which keeps its times.
_ALIKE = 0.5
_WORD = re.compile(rb"\w+")


def build_pairing_rules(rules: MatchRules) -> MatchRules:
    """Returns the rules that pair new recordings with earlier ones with other forms of ids."""
    return replace(rules, placeholders=(*rules.placeholders, ID_PATTERN))


def is_unchanged(before: Interaction, now: Interaction, rules: MatchRules = DEFAULT) -> bool:
    """Whether two recordings of a request differ in nothing but times, padding,
    signatures and request ids.

    rules: what may differ in their requests.
    """
    one, other = before.response, now.response
    return (
        (before.partial, before.exact, one.status, one.ends)
        == (now.partial, now.exact, other.status, other.ends)
        and _is_same_request(before.request, now.request, rules)
        and _strip_headers(one.headers) == _strip_headers(other.headers)
        and _strip_body(one.body) == _strip_body(other.body)
    )


def _is_same_request(one: Request, other: Request, rules: MatchRules) -> bool:
    return canonicalize_request(one, rules) == canonicalize_request(other, rules) and (
        keep_request_headers(one.headers) == keep_request_headers(other.headers)
    )


def carry_over(before: Interaction, now: Interaction, rules: MatchRules = DEFAULT) -> Interaction:
    """Returns the new recording of a request with the parts of the earlier one that are
    equal, and with its file name.

    A request that differs in what the rules allow stays as it was. A stream's events keep their
    times where they are equal. A signature stays if everything before it is equal, because it signs
    what is before it.
    """
    now = replace(now, file=before.file)
    if now.exact or before.exact or before.partial or now.partial:
        return now
    if _is_same_request(before.request, now.request, rules):
        now = replace(now, request=before.request)
    old, new = before.response, now.response
    if old.status != new.status or not _is_alike(old.body, new.body):
        return now
    body = new.body
    if isinstance(body, Body):
        body = _carry_timings(old.body, body)
    elif isinstance(old.body, Events):
        body = Events.of(list(_carry_events(old.body.events, body.events)), padded=body.padded)
    headers = _carry_headers(old.headers, new.headers)
    return replace(now, response=replace(new, headers=headers, after_ms=old.after_ms, body=body))


def _strip_headers(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in _VOLATILE_HEADERS)


def _carry_headers(before: Headers, now: Headers) -> Headers:
    old = dict(before)
    return tuple(
        (name, old.get(name, value) if name == _LATENCY_HEADER else value) for name, value in now
    )


# -- bodies ----------------------------------------------------------------------------------------


def _strip_body(body: Body | Events) -> object:
    if isinstance(body, Body):
        return _strip(body.form, body.data)
    return tuple(_strip_event(event) for event in body.events)


def _strip_event(event: Event) -> object:
    payload, _ = bodies.unpad(event.payload)
    if event.form == "bytes" and payload == event.payload:
        payload = bodies.compact(bodies.open_chunk(payload))
    return event.headers, _strip(event.form, payload)


def _strip(form: str, data: bytes) -> bytes:
    """Returns a text without signatures and timings."""
    if SIGNED.search(data):
        begin, end = (b"data: ", b"\n\n") if form == "data" else (b"", b"")
        try:
            value = orjson.loads(data.removeprefix(begin).removesuffix(end))
        except orjson.JSONDecodeError:
            pass
        else:
            drop_signatures(value)
            data = orjson.dumps(value)
    return _TIMINGS.sub(rb"\g<1>0", data)


def _is_alike(before: Body | Events, now: Body | Events) -> bool:
    if isinstance(before, Body) and isinstance(now, Body):
        one, other = (set(_WORD.findall(body.data)) for body in (before, now))
    elif isinstance(before, Events) and isinstance(now, Events):
        one, other = (
            {repr(_strip_event(event)).encode() for event in body.events} for body in (before, now)
        )
    else:
        return False
    return len(one & other) >= _ALIKE * max(len(one), len(other))


def _carry_timings(before: Body | Events, now: Body) -> Body:
    if not isinstance(before, Body):
        return now
    old = [match[0] for match in _TIMINGS.finditer(before.data)]
    if len(old) != len(_TIMINGS.findall(now.data)):
        return now
    replacements = iter(old)
    return Body(now.form, _TIMINGS.sub(lambda _: next(replacements), now.data))


def _carry_events(before: Sequence[Event], now: Sequence[Event]) -> Iterator[Event]:
    """Yields the events of `now`.

    Equal events are those of `before`; the others get times between their neighbours.
    """
    matcher = SequenceMatcher(
        None, [*map(_strip_event, before)], [*map(_strip_event, now)], autojunk=False
    )
    unchanged = True  # whether all events so far are equal
    time = 0
    for tag, start, end, first, last in matcher.get_opcodes():
        unchanged = unchanged and tag == "equal"
        next_time = before[end].at_ms if end < len(before) else LONGEST_MS
        for number, event in enumerate(now[first:last]):
            old = before[start + number] if tag == "equal" or end - start == last - first else None
            if tag == "equal" and old is not None:
                event = (
                    old
                    if unchanged or not SIGNED.search(_open_text(event))
                    else replace(event, at_ms=old.at_ms)
                )
            else:
                at_ms = event.at_ms if old is None else old.at_ms
                event = replace(event, at_ms=max(time, min(at_ms, next_time)))
            time = event.at_ms
            yield event


def _open_text(event: Event) -> bytes:
    return (
        bodies.compact(bodies.open_chunk(event.payload)) if event.form == "bytes" else event.payload
    )
