"""Requests that differ in one text share what was found out about the rest of them.

A suite sends one prompt after another, with equal settings, tools and earlier messages. The last
text of the user is then all that differs, and the bytes before and after it are equal. Such
requests are siblings. The prompt, the match key and the result of validation of a sibling are made
of those of the others. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import orjson

from bedtape_cassettes.families.content import Prompt, Turn
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.reading import read_prompt
from bedtape_cassettes.matching.key import MatchRules, PartialKey, make_partial_key
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.hints import HintIndex
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.memory import Memory

# Stands for the text while the rest is read. No request contains these random digits.
_MARK = "d3a8a1de-6f0b-4f6c-8f5e-2b9f4f3c7a15"
_BYTES = 8 * 1024 * 1024
_LARGEST = 256 * 1024
# The bytes of a request are kept twice, and its JSON and its prompt take several times their size.
_FACTOR, _OVERHEAD = 8, 4096
# Groups with equal paths. The oldest make way.
_MOST_GROUPS = 8
_MEMBERS_BYTES = 1024 * 1024
# By the token of a group, and the identity and the size of what an answer reads: the latter, and
# its members in the group.
_Members: TypeAlias = Memo[tuple[object, int, int, int], tuple[Reads, tuple[object, ...] | None]]


class Siblings:
    """The requests that begin and end with the same bytes, with any text between.

    before: the bytes up to the text, with its opening quote. after: the other bytes. members: keeps
    the results of `take`. token: stands for the group in caches, which then do not keep the group.
    `model` and the functions below are for groups that `prepare` has made ready.
    """

    __slots__ = (
        "_after",
        "_around",
        "_before",
        "_body",
        "_keys",
        "_member",
        "_members",
        "_place",
        "_prompt",
        "_same",
        "_shared",
        "is_ready",
        "model",
        "token",
    )

    def __init__(self, before: bytes, after: bytes, members: _Members) -> None:
        self._before, self._after, self._members = before, after, members
        self.token = object()
        self.is_ready: bool | None = None  # False if the text is more than a text
        self.model: str | None = None
        self._body: dict[str, JsonValue] = {}
        self._member = ""
        self._prompt = Prompt()
        # The number of the turn with the text, and what the turn contains
        # before and after the text.
        self._place = (0, "", "")
        # What the text of all messages contains before and after the text.
        self._around = ("", "")
        # What all prompts have in common, and the names of their attributes that
        # are the text of the turn.
        self._shared: dict[str, object] = {}
        self._same: tuple[str, ...] = ()
        self._keys: tuple[object, PartialKey | None] = (None, None)

    def read_text(self, data: bytes) -> str | None:
        """Return the text of one of the siblings; None for other requests and blank texts."""
        before, after = self._before, self._after
        if (
            len(data) < len(before) + len(after)
            or not data.startswith(before)
            or not data.endswith(after)
        ):
            return None
        try:
            text: str = orjson.loads(data[len(before) - 1 : len(data) - len(after) + 1])
        except orjson.JSONDecodeError:  # more than one string
            return None
        return text if text and not text.isspace() else None  # a blank text may be an error

    def prepare(self, call: Call) -> None:
        """Read the parts that the siblings share. call: one of them, which Bedrock accepts."""
        self.is_ready = False
        body = orjson.loads(b"%b%b%b" % (self._before, _MARK.encode(), self._after))
        place = _find_text(body)
        if place is None or place[1] != _MARK:
            return
        prompt = read_prompt(call.operation, call.model, body)
        turns = [number for number, turn in enumerate(prompt.turns) if _MARK in turn.text]
        if (
            len(turns) != 1
            or repr(prompt).count(_MARK) != 1
            or prompt.turns[turns[0]].role != "user"
        ):
            return
        before, _, after = prompt.turns[turns[0]].text.partition(_MARK)
        self._member, self._body, self.model = place[0], body, call.model
        self._prompt, self._place = prompt, (turns[0], before, after)
        before, _, after = prompt.text.partition(_MARK)
        self._around = before, after
        self._same = tuple(
            [name for name in ("last", "question") if _MARK in getattr(prompt, name)]
        )
        own = {"turns", "text", *self._same}
        self._shared = {name: value for name, value in vars(prompt).items() if name not in own}
        text = self.read_text(call.outline.data)
        self.is_ready = text is not None and self.read_prompt(text) == call.prompt

    def read_prompt(self, text: str) -> Prompt:
        """Return the prompt of the request with this text."""
        turns, (number, before, after) = self._prompt.turns, self._place
        turn, content = turns[number], before + text + after
        changed = Turn(turn.role, content, turn.results, turn.calls)
        prompt = object.__new__(Prompt)
        values = prompt.__dict__
        values.update(self._shared)
        values["turns"] = (
            (*turns[:number], changed, *turns[number + 1 :]) if len(turns) > 1 else (changed,)
        )
        before, after = self._around
        values["text"] = before + text + after
        for name in self._same:
            values[name] = content
        return prompt

    def find_key(self, call: Call, rules: MatchRules) -> PartialKey | None:
        """Return what these requests' match keys share; None if the key lacks the text."""
        made, key = self._keys
        if made is not rules:
            marked = b"%b%b%b" % (self._before, _MARK.encode(), self._after)
            key = make_partial_key(call.method, call.target, call.request[3], marked, _MARK, rules)
            self._keys = rules, key
        return key

    def find_shared_texts(self, texts: HintIndex[bytes]) -> tuple[bytes, ...]:
        """Return the texts, of conditions, that the prompts of all these requests contain.

        None of the texts contains a line break, so that none extends over several messages.
        """
        return tuple(texts.find(self._prompt.text))

    def find_texts(
        self, texts: HintIndex[bytes], shared: tuple[bytes, ...], text: str
    ) -> tuple[bytes, ...]:
        """Return the texts of the prompt with this text. shared: by `find_shared_texts`."""
        _, before, after = self._place
        own = texts.find(before + text + after)
        return (*shared, *[each for each in own if each not in shared]) if shared else tuple(own)

    def take(self, reads: Reads, call: Call) -> tuple[object, ...] | None:
        """Return `Reads.take` for one of these requests, without parsing it."""
        key = self.token, id(reads), len(reads.members), len(reads.derived)
        if (kept := self._members.get(key)) is None:
            members = None if self._member in reads.members else reads.take_members(self._body)
            kept = reads, members
            self._members.keep(key, kept, sum(len(str(member)) for member in members or ()))
        if reads.whole or kept[1] is None:
            return reads.take(call.outline_json, call.prompt)
        return (*kept[1], *reads.take_attributes(call.prompt))


