"""Binds an answer to the values that the request contains in place of recorded ones.

A program makes new ids for each run, and reads them in the answer. With a placeholder, the match
key does not contain them, so the recording has other ids. An agent's session id is bound wherever
it is: in the path, or in a header of AgentCore. Pure: no sockets, no clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bedtape_cassettes.format.bodies import READERS, WRITERS
from bedtape_cassettes.format.json_values import leaves, map_leaves
from bedtape_cassettes.format.patterns import find_spans, replace_all
from bedtape_cassettes.matching.key import PLACEHOLDER, MatchRules, read_compared
from bedtape_cassettes.model import Body, Events, Interaction, JsonValue, Request, is_header
from bedtape_cassettes.operations import identify
from bedtape_cassettes.redaction.leaves import Edit
from bedtape_cassettes.redaction.walk import edit_events
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.reply import Reply

_RUNTIME = b"x-amzn-bedrock-agentcore-runtime-session-id"
# The header of requests that an answer repeats, by operation. A test compares the table
# with botocore's models.
ECHOED = {
    "GetAgentCard": _RUNTIME,
    "InvokeAgentRuntime": _RUNTIME,
    "InvokeAgentRuntimeCommand": _RUNTIME,
    "StopRuntimeSession": _RUNTIME,
    "InvokeBrowser": b"x-amzn-browser-session-id",
    "InvokeCodeInterpreter": b"x-amzn-code-interpreter-session-id",
}
# A shorter id may be a part of other text.
_SHORTEST = 8
_LITERAL = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')


def bind(interaction: Interaction, call: Call, rules: MatchRules) -> Interaction:
    """Returns the interaction with the call's values in place of the recorded values.

    The values are the agent's session id and the matches of placeholders. They are replaced in
    response headers and, if they have eight characters or more, as words in the texts of JSON. A
    recorded value stays if it stands for several values of the call, or also for itself. Returns
    the same object if no value differs.
    """
    if interaction.exact:
        return interaction
    pairs = dict(_pair_matches(interaction.request, call, rules)) if rules.placeholders else {}
    sent = call.target.agent_session
    if sent is not None:
        recorded = identify(interaction.request.method, interaction.request.path).agent_session
        if recorded is not None and recorded != sent:
            pairs[recorded] = sent
    if not pairs:
        return interaction
    response = interaction.response
    headers = tuple((name, _bind_header(name, value, pairs)) for name, value in response.headers)
    texts = {old: new for old, new in pairs.items() if len(old) >= _SHORTEST}
    body = _replace_in_body(response.body, texts) if texts else response.body
    return replace(interaction, response=replace(response, headers=headers, body=body))


def _bind_header(name: str, value: str, pairs: Mapping[str, str]) -> str:
    bound = pairs.get(value, value)
    return bound if is_header(name, bound) else value


def _pair_matches(recorded: Request, call: Call, rules: MatchRules) -> Iterator[tuple[str, str]]:
    """Yields each placeholder's recorded match and the call's match, if they differ."""
    pairs: dict[str, set[str]] = {}
    for before, now in _pair_texts(recorded, call, rules):
        # As in the match key, a pattern searches what the patterns before it have left.
        for pattern in rules.placeholders:
            old, new = _list_matches(pattern, before), _list_matches(pattern, now)
            if len(old) != len(new):
                break
            for one, other in zip(old, new, strict=True):
                pairs.setdefault(one, set()).add(other)
            before = replace_all(pattern, PLACEHOLDER, before)
            now = replace_all(pattern, PLACEHOLDER, now)
    for one, values in pairs.items():
        if values != {one} and len(values) == 1:
            yield one, values.pop()


def _list_matches(pattern: re.Pattern[str], text: str) -> list[str]:
    return [text[start:end] for start, end in find_spans(pattern, text)]


def _pair_texts(recorded: Request, call: Call, rules: MatchRules) -> Iterator[tuple[str, str]]:
    """Yields the texts of both requests that the match key compares, by place."""
    if (recorded.path, recorded.body.data) == (call.path, call.body):
        return
    old_path, old = read_compared(recorded.method, recorded.path, recorded.body.data, rules)
    new_path, new = read_compared(call.method, call.path, call.body, rules)
    yield old_path, new_path
    texts = dict(leaves(old))
    for place, value in leaves(new):
        match texts.get(place), value:
            case str() as before, str() as now:
                yield before, now


def echo_session(reply: Reply, call: Call) -> Reply:
    """Returns the reply with the session id of the request's header, if it has the header."""
    name = ECHOED.get(call.operation or "")
    sent = None if name is None else call.head.get(name.decode())
    if sent is None:
        return reply
    value = sent.encode("latin-1", errors="replace")
    headers = tuple((key, value if key.lower() == name else old) for key, old in reply.headers)
    return reply if headers == reply.headers else replace(reply, headers=headers)


def _replace_in_body(body: Body | Events, texts: Mapping[str, str]) -> Body | Events:
    """Returns the body with the texts replaced as words, the longest first."""
    longest = sorted(texts, key=len, reverse=True)
    pattern = re.compile(
        r"(?<![0-9A-Za-z])(?:" + "|".join(map(re.escape, longest)) + r")(?![0-9A-Za-z])"
    )

    def change(value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return pattern.sub(lambda match: texts[match[0]], value)
        return value

    def change_literal(match: re.Match[str]) -> str:
        value = json.loads(match[0])
        return match[0] if change(value) == value else json.dumps(change(value))

    def render(form: str, data: bytes) -> bytes:
        if form in READERS:
            return WRITERS[form](map_leaves(READERS[form](data), change))
        # JSON in another spelling than the usual one is stored as text.
        if form == "text" and data.lstrip()[:1] in (b"{", b"["):
            return _LITERAL.sub(change_literal, data.decode()).encode()
        return data

    if isinstance(body, Body):
        return replace(body, data=render(body.form, body.data))
    # A model cuts a value in two.
    return edit_events(
        body, lambda text: [Edit(*m.span(), texts[m[0]]) for m in pattern.finditer(text)]
    )
