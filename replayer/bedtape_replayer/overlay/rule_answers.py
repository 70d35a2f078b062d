"""Renders the answers of rules, and keeps them for requests that equal in what an answer reads."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple, cast

from bedtape_cassettes.families.content import Content
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.shared.synthesis import IdSlots
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call, Findings, RequestParts
from bedtape_replayer.answering.duplex.turns import RuleTurn
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.answering.reply import Reply, build_response_reply
from bedtape_replayer.answering.template import Template
from bedtape_replayer.overlay.faults.base import derive_seed
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.outputs.dialogue import Dialogue
from bedtape_replayer.overlay.rule import FIXED, Rule
from bedtape_replayer.overlay.simulation.schemas.answer import SchemaAnswer

_BYTES = 32 * 1024 * 1024
# The memory of an answer whose bytes are in its template.
_SHARED_BYTES = 1024


class Occasion(NamedTuple):
    """A call with its match key.

    seen: how many calls with that key the session has seen; 0 if it does not count them. number: of
    the call among them, from 0, if ids are unique; otherwise 0.
    """

    call: Call
    key: bytes
    seen: int
    number: int = 0


@dataclass(slots=True, eq=False)
class RuleMatch:
    """The answer of a layer, and the layer's id. The id is empty if the request check answered.

    error: Bedrock's name of the error that the layer sends. simulated: what
    simulated features did, in words.
    turns: of a conversation.
    """

    layer: str
    response: Response
    reply: Reply
    error: str | None = None
    turns: tuple[RuleTurn, ...] = ()
    simulated: tuple[str, ...] = ()


class RuleAnswers:
    """The answers of rules, with two caches: by request, and by what an answer read of its request.

    An entry contains its rule, so that the id in its key belongs to no other object.
    memory: counts the answers.
    """

    def __init__(
        self, memory: Memory | None = None, findings: Memo[RequestParts, Findings] | None = None
    ) -> None:
        memory = memory or Memory()
        most = memory.share(_BYTES)
        self._findings = findings if findings is not None else Memo(most, most, memory)
        self._largest = most  # also the answer of 8 MiB that a hundred clients get at once
        self._templates: Memo[tuple[object, ...], tuple[Rule, Template]] = Memo(most, most, memory)
        self._reads: Memo[tuple[object, ...], tuple[Rule, Reads]] = Memo(most, memory=memory)

    def clear(self) -> None:
        """Drop all kept answers."""
        for each in (self._templates, self._reads):
            each.clear()

    def answer(self, rule: Rule, fired: int, occasion: Occasion, seed: int) -> RuleMatch | None:
        """Return the next answer of a rule, or None if the rule passes the call on.

        fired: the number of calls that the rule has answered. seed: the
        overlay's. Raises RenderError.
        """
        position = rule.position(fired)
        call, key, _, number = occasion
        findings, entry = call.findings, (position, number, seed, key)
        if (kept := findings.answer) is not None and kept[0] is rule and kept[1] == entry:
            return cast(RuleMatch, kept[2])
        content = rule.compute(fired, call)
        if content is None or not rule.has_words_for(content, call):
            return None
        if isinstance(content, SchemaAnswer):
            content = content.fill(call, derive_seed(seed, f"{rule.id}/{position}/schema", key))
        is_fixed, is_shared = content is rule.answers[position], False
        if isinstance(content, FIXED):  # their request ids may also be in the body
            response = rule.render(content, call, Random(0), Reads())  # noqa: S311 - nothing is random
            error = content.error if isinstance(content, Failure) else None
            turns = content.turns if isinstance(content, Dialogue) else ()
            match = RuleMatch(
                rule.id, response, build_response_reply(call, response, key, number), error, turns
            )
        else:
            template = (
                self._find_template(rule, position, content, call, seed) if is_fixed else None
            )
            template = template or _render(rule, position, content, call, seed, Reads())
            is_shared = template.is_shared
            place = f"{rule.id}/{position}/{number}"
            id_seed = derive_seed(seed, place, key) if template.has_ids else b""
            match = RuleMatch(rule.id, *template.fill(id_seed, key, number))
        # of a request that came once, nothing is kept
        if (
            is_fixed
            and findings.seen
            and (size := _SHARED_BYTES if is_shared else 3 * match.reply.size) <= self._largest
        ):
            old = 0 if kept is None else kept[3]
            self._findings.grow(call.request, findings, size - old)
            findings.answer = rule, entry, match, size
        return match

    def _find_template(
        self, rule: Rule, position: int, content: Content, call: Call, seed: int
    ) -> Template:
        """Return the kept template for the call, or render it."""
        family = (id(rule), position, seed, call.model, *call.request[:4])
        if (kept := self._reads.get(family)) is None:
            kept = (rule, Reads())
            self._reads.keep(family, kept, len(call.path))
        reads = kept[1]
        if (values := rule.take(reads, call)) is not None and (
            known := self._templates.get((family, values))
        ):
            return known[1]
        template = _render(rule, position, content, call, seed, reads)
        if (values := rule.take(reads, call)) is not None:
            size = 3 * template.reply.size + sum(len(str(value)) for value in values)
            self._templates.keep((family, values), (rule, template), size)
        return template


def _render(
    rule: Rule, position: int, content: Content, call: Call, overlay_seed: int, reads: Reads
) -> Template:
    seed = derive_seed(overlay_seed, f"{rule.id}/{position}", b"")
    chance = IdSlots(seed)
    response = rule.render(content, call, chance, reads)
    return Template(response, build_response_reply(call, response, seed), chance.slots, seed)
