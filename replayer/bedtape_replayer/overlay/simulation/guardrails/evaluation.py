"""Evaluates a policy on texts: what it finds, whether it blocks, and the masked texts.

Strengths of content filters are those of
docs.aws.amazon.com/bedrock/latest/userguide/guardrails-content-filters-overview.html: HIGH blocks a
text of any confidence, MEDIUM of the confidences HIGH and MEDIUM, LOW of the confidence HIGH.
Contextual grounding is a share of words here, and not the judgement of a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from bedtape_cassettes.families.content import Assessment
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.guardrail import count_units
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.overlay.simulation.guardrails.lists import COMMON, LETTER, UNSPACED
from bedtape_replayer.overlay.simulation.guardrails.policy import LEVELS, Item, Policy, Side

# Where words have no spaces between them, a character is a word.
_WORDS = re.compile(f"{LETTER}+|[{UNSPACED}]")
_SENTENCES = re.compile(r"[^.!?。！？\n]+[.!?。！？]?")
_DONE = {"BLOCK": "BLOCKED", "ANONYMIZE": "ANONYMIZED", "NONE": "NONE"}


@dataclass(frozen=True, slots=True)
class GuardedContent:
    """The texts that a guardrail evaluates. total: the characters of all texts, also of those
    that it does not evaluate. sources, query: for contextual grounding.
    """

    texts: tuple[str, ...]
    total: int
    sources: str = ""
    query: str = ""

    @property
    def length(self) -> int:
        return sum(map(len, self.texts))


class _Match(NamedTuple):
    """Where an item is: the number of the text, and the place in it."""

    number: int
    start: int
    end: int
    confidence: str = "HIGH"


class _Mask(NamedTuple):
    """A place in a text, and what replaces it."""

    number: int
    start: int
    end: int
    new: str


_Place = TypeVar("_Place", _Match, _Mask)


@dataclass(slots=True)
class Evaluation:
    """What a policy found. texts: masked. names: what acted, in words. first: where the first
    match that blocks ends, in the joined texts; None if no match blocks. masks: what replaces the
    places of the joined texts, in order; empty if a match blocks.
    """

    texts: tuple[str, ...]
    assessment: Assessment
    names: list[str] = field(default_factory=list)
    blocked: bool = False
    first: int | None = None
    masks: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def masked(self) -> bool:
        """Whether the texts have masks."""
        return bool(self.masks)

    @property
    def reason(self) -> str:
        """The member `actionReason`, as recorded."""
        if self.blocked:
            return "Guardrail blocked."
        return "Guardrail masked." if self.masked else "No action."


def evaluate(
    policy: Policy, side: Side, guarded: GuardedContent, *, full: bool = False
) -> Evaluation:
    """Evaluate the texts of a prompt or of an answer. full: whether the assessment also contains
    what was not detected. Raises SlowPattern.
    """
    state = _State(policy, side, guarded, full)
    policies = {
        "contentPolicy": {"filters": state.list_filters()},
        "contextualGroundingPolicy": {"filters": state.list_grounding()},
        "sensitiveInformationPolicy": {
            "piiEntities": state.list_entities(),
            "regexes": state.list_regexes(),
        },
        "topicPolicy": {"topics": state.list_topics()},
        "wordPolicy": {"customWords": state.list_words(), "managedWordLists": state.list_managed()},
    }
    present: dict[str, JsonValue] = {
        name: {key: list(each) for key, each in lists.items() if each}
        for name, lists in policies.items()
        if any(lists.values())
    }
    assessment = Assessment(present, guarded.length, guarded.total, state.count_units())
    blocked = bool(state.blocking)
    if blocked:  # what is masked in other texts is sent to nobody
        names = [name.replace("masked ", "detected ", 1) for name in state.names]
        return Evaluation(guarded.texts, assessment, names, True, min(state.blocking))
    texts, masks = state.mask()
    return Evaluation(texts, assessment, state.names, masks=masks)


class _State:
    """The matches of one evaluation. blocking: where matches that block end in the joined texts."""

    def __init__(self, policy: Policy, side: Side, guarded: GuardedContent, full: bool) -> None:
        self._policy, self._side, self._guarded, self._full = policy, side, guarded, full
        self.blocking: list[int] = []
        self.masks: list[_Mask] = []
        self.names: list[str] = []
        self._starts = [0]
        for text in guarded.texts:
            self._starts.append(self._starts[-1] + len(text))

    def _find(self, item: Item) -> list[_Match]:
        return [
            _Match(number, *span, confidence)
            for number, text in enumerate(self._guarded.texts)
            for confidence, span in item.find(text)
        ]

    def _text(self, match: _Match | _Mask) -> str:
        return self._guarded.texts[match.number][match.start : match.end]

    def _act(self, action: str, matches: Sequence[_Match], name: str, new: str = "") -> str:
        """Note an action on matches, and return its word in an assessment."""
        if action == "BLOCK":
            self.blocking += [self._starts[match.number] + match.end for match in matches]
        if action == "ANONYMIZE":
            self.masks += [_Mask(*match[:3], new) for match in matches]
        verb = {"BLOCK": "blocked by", "ANONYMIZE": "masked", "NONE": "detected"}[action]
        if (note := f"{verb} {name}") not in self.names:
            self.names.append(note)
        return _DONE[action]

    def list_topics(self) -> list[JsonObject]:
        entries: list[JsonObject] = []
        for item, action in self._items(self._policy.topics):
            name, matches = str(item.config["name"]), self._find(item)
            if matches or self._full:
                done = self._act(action, matches, f"the topic {name!r}") if matches else "NONE"
                entries.append(
                    {"action": done, "detected": bool(matches), "name": name, "type": "DENY"}
                )
        return entries

    def list_filters(self) -> list[JsonObject]:
        entries: list[JsonObject] = []
        strength_name = "inputStrength" if self._side == "INPUT" else "outputStrength"
        for item, action in self._items(self._policy.filters):
            kind, matches = str(item.config["type"]), self._find(item)
            strength = json_access.text(item.config, strength_name) or "HIGH"
            confidence = max((m.confidence for m in matches), key=LEVELS.index, default="NONE")
            least = LEVELS[len(LEVELS) - 1 - LEVELS.index(strength)]
            acting = [m for m in matches if LEVELS.index(m.confidence) >= LEVELS.index(least)]
            if acting or self._full:
                done = self._act(action, acting, f"the filter {kind}") if acting else "NONE"
                entries.append(
                    {
                        "action": done,
                        "confidence": confidence,
                        "detected": bool(acting),
                        "filterStrength": strength,
                        "type": kind,
                    }
                )
        return entries

    def list_words(self) -> list[JsonObject]:
        return self._list_words(self._policy.words, lambda match: f"the word {match!r}")

    def list_managed(self) -> list[JsonObject]:
        entries = self._list_words(self._policy.word_lists, lambda _: "the word list PROFANITY")
        return [{**entry, "type": "PROFANITY"} for entry in entries]

    def _list_words(
        self, items: Sequence[Item], describe: Callable[[str], str]
    ) -> list[JsonObject]:
        entries: dict[str, JsonObject] = {}
        for item, action in self._items(items):
            for match in self._find(item):
                word = self._text(match)
                done = self._act(action, [match], describe(word))
                entries.setdefault(word, {"action": done, "detected": True, "match": word})
        return list(entries.values())

    def list_entities(self) -> list[JsonObject]:
        entries: list[tuple[_Match, JsonObject]] = []
        absent: list[JsonObject] = []
        for item, action in self._items(self._policy.entities):
            kind, matches = str(item.config["type"]), self._find(item)
            for match in _without_overlaps(matches):
                done = self._act(action, [match], kind, f"{{{kind}}}")
                entry: JsonObject = {"action": done, "detected": True, "match": self._text(match)}
                entries.append((match, {**entry, "type": kind}))
            if not matches and self._full:
                absent.append({"action": "NONE", "detected": False, "match": "", "type": kind})
        return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])] + absent

    def list_regexes(self) -> list[JsonObject]:
        entries: list[JsonObject] = []
        for item, action in self._items(self._policy.regexes):
            name = str(item.config["name"])
            for match in self._find(item):
                done = self._act(action, [match], f"the pattern {name!r}", f"{{{name}}}")
                entries.append(
                    {
                        "action": done,
                        "detected": True,
                        "match": self._text(match),
                        "name": name,
                        "regex": item.config["pattern"],
                    }
                )
        return entries

    def list_grounding(self) -> list[JsonObject]:
        """The filters for contextual grounding, which an answer to a query about a
        source is evaluated with.
        """
        guarded, entries = self._guarded, list[JsonObject]()
        grounded = guarded.sources and guarded.query and guarded.texts
        if self._side == "INPUT" or not grounded:
            return entries
        answer = "\n".join(guarded.texts)
        for config in self._policy.grounding:
            kind = str(config["type"])
            threshold = json_access.number(config, "threshold") or 0.0
            score = json_access.number(config, "score")
            if score is None:
                rate = rate_grounding if kind == "GROUNDING" else rate_relevance
                score = rate(answer, guarded.sources, guarded.query)
            detected, done = score < threshold, "NONE"
            if detected:
                end = _Match(len(guarded.texts) - 1, 0, len(guarded.texts[-1]))
                action = json_access.text(config, "action") or "BLOCK"
                done = self._act(action, [end], f"the filter {kind}")
            entries.append(
                {
                    "action": done,
                    "detected": detected,
                    "score": score,
                    "threshold": threshold,
                    "type": kind,
                }
            )
        return entries

    def _items(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Yield the items that are evaluated on this side, with their action."""
        for item in items:
            if (action := item.action_on(self._side)) is not None:
                yield item, action

    def mask(self) -> tuple[tuple[str, ...], dict[tuple[int, int], str]]:
        """The texts with the masks of matches, and the masks by their place in the joined texts.

        Of two masks in one place, the first and longest is used.
        """
        texts, masks = list(self._guarded.texts), _without_overlaps(self.masks)
        for mask in reversed(masks):
            text = texts[mask.number]
            texts[mask.number] = text[: mask.start] + mask.new + text[mask.end :]
        places = {
            (self._starts[mask.number] + mask.start, self._starts[mask.number] + mask.end): mask.new
            for mask in masks
        }
        return tuple(texts), places

    def count_units(self) -> dict[str, int]:
        """The text units of each policy. A policy that is not evaluated on this side has none."""
        policy, guarded = self._policy, self._guarded
        units = count_units(guarded.total)
        evaluated = {
            "contentPolicyUnits": policy.filters,
            "sensitiveInformationPolicyFreeUnits": policy.regexes,
            "sensitiveInformationPolicyUnits": policy.entities,
            "topicPolicyUnits": policy.topics,
            "wordPolicyUnits": (*policy.words, *policy.word_lists),
        }
        counts = {name: units for name, items in evaluated.items() if any(self._items(items))}
        grounded = guarded.sources and guarded.query and guarded.texts
        if self._side == "OUTPUT" and policy.grounding and grounded:
            length = guarded.length + len(guarded.sources) + len(guarded.query)
            counts["contextualGroundingPolicyUnits"] = count_units(length)
        return counts


def _without_overlaps(spans: Sequence[_Place]) -> list[_Place]:
    """The places in order, without those that begin inside another one."""
    kept: list[_Place] = []
    for span in sorted(spans, key=lambda each: (each.number, each.start, -each.end)):
        if not kept or span.number > kept[-1].number or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def rate_grounding(answer: str, sources: str, query: str) -> float:
    """The share of the answer's words that are in the source or in the query. Questions
    and common words do not count.
    """
    claims = [each for each in _SENTENCES.findall(answer) if not each.endswith(("?", "？"))]
    words = _count_words(" ".join(claims))
    return _share(words, _count_words(sources) | _count_words(query))


def rate_relevance(answer: str, sources: str, query: str) -> float:  # noqa: ARG001 - one signature
    """The share of the query's words that are in the answer. Common words do not count."""
    return _share(_count_words(query), _count_words(answer))


def _count_words(text: str) -> set[str]:
    return {word for word in _WORDS.findall(text.lower()) if word not in COMMON}


def _share(words: set[str], others: set[str]) -> float:
    return round(len(words & others) / len(words), 2) if words else 1.0
