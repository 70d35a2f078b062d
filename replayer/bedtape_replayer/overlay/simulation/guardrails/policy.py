"""A guardrail's policy: the request of CreateGuardrail, and what a policy needs to be evaluated
without a model.

Four members are bedtape's own: `patterns` of a topic, `words` of a content filter, `matches` of a
PII entity, and `score` of a filter for contextual grounding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format.patterns import compile_pattern, find_spans
from bedtape_cassettes.lazy import lazy_property
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.overlay.simulation.guardrails.lists import FILTERS, LETTER, PROFANITY
from bedtape_replayer.overlay.simulation.guardrails.sensitive import find_kind

Side: TypeAlias = Literal["INPUT", "OUTPUT"]
Span: TypeAlias = tuple[int, int]

LEVELS = ("LOW", "MEDIUM", "HIGH")
BLOCKED = "Sorry, the model cannot answer this question."
# A word, with signs that are a part of it: C++, C#, .NET, @home.
_WORDS = re.compile(r"(?:(?<!\S)[.@#$])?\w+(?:[+#]+(?!\w))?")


class Matcher:
    """Finds texts and patterns in a text, in any case of letters.

    phrases: found as whole words; what is between their words does not count. texts: found as they
    are, as whole words. In scripts without spaces between words, also inside a longer text.
    patterns: of the user.
    """

    def __init__(
        self,
        phrases: Iterable[str] = (),
        texts: Iterable[str] = (),
        patterns: Iterable[str] = (),
        *,
        ignore_case: bool = True,
    ) -> None:
        escaped = [r"\W+".join(map(re.escape, _WORDS.findall(each))) for each in phrases]
        escaped += [r"\s+".join(map(re.escape, each.split())) for each in texts]
        # One pattern for all texts with the same bounds: a bound for each text takes a thousand
        # times as long. The longest first, because the first alternative that matches is taken.
        bounded: dict[tuple[str, str], list[str]] = {}
        for each in sorted(escaped, key=len, reverse=True):
            if each:
                bounded.setdefault(_find_bounds(each), []).append(each)
        flags = re.IGNORECASE if ignore_case else 0
        self._literals = [
            re.compile(f"{before}(?:{'|'.join(literals)}){after}", flags)
            for (before, after), literals in bounded.items()
        ]
        self._patterns = [compile_pattern(each, ignore_case=ignore_case) for each in patterns]

    def find(self, text: str) -> Iterator[Span]:
        """Yield where the text matches. Raises SlowPattern."""
        for literals in self._literals:
            yield from (match.span() for match in literals.finditer(text))
        for pattern in self._patterns:
            yield from (span for span in find_spans(pattern, text) if span[0] < span[1])


def _find_bounds(literal: str) -> tuple[str, str]:
    """Return what makes an escaped text a whole word, if it begins and ends with letters."""
    before = f"(?<!{LETTER})" if _LETTER.match(literal) else ""
    after = f"(?!{LETTER})" if _LETTER.match(literal[-1]) else ""
    return before, after


_LETTER = re.compile(LETTER)


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a policy, with what finds it. config: as in the request of CreateGuardrail.

    matchers: by the confidence of a text that they match.
    """

    config: JsonObject
    matchers: tuple[tuple[str, Matcher], ...]
    kind: str = ""

    def action_on(self, side: Side) -> str | None:
        """The action on a prompt or on an answer: BLOCK, ANONYMIZE or NONE. None if the part is
        not evaluated.
        """
        prefix = "input" if side == "INPUT" else "output"
        if self.config.get(f"{prefix}Enabled", True) is False:
            return None
        if self.config.get(f"{prefix}Strength") == "NONE":
            return None
        action = self.config.get(f"{prefix}Action") or self.config.get("action") or "BLOCK"
        return str(action)

    def find(self, text: str) -> Iterator[tuple[str, Span]]:
        """Yield where a text contains the item, with the confidence."""
        for confidence, matcher in self.matchers:
            for span in matcher.find(text):
                yield confidence, span
        for span in find_kind(self.kind, text):
            yield "HIGH", span


@dataclass(eq=False)
class Policy:
    """A guardrail's policy. document: the request of CreateGuardrail."""

    document: JsonObject

    @property
    def input_message(self) -> str:
        return json_access.text(self.document, "blockedInputMessaging") or BLOCKED

    @property
    def output_message(self) -> str:
        return json_access.text(self.document, "blockedOutputsMessaging") or BLOCKED

    @lazy_property
    def topics(self) -> tuple[Item, ...]:
        """Denied topics. Without patterns, the name and the examples of a topic are its texts."""
        items = []
        for topic in self._list("topicPolicyConfig", "topicsConfig"):
            patterns = _texts(topic.get("patterns"))
            phrases = [str(topic["name"]), *_texts(topic.get("examples"))] if not patterns else []
            items.append(_make_item(topic, Matcher(phrases, patterns=patterns)))
        return tuple(items)

    @lazy_property
    def filters(self) -> tuple[Item, ...]:
        """Content filters, with their words by confidence."""
        items = []
        for config in self._list("contentPolicyConfig", "filtersConfig"):
            by_level: Any = config.get("words", FILTERS.get(str(config["type"]), {}))
            matchers = [
                (level, Matcher(by_level[level])) for level in reversed(LEVELS) if level in by_level
            ]
            items.append(Item(config, tuple(matchers)))
        return tuple(items)

    @lazy_property
    def words(self) -> tuple[Item, ...]:
        """Custom words. Words with the same actions are one item, because a
        policy may have 10,000.
        """
        alike: dict[tuple[JsonValue, ...], tuple[JsonObject, list[str]]] = {}
        names = ("inputAction", "outputAction", "inputEnabled", "outputEnabled")
        for config in self._list("wordPolicyConfig", "wordsConfig"):
            _, texts = alike.setdefault(tuple(config.get(name) for name in names), (config, []))
            texts.append(str(config["text"]))
        return tuple(_make_item(config, Matcher(texts=texts)) for config, texts in alike.values())

    @lazy_property
    def word_lists(self) -> tuple[Item, ...]:
        """Managed word lists: PROFANITY."""
        lists = self._list("wordPolicyConfig", "managedWordListsConfig")
        return tuple(_make_item(config, Matcher(PROFANITY)) for config in lists)

    @lazy_property
    def entities(self) -> tuple[Item, ...]:
        """PII entities. Their own texts are found beside the form of their kind."""
        return tuple(
            Item(
                config,
                (("HIGH", Matcher(texts=_texts(config.get("matches")), ignore_case=False)),),
                str(config["type"]),
            )
            for config in self._list("sensitiveInformationPolicyConfig", "piiEntitiesConfig")
        )

    @lazy_property
    def regexes(self) -> tuple[Item, ...]:
        """The user's patterns of sensitive information."""
        return tuple(
            _make_item(config, Matcher(patterns=[str(config["pattern"])], ignore_case=False))
            for config in self._list("sensitiveInformationPolicyConfig", "regexesConfig")
        )

    @lazy_property
    def grounding(self) -> tuple[JsonObject, ...]:
        """The enabled filters for contextual grounding."""
        filters = self._list("contextualGroundingPolicyConfig", "filtersConfig")
        return tuple(each for each in filters if each.get("enabled", True))

    def _list(self, policy: str, name: str) -> Sequence[JsonObject]:
        items = json_access.items(self.document, policy, name)
        return [item for item in items if isinstance(item, dict)]


def _make_item(config: JsonObject, matcher: Matcher) -> Item:
    return Item(config, (("HIGH", matcher),))


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
