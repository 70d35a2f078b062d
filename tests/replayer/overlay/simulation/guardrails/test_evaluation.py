"""What policies find: tables from the facts in AWS's user guide, "Amazon Bedrock Guardrails"."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_replayer.overlay.simulation.guardrails.evaluation import (
    Evaluation,
    GuardedContent,
    evaluate,
    rate_grounding,
    rate_relevance,
)
from bedtape_replayer.overlay.simulation.guardrails.policy import Policy, Side


def _evaluate(
    document: dict[str, Any], *texts: str, side: Side = "INPUT", **more: Any
) -> Evaluation:
    guarded = GuardedContent(texts, sum(map(len, texts)), **more)
    return evaluate(Policy(document), side, guarded)


def _topic(**topic: Any) -> dict[str, Any]:
    return {"topicPolicyConfig": {"topicsConfig": [{"name": "Investing", "type": "DENY", **topic}]}}


def _filter(**config: Any) -> dict[str, Any]:
    return {"contentPolicyConfig": {"filtersConfig": [{"type": "INSULTS", **config}]}}


def _words(*texts: str, **more: Any) -> dict[str, Any]:
    return {"wordPolicyConfig": {"wordsConfig": [{"text": text, **more} for text in texts]}}


def _entity(kind: str, action: str, **more: Any) -> dict[str, Any]:
    entity = {"type": kind, "action": action, **more}
    return {"sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [entity]}}


def _regex(pattern: str, action: str, **more: Any) -> dict[str, Any]:
    regex = {"name": "Booking", "pattern": pattern, "action": action, **more}
    return {"sensitiveInformationPolicyConfig": {"regexesConfig": [regex]}}


def _grounding(kind: str, threshold: float, **more: Any) -> dict[str, Any]:
    config = {"type": kind, "threshold": threshold, **more}
    return {"contextualGroundingPolicyConfig": {"filtersConfig": [config]}}


_BLOCKED = [
    (_topic(), "Tell me about investing."),
    (_topic(examples=["Where should I invest my money?"]), "where should I\ninvest my money"),
    (_topic(patterns=["stocks?|bonds?"]), "Which STOCK?"),
    (_filter(), "You idiot."),
    (_filter(words={"HIGH": ["silly"]}), "So silly!"),
    (_words("gravitational singularity"), "Explain a Gravitational  Singularity."),
    (_words("C++"), "I like C++."),
    (_topic(name="C++"), "I like C++."),
    (_topic(name="C#"), "Is C# good?"),
    (_topic(name=".NET"), "Why .NET?"),
    (_topic(examples=["the e-mail"]), "THE E MAIL"),
    (_topic(name="投資"), "株式投資について"),
    (_words("秘密"), "これは秘密です"),
    (_words("secret"), "これはsecretです"),
    (_words("ความลับ"), "นี่คือความลับของเรา"),
    (_words("비밀"), "비밀을 말해"),
    (_entity("NAME", "BLOCK", matches=["山田"]), "私は山田です"),
    ({"wordPolicyConfig": {"managedWordListsConfig": [{"type": "PROFANITY"}]}}, "Oh shit"),
    (_entity("EMAIL", "BLOCK"), "mail a@b.org"),
    (_entity("NAME", "BLOCK", matches=["Ada Lovelace"]), "I am Ada Lovelace."),
    (_regex(r"B-\d{4}", "BLOCK"), "It is B-1234."),
]
_PASSED = [
    (_topic(), "Tell me about reinvesting."),
    (_topic(patterns=["stock"]), "Tell me about investing."),
    (_topic(inputAction="NONE"), "investing"),
    (_topic(inputEnabled=False), "investing"),
    (_filter(words={"HIGH": ["silly"]}), "You idiot."),
    (_filter(inputStrength="NONE"), "You idiot."),
    (_words("ass"), "Let us pass the class."),
    (_words("é"), "café"),
    (_topic(name="C++"), "Plan C, plan C+1"),
    (_topic(name="C#"), "Is C good?"),
    (_topic(name=".NET"), "The net. ASP.NETWORK"),
    (_entity("EMAIL", "ANONYMIZE"), "mail a@b.org"),
    (_entity("EMAIL", "BLOCK", inputAction="NONE"), "mail a@b.org"),
    (_entity("NAME", "BLOCK", matches=["Ada"]), "ada"),
    (_entity("NAME", "BLOCK"), "I am Ada Lovelace."),
    (_regex(r"b-\d{4}", "BLOCK"), "It is B-1234."),
    ({}, "anything"),
]


@pytest.mark.parametrize(("document", "text"), _BLOCKED)
def test_a_prompt_is_blocked(document: dict[str, Any], text: str) -> None:
    evaluation = _evaluate(document, "first", text)
    assert (evaluation.blocked, evaluation.reason) == (True, "Guardrail blocked.")
    assert evaluation.assessment.policies


@pytest.mark.parametrize(("document", "text"), _PASSED)
def test_a_prompt_passes(document: dict[str, Any], text: str) -> None:
    assert not _evaluate(document, text).blocked


# docs.aws.amazon.com, "Content filters": the strength of a filter, the confidence of a text, and
# whether the filter blocks it.
_STRENGTHS = [
    ("LOW", "HIGH", True),
    ("LOW", "MEDIUM", False),
    ("LOW", "LOW", False),
    ("MEDIUM", "HIGH", True),
    ("MEDIUM", "MEDIUM", True),
    ("MEDIUM", "LOW", False),
    ("HIGH", "HIGH", True),
    ("HIGH", "MEDIUM", True),
    ("HIGH", "LOW", True),
    ("NONE", "HIGH", False),
]


@pytest.mark.parametrize(("strength", "confidence", "blocked"), _STRENGTHS)
@pytest.mark.parametrize("side", ["INPUT", "OUTPUT"])
def test_a_content_filter_blocks_from_a_confidence_on(
    side: Side, strength: str, confidence: str, blocked: bool
) -> None:
    words = {"LOW": ["low"], "MEDIUM": ["medium"], "HIGH": ["high"]}
    other = "inputStrength" if side == "OUTPUT" else "outputStrength"
    document = _filter(words=words, **{f"{side.lower()}Strength": strength, other: "NONE"})
    text = f"low and {confidence.lower()}"
    evaluation = _evaluate(document, text, side=side)
    assert evaluation.blocked == blocked
    if blocked:
        (entry,) = evaluation.assessment.policies["contentPolicy"]["filters"]  # type: ignore[index, call-overload]
        assert entry == {
            "action": "BLOCKED",
            "confidence": confidence,
            "detected": True,
            "filterStrength": strength,
            "type": "INSULTS",
        }


def test_a_detection_without_an_action_is_in_the_assessment() -> None:
    evaluation = _evaluate(_words("x", inputAction="NONE"), "x")
    assert evaluation.assessment.policies == {
        "wordPolicy": {"customWords": [{"action": "NONE", "detected": True, "match": "x"}]}
    }
    assert (evaluation.blocked, evaluation.names) == (False, ["detected the word 'x'"])


def test_masks_replace_what_is_sensitive() -> None:
    document = {
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [
                {"type": kind, "action": "ANONYMIZE"} for kind in ("URL", "EMAIL", "PHONE")
            ],
            "regexesConfig": [{"name": "Booking", "pattern": r"B-\d+", "action": "ANONYMIZE"}],
        }
    }
    texts = ("B-1 is at https://a@b.org/B-2.", "Mail a@b.org, or call +1 555-123-4567")
    evaluation = _evaluate(document, *texts)
    assert evaluation.texts == ("{Booking} is at {URL}.", "Mail {EMAIL}, or call {PHONE}")
    assert evaluation.reason == "Guardrail masked."
    joined = "".join(texts)
    assert [joined[slice(*place)] for place in evaluation.masks] == [
        *("B-1", "https://a@b.org/B-2", "a@b.org", "+1 555-123-4567")
    ]


def test_a_blocked_text_has_no_masks() -> None:
    document = {**_entity("EMAIL", "ANONYMIZE"), **_words("secret")}
    evaluation = _evaluate(document, "the secret of a@b.org")
    assert (evaluation.blocked, evaluation.masked, evaluation.first) == (True, False, 10)
    assert evaluation.names == ["detected EMAIL", "blocked by the word 'secret'"]


def test_all_policies_are_in_a_full_assessment_but_words_and_patterns() -> None:
    """docs.aws.amazon.com, ApplyGuardrail: the full scope does not apply to word filters or
    regular expressions.
    """
    document = {
        **_topic(),
        **_filter(),
        **_words("x"),
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": "EMAIL", "action": "BLOCK"}],
            "regexesConfig": [{"name": "Booking", "pattern": "B-", "action": "BLOCK"}],
        },
    }
    assert not _evaluate(document, "fine").assessment.policies
    full = evaluate(Policy(document), "INPUT", GuardedContent(("fine",), 4), full=True)
    assert set(full.assessment.policies) == {
        *("topicPolicy", "contentPolicy", "sensitiveInformationPolicy")
    }
    assert not full.blocked


GROUNDS = [
    ("The capital of Japan is Tokyo.", 1.0, 1.0),
    ("Tokyo is large.", 0.5, 0.0),
    ("Paris.", 0.0, 0.0),
    ("Tokyo is the capital. Do you like cherries?", 1.0, 0.5),
    ("", 1.0, 0.0),
]
JAPANESE = [("東京です。", 0.5, 1.0), ("大阪ですか？", 1.0, 0.0)]


@pytest.mark.parametrize(("answer", "grounding", "relevance"), JAPANESE)
def test_a_character_is_a_word_in_scripts_without_spaces(
    answer: str, grounding: float, relevance: float
) -> None:
    assert rate_grounding(answer, "東京", "東京") == grounding
    assert rate_relevance(answer, "", "東京") == relevance


@pytest.mark.parametrize(("answer", "grounding", "relevance"), GROUNDS)
def test_grounding_and_relevance_are_shares_of_words(
    answer: str, grounding: float, relevance: float
) -> None:
    source, query = "Tokyo is the capital of Japan.", "What is the capital of Japan?"
    assert rate_grounding(answer, source, query) == grounding
    assert rate_relevance(answer, source, query) == relevance


@pytest.mark.parametrize("side", ["INPUT", "OUTPUT"])
@pytest.mark.parametrize(
    ("document", "blocked"),
    [
        (_grounding("GROUNDING", 0.6), True),
        (_grounding("GROUNDING", 0.5), False),
        (_grounding("RELEVANCE", 0.1), True),
        (_grounding("GROUNDING", 0.9, score=0.9), False),
        (_grounding("GROUNDING", 0.9, score=0.8), True),
        (_grounding("GROUNDING", 0.9, action="NONE"), False),
        (_grounding("GROUNDING", 0.9, enabled=False), False),
    ],
)
def test_an_answer_below_the_threshold_is_blocked(
    side: Side, document: dict[str, Any], blocked: bool
) -> None:
    more = {"sources": "Tokyo is the capital of Japan.", "query": "What is the capital of Japan?"}
    evaluation = _evaluate(document, "Tokyo is large.", side=side, **more)
    assert evaluation.blocked == (blocked and side == "OUTPUT")
    assert not _evaluate(document, "Tokyo is large.", side=side).assessment.policies


def test_an_answer_without_text_is_not_compared_with_sources() -> None:
    """A tool call has no text that a source could ground."""
    evaluation = _evaluate(
        _grounding("RELEVANCE", 0.5), side="OUTPUT", sources="Tokyo is large.", query="How large?"
    )
    assert not evaluation.blocked
    assert "contextualGroundingPolicyUnits" not in evaluation.assessment.units


def test_words_with_different_bounds_are_found_together() -> None:
    document = _words("C++", "C", ".NET", "go", *(f"word{number}" for number in range(3000)))
    for text in ("C++!", "Plan C.", "a .NET app", "Go!", "say WORD2999"):
        assert _evaluate(document, text).blocked, text
    for text in ("gopher", "word3000", "NET", "Cc"):
        assert not _evaluate(document, text).blocked, text


def test_units_count_the_policies_that_are_evaluated() -> None:
    document = {
        **_topic(),
        **_filter(inputStrength="NONE"),
        **_words("x", outputEnabled=False),
        **_regex("x", "BLOCK"),
        **_grounding("GROUNDING", 0.0),
    }
    text = "y" * 1001
    assert _evaluate(document, text).assessment.units == {
        "topicPolicyUnits": 2,
        "wordPolicyUnits": 2,
        "sensitiveInformationPolicyFreeUnits": 2,
    }
    grounded = _evaluate(document, text, side="OUTPUT", sources="s" * 1000, query="q")
    assert grounded.assessment.units == {
        "topicPolicyUnits": 2,
        "contentPolicyUnits": 2,
        "sensitiveInformationPolicyFreeUnits": 2,
        "contextualGroundingPolicyUnits": 3,
    }


@given(st.lists(st.text(st.sampled_from("ab @.xX1-\n")), min_size=1, max_size=3))
def test_what_is_not_found_stays(texts: list[str]) -> None:
    """Without its masks, a masked text is the text without what they hide."""
    document = {**_entity("EMAIL", "ANONYMIZE", matches=["a b"]), **_words("zz")}
    evaluation = _evaluate(document, *texts, side="OUTPUT")
    assert not evaluation.blocked
    joined = "".join(texts)
    for start, end in reversed(evaluation.masks):
        joined = joined[:start] + "{EMAIL}" + joined[end:]
    assert "".join(evaluation.texts) == joined
    if not evaluation.masks:
        assert evaluation.texts == tuple(texts)
