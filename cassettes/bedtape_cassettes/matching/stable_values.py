"""Gives ids and times of answers forms that do not differ when the same
requests are recorded again.

An id gets a form that is derived from its request's match key. The same form replaces it in later
requests and answers that contain it, so that a client that receives the form sends a request that
was recorded. Recordings that keep every byte (`exact`) keep their ids and times.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import shake_128

from bedtape_cassettes.matching.key import DEFAULT, MatchRules, compute_request_key
from bedtape_cassettes.model import Body, Cassette, Event, Events, Request, Response
from bedtape_cassettes.operations import Target, identify
from bedtape_cassettes.redaction.leaves import Edit
from bedtape_cassettes.redaction.walk import edit_events
from bedtape_cassettes.text import format_uuid

_UUID_TEXT = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID = _UUID_TEXT.encode()
_PREFIXES = (
    rb"tooluse_|toolu_(?:bdrk_)?|srvtoolu_(?:bdrk_)?|msg_(?:bdrk_)?|req_(?:bdrk_)?|container_"
    rb"|chatcmpl-(?:tool-)?|cmpl-|call_|resp_|rs_|fc_|ws_|mcp_|cmp_"
)
# What APIs call ids: a prefix and a random part, a UUID in a member for ids, a tool call of
# Mistral's models, or the last part of an ARN of a job. The group `id` is the text to replace, and
# `fixed` is its constant beginning.
_IDS = re.compile(
    rb'"(?P<id>(?P<fixed>%b)[A-Za-z0-9_-]{8,})"'
    rb'|"(?:id|generation_id|response_id|traceId|sessionId)":"(?P<uuid>%b)'
    rb'|"id":"(?P<call>[A-Za-z0-9]{9,24})"(?=,"function":\{|,"type":"function")'
    rb'|:(?:async-invoke|model-invocation-job)/(?P<job>[a-z0-9]{12})"' % (_PREFIXES, _UUID)
)
# A text that can be an id. It is compared as a whole. An id of a trace begins with a UUID.
_TOKEN = re.compile(rb"%b|[A-Za-z0-9_-]{9,}" % _UUID)
_TEXT_TOKEN = re.compile(rf"{_UUID_TEXT}|[A-Za-z0-9_-]{{9,}}")
_UUID_TOKEN = re.compile(_UUID)
_ALPHABETS = (
    (re.compile(rb"[0-9a-f-]+"), b"0123456789abcdef"),
    (re.compile(rb"[0-9a-z-]+"), b"abcdefghijklmnopqrstuvwxyz234567"),
)
_ANY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

# Times in answers of OpenAI's APIs, which have this member, and of agents and jobs.
_OBJECT = b'"object":"'
_SECONDS = re.compile(rb'("(?:created|created_at|completed_at|expires_at)":)[0-9]{10}(?=[.,}])')
_DATES = re.compile(
    rb'("(?:eventTime|startTime|endTime|submitTime|lastModifiedTime)":")[0-9]{4}-[0-9T:.-]+(?=[Z+])'
)
_STABLE_SECONDS, _STABLE_DATE = rb"\g<1>1767225600", rb"\g<1>2026-01-01T00:00:00"

# A pattern for the ids in requests, to compare requests whose ids have other forms.
ID_PATTERN = re.compile(rf"(?:{_PREFIXES.decode()})[A-Za-z0-9_-]{{8,}}")


def stabilise(cassette: Cassette, rules: MatchRules = DEFAULT) -> Cassette:
    """Returns the recorded cassette with stable ids and times. rules: the rules
    that it is matched with.

    The interactions are in the order of their requests.
    """
    stable = _StableIds()
    seen: Counter[bytes] = Counter()
    changed = []
    for interaction in cassette.interactions:
        if interaction.exact:
            changed.append(interaction)
            continue
        request = stable.replace_in_request(interaction.request)
        key = compute_request_key(request, rules)
        stable.learn(request, interaction.response, b"%b/%d" % (key, seen[key]))
        seen[key] += 1
        response = stable.replace_in_response(
            interaction.response, identify(request.method, request.path)
        )
        if request.events is not None:  # the client sends back ids of this answer
            request = stable.replace_in_request(request)
        changed.append(replace(interaction, request=request, response=response))
    return Cassette(cassette.name, tuple(changed))


class _StableIds:
    """The stable forms of the ids in the answers of one recording."""

    def __init__(self) -> None:
        self._forms: dict[bytes, bytes] = {}

    def learn(self, request: Request, response: Response, seed: bytes) -> None:
        """Gives a form to each id that the answer contains and its request does not.

        The client of a conversation sends an id back after the event with the id.
        """
        sent: dict[bytes, int] | None = None
        number = 0
        for at_ms, text in _list_texts(response.body):
            for match in _IDS.finditer(text):
                original = next(filter(None, map(match.group, ("id", "uuid", "call", "job"))))
                if original in self._forms:
                    continue
                if sent is None:
                    sent = _list_sent(request)
                if sent.get(original, at_ms + 1) > at_ms:
                    self._forms[original] = _make_form(
                        original, match["fixed"] or b"", b"%b/%d" % (seed, number)
                    )
                    number += 1

    def replace_in_request(self, request: Request) -> Request:
        """Returns the same object if the request contains no id of an earlier answer."""
        if not self._forms:
            return request
        data, path = self._replace(request.body.data), request.path.encode()
        # a percent-encoded path is not a sequence of tokens
        for original, form in self._forms.items():
            path = path.replace(original, form)
        body = request.body if data is request.body.data else Body(request.body.form, data)
        events = request.events and _map_texts(request.events, self._replace)
        if (body, events) == (request.body, request.events) and path == request.path.encode():
            return request
        assert not isinstance(events, Body)
        return replace(request, path=path.decode(), body=body, events=events)

    def replace_in_response(self, response: Response, target: Target) -> Response:
        """Returns the response with stable ids and times."""
        timed = target.model is None and target.dialect == "aws"

        def settle(text: bytes) -> bytes:
            text = self._replace(text)
            if _OBJECT in text:
                text = _SECONDS.sub(_STABLE_SECONDS, text)
            return _DATES.sub(_STABLE_DATE, text) if timed else text

        body = _map_texts(response.body, settle)
        if isinstance(body, Events) and self._forms:
            body = edit_events(body, self._find_tokens)  # a model cuts an id in two
        return replace(response, body=body)

    def _find_tokens(self, text: str) -> list[Edit]:
        return [
            Edit(*token.span(), form.decode())
            for token in _TEXT_TOKEN.finditer(text)
            if (form := self._forms.get(token[0].encode())) is not None
        ]

    def _replace(self, text: bytes) -> bytes:
        if not self._forms:
            return text
        changed = _TOKEN.sub(lambda token: self._forms.get(token[0], token[0]), text)
        return text if changed == text else changed


def _make_form(original: bytes, fixed: bytes, seed: bytes) -> bytes:
    """Returns an id of the same length and alphabet."""
    rest = original[len(fixed) :]
    digest = shake_128(seed).digest(max(16, len(rest)))
    if _UUID_TOKEN.fullmatch(rest):
        return fixed + format_uuid(digest[:16]).encode()
    alphabet = next((letters for pattern, letters in _ALPHABETS if pattern.fullmatch(rest)), _ANY)
    return fixed + bytes(alphabet[byte % len(alphabet)] for byte in digest[: len(rest)])


# -- the texts of a body ---------------------------------------------------------------------------

# How `bodies.seal_chunk` wraps JSON.
_BEGIN, _END = b'{"bytes":"', b'"}'


def _open(form: str, data: bytes) -> bytes:
    return b64decode(data[len(_BEGIN) : -len(_END)]) if form == "bytes" else data


def _list_texts(body: Body | Events) -> Iterator[tuple[int, bytes]]:
    """Yields the texts, with the milliseconds of each."""
    parts = (
        [(0, body.form, body.data)]
        if isinstance(body, Body)
        else [(e.at_ms, e.form, e.payload) for e in body.events]
    )
    return ((at_ms, _open(form, data)) for at_ms, form, data in parts if form != "base64")


def _list_sent(request: Request) -> dict[bytes, int]:
    """Returns what can be an id in a request, with the milliseconds at which it was sent first."""
    tokens = [*_TOKEN.findall(request.body.data), *_TOKEN.findall(request.path.encode())]
    sent = dict.fromkeys(tokens, 0)
    for at_ms, text in _list_texts(request.events) if request.events else ():
        for token in _TOKEN.findall(text):
            sent.setdefault(token, at_ms)
    return sent


def _map_texts(body: Body | Events, change: Callable[[bytes], bytes]) -> Body | Events:
    """Returns the body with changed texts. A change keeps the spelling of JSON, and so the form."""
    if isinstance(body, Body):
        return body if body.form == "base64" else Body(body.form, change(body.data))
    events = [_map_event(event, change) for event in body.events]
    return Events.of(events, padded=body.padded) if tuple(events) != body.events else body


def _map_event(event: Event, change: Callable[[bytes], bytes]) -> Event:
    if event.form == "base64":
        return event
    text = _open(event.form, event.payload)
    changed = change(text)
    if changed == text:
        return event
    return replace(
        event, payload=_BEGIN + b64encode(changed) + _END if event.form == "bytes" else changed
    )
