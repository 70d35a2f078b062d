"""Renders the answers of rules, and keeps them for equal requests and for requests that equal in what an answer reads."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from bedtape_cassettes.families.content import Content
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.shared.synthesis import IdSlots
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.memo import Memo
from bedtape_replayer.answering.reply import Reply, build_response_reply
from bedtape_replayer.answering.template import Template
from bedtape_replayer.overlay.faults.base import derive_seed
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.raw import Raw
from bedtape_replayer.overlay.rule import Rule

_BYTES = 32 * 1024 * 1024


class Occasion(NamedTuple):
    """A call with its match key.

    seen: how many calls with that key the session has seen; 0 if it does not count them. number: of the call among them,
    from 0, if ids are unique; otherwise 0.
    """

    call: Call
    key: bytes
    seen: int
    number: int = 0


@dataclass(slots=True, eq=False)
class RuleMatch:
    """The answer of a layer, and the layer's id. The id is empty if the request check answered."""

    layer: str
    response: Response
    reply: Reply


class RuleAnswers:
    """The answers of rules, with two caches: by request, and by what an answer read of its request.

    An entry contains its rule, so that the id in its key belongs to no other object.
    """

    def __init__(self) -> None:
        self._by_request: Memo[tuple[object, ...], tuple[Rule, RuleMatch]] = Memo(_BYTES, _BYTES)
        self._templates: Memo[tuple[object, ...], tuple[Rule, Template]] = Memo(_BYTES, _BYTES)
        self._reads: Memo[tuple[object, ...], tuple[Rule, Reads]] = Memo(_BYTES)

    def answer(self, rule: Rule, position: int, occasion: Occasion, seed: int) -> RuleMatch | None:
        """Return the answer of a rule at a position of its answers, or None if the rule's function passes the call on.

        seed: the overlay's. Raises RenderError.
        """
        call, key, _, number = occasion
        entry = (id(rule), position, number, seed, key, call.request)
        if (kept := self._by_request.get(entry)) is not None:
            return kept[1]
        content = rule.compute(position, call)
        if content is None:
            return None
        is_fixed = content is rule.answers[position]
        if isinstance(content, Failure | Raw):  # their request ids may also be in the body
            response = rule.render(content, call, Random(0), Reads())  # noqa: S311 - nothing is random
            match = RuleMatch(rule.id, response, build_response_reply(call, response, key, number))
        else:
            template = self._find_template(rule, position, content, call, seed) if is_fixed else None
            template = template or _render(rule, position, content, call, seed, Reads())
            id_seed = derive_seed(seed, f"{rule.id}/{position}/{number}", key) if template.slots else b""
            match = RuleMatch(rule.id, *template.fill(id_seed, key, number))
        if is_fixed:
            self._by_request.keep(entry, (rule, match), call.request_size + 3 * match.reply.size)
        return match

    def _find_template(self, rule: Rule, position: int, content: Content, call: Call, seed: int) -> Template:
        """Return the kept template for the call, or render it."""
        family = (id(rule), position, seed, call.method, call.path, call.model, call.service)
        if (kept := self._reads.get(family)) is None:
            kept = (rule, Reads())
            self._reads.keep(family, kept, len(call.path))
        reads = kept[1]
        if (values := rule.take(reads, call)) is not None and (known := self._templates.get((family, values))):
            return known[1]
        template = _render(rule, position, content, call, seed, reads)
        if (values := rule.take(reads, call)) is not None:
            size = 3 * template.reply.size + sum(len(str(value)) for value in values)
            self._templates.keep((family, values), (rule, template), size)
        return template


def _render(rule: Rule, position: int, content: Content, call: Call, overlay_seed: int, reads: Reads) -> Template:
    seed = derive_seed(overlay_seed, f"{rule.id}/{position}", b"")
    chance = IdSlots(seed)
    response = rule.render(content, call, chance, reads)
    return Template(response, build_response_reply(call, response, seed), tuple(chance.slots))
