"""The policies that need no model, with boto3 from CreateGuardrail on: the cases that MiniStack
evaluates (words, patterns, nine kinds of sensitive information), with inputs of our own.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from bedtape_replayer import Replayer
from support.five_apis import NOVA

TEXTS = {"blockedInputMessaging": "No question.", "blockedOutputsMessaging": "No answer."}


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer((), simulate=["guardrails"]) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    return server


def _client(bedrock: Replayer, service: str = "bedrock-runtime") -> Any:
    keys = {"aws_access_key_id": "bedtape", "aws_secret_access_key": "bedtape"}
    return boto3.client(service, endpoint_url=bedrock.url, region_name="us-east-1", **keys)


def _create(bedrock: Replayer, **policies: Any) -> dict[str, str]:
    """Create a guardrail, and return what names its version 1."""
    control = _client(bedrock, "bedrock")
    made = control.create_guardrail(name="mine", **TEXTS, **policies)["guardrailId"]
    control.create_guardrail_version(guardrailIdentifier=made)
    return {"guardrailIdentifier": made, "guardrailVersion": "1"}


def _apply(
    bedrock: Replayer, named: dict[str, str], *texts: str, source: str = "INPUT"
) -> dict[str, Any]:
    content = [{"text": {"text": text}} for text in texts]
    answer: dict[str, Any] = _client(bedrock).apply_guardrail(
        **named, source=source, content=content
    )
    return answer


def _words(*texts: str, **more: Any) -> dict[str, Any]:
    return {"wordPolicyConfig": {"wordsConfig": [{"text": text, **more} for text in texts]}}


def _regexes(pattern: str, action: str, **more: Any) -> dict[str, Any]:
    regex = {"name": "Order", "pattern": pattern, "action": action, **more}
    return {"sensitiveInformationPolicyConfig": {"regexesConfig": [regex]}}


def _entities(action: str, *kinds: str, **more: Any) -> dict[str, Any]:
    entities = [{"type": kind, "action": action, **more} for kind in kinds]
    return {"sensitiveInformationPolicyConfig": {"piiEntitiesConfig": entities}}


_BLOCKED, _PASSED = "blocked", "passed"
CASES = [
    (_words("tangerine"), "A TANGERINE, please.", _BLOCKED),
    (_words("two words"), "these two words", _BLOCKED),
    (_words("tangerine"), "Two tangerines.", _PASSED),
    (_words("tangerine", inputAction="NONE"), "tangerine", _PASSED),
    (_words("tangerine", inputEnabled=False), "tangerine", _PASSED),
    (_words("tangerine", outputEnabled=False), "tangerine", _BLOCKED),
    (_words("plum", "tangerine"), "a tangerine", _BLOCKED),
    (_regexes(r"ORD-\d{3}", "BLOCK"), "Where is ORD-123?", _BLOCKED),
    (_regexes(r"ORD-\d{3}", "ANONYMIZE"), "ORD-123 or ORD-456?", "{Order} or {Order}?"),
    (_regexes(r"ORD-\d{3}", "NONE"), "Where is ORD-123?", _PASSED),
    (_regexes(r"ORD-\d{3}", "BLOCK", inputAction="ANONYMIZE"), "ORD-123", "{Order}"),
    (_regexes(r"ORD-\d{3}", "ANONYMIZE"), "Where is ord-123?", _PASSED),
]
# By kind: a text, and the text with its mask.
PLACES = {
    "EMAIL": ("Ask ana.b@mail.example.org.", "Ask {EMAIL}."),
    "PHONE": ("Dial +1 212 555 0187 now", "Dial {PHONE} now"),
    "IP_ADDRESS": ("Ping 203.0.113.9 first", "Ping {IP_ADDRESS} first"),
    "MAC_ADDRESS": ("Port 02:1a:2b:3c:4d:5e", "Port {MAC_ADDRESS}"),
    "URL": ("Read https://docs.example.org/a?b=1 first", "Read {URL} first"),
    "US_SOCIAL_SECURITY_NUMBER": ("It is 219-09-9999.", "It is {US_SOCIAL_SECURITY_NUMBER}."),
    "CREDIT_DEBIT_CARD_NUMBER": ("Pay 5555 5555 5555 4444.", "Pay {CREDIT_DEBIT_CARD_NUMBER}."),
    "AWS_ACCESS_KEY": ("Use AKIA" + "I44QH8DHBEXAMPLE now", "Use {AWS_ACCESS_KEY} now"),
    "AWS_SECRET_KEY": ("Use je7MtGbClwBF/2Zp9Utk/h3yCo8nvb" + "EXAMPLEKEY", "Use {AWS_SECRET_KEY}"),
}


@pytest.mark.parametrize(("policy", "text", "result"), CASES)
def test_words_and_patterns(
    bedrock: Replayer, policy: dict[str, Any], text: str, result: str
) -> None:
    answer = _apply(bedrock, _create(bedrock, **policy), "A first text.", text)
    if result == _PASSED:
        assert (answer["action"], answer["outputs"]) == ("NONE", [])
    elif result == _BLOCKED:
        assert answer["action"] == "GUARDRAIL_INTERVENED"
        assert answer["outputs"] == [{"text": "No question."}]
    else:
        assert answer["action"] == "GUARDRAIL_INTERVENED"
        assert answer["outputs"] == [{"text": "A first text."}, {"text": result}]


@pytest.mark.parametrize("kind", PLACES)
def test_a_kind_is_masked_or_blocks(bedrock: Replayer, kind: str) -> None:
    text, masked = PLACES[kind]
    named = _create(bedrock, **_entities("ANONYMIZE", kind, outputAction="BLOCK"))
    answer = _apply(bedrock, named, text)
    assert answer["outputs"] == [{"text": masked}]
    (entry,) = answer["assessments"][0]["sensitiveInformationPolicy"]["piiEntities"]
    assert (entry["type"], entry["action"]) == (kind, "ANONYMIZED")
    assert masked.replace(f"{{{kind}}}", entry["match"]) == text
    assert _apply(bedrock, named, text, source="OUTPUT")["outputs"] == [{"text": "No answer."}]


def test_several_kinds_in_one_text(bedrock: Replayer) -> None:
    texts, masks = zip(*PLACES.values(), strict=True)
    answer = _apply(bedrock, _create(bedrock, **_entities("ANONYMIZE", *PLACES)), " | ".join(texts))
    assert answer["outputs"] == [{"text": " | ".join(masks)}]


def test_a_block_takes_the_tool_call_away_and_a_mask_keeps_it(bedrock: Replayer) -> None:
    policies = {**_words("tangerine"), **_entities("ANONYMIZE", "EMAIL")}
    named = _create(bedrock, **policies)
    for word in ("tangerine", "a@b.org"):
        blocks = [{"text": word}, {"tool": {"name": "find", "input": {"q": word}}}]
        bedrock.respond(blocks=blocks, times=1)
    told = [
        _client(bedrock).converse(
            modelId=NOVA,
            messages=[{"role": "user", "content": [{"text": "hello"}]}],
            toolConfig={"tools": [{"toolSpec": {"name": "find", "inputSchema": {"json": {}}}}]},
            guardrailConfig=named,
        )
        for _ in range(2)
    ]
    blocked, masked = (answer["output"]["message"]["content"] for answer in told)
    assert blocked == [{"text": "No answer."}]
    assert masked[0] == {"text": "{EMAIL}"}
    assert masked[1]["toolUse"]["input"] == {"q": "a@b.org"}
    assert {answer["stopReason"] for answer in told} == {"guardrail_intervened"}


def test_the_draft_and_a_version_are_evaluated_apart(bedrock: Replayer) -> None:
    named = _create(bedrock, **_words("tangerine"))
    _client(bedrock, "bedrock").update_guardrail(
        guardrailIdentifier=named["guardrailIdentifier"], name="mine", **TEXTS, **_words("plum")
    )
    draft = {**named, "guardrailVersion": "DRAFT"}
    for version, word in ((named, "tangerine"), (draft, "plum")):
        other = draft if version is named else named
        assert _apply(bedrock, version, word)["action"] == "GUARDRAIL_INTERVENED"
        assert _apply(bedrock, other, word)["action"] == "NONE"