class AllSiblings:
    """The groups of siblings of a server. memory: counts them."""

    def __init__(self, memory: Memory) -> None:
        self._groups: Memo[tuple[object, ...], list[Siblings]] = Memo(
            memory.share(_BYTES), _FACTOR * _LARGEST, memory
        )
        self._members: _Members = Memo(memory.share(_MEMBERS_BYTES), memory=memory)

    def clear(self) -> None:
        """Forget all groups."""
        self._groups.clear()
        self._members.clear()

    def find(self, call: Call) -> None:
        """Note what is known about the siblings of a call in its findings."""
        request = call.request
        data = request[4]
        for group in self._groups.get(request[:4], ()):
            if (text := group.read_text(data)) is not None:
                findings = call.findings
                findings.siblings = group
                if group.is_ready:
                    findings.text, findings.refusal, findings.model = text, ACCEPTED, group.model
                return

    def add(self, call: Call) -> None:
        """Let later requests be siblings of a call, which Bedrock accepts."""
        findings = call.findings
        group = findings.siblings
        if group is not None:
            if group.is_ready is None:
                group.prepare(call)
            return
        findings.siblings = _ALONE
        if call.outline.blobs or call.request_size > _LARGEST:
            return
        if (split := _split(call)) is not None:
            group = Siblings(*split, self._members)
            groups = self._groups.get(call.request[:4], [])[-_MOST_GROUPS + 1 :]
            self._groups.keep(
                call.request[:4], [group, *groups], _FACTOR * call.request_size + _OVERHEAD
            )


ACCEPTED = (None,)
_ALONE = Siblings(b"", b"", Memo(0))
_ALONE.is_ready = False


def _split(call: Call) -> tuple[bytes, bytes] | None:
    """Return the bytes before and after a place of a request that is likely to be its last text."""
    body, data = call.outline_json, call.outline.data
    place = _find_text(body) if isinstance(body, dict) else None
    if place is None:
        return None
    for written in _write(place[1]):
        if (at := data.rfind(written)) >= 0:
            return data[: at + 1], data[at + len(written) - 1 :]
    return None


def _write(text: str) -> Iterator[bytes]:
    """Yield the usual spellings of a text in JSON."""
    with suppress(orjson.JSONEncodeError):  # half of a surrogate pair
        yield orjson.dumps(text)
    if not text.isascii():
        yield json.dumps(text).encode()


def _find_text(body: dict[str, Any]) -> tuple[str, str] | None:
    """Return the last text of the user: the member of the body that contains it, and the text."""
    for member in ("messages", "input"):
        value = body.get(member)
        if (
            isinstance(value, list)
            and value
            and isinstance(value[-1], dict)
            and value[-1].get("role") == "user"
        ):
            value = value[-1].get("content")
            if isinstance(value, list) and value and isinstance(value[-1], dict):
                value = value[-1].get("text")
        if isinstance(value, str):
            return member, value
    return None
