"""Guardrails of the real service, whose policies follow from what they answered: the same prompts
and answers of models get the same stop reasons, masks, traces and units here.
"""

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from bedtape_cassettes.families.content import Message, Text
from bedtape_cassettes.families.reading import content_of, parse_object
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format.json_view import read_values
from bedtape_cassettes.model import Body, Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.overlay.simulation.context import Context
from bedtape_replayer.overlay.simulation.features import parse_features
from support import corpus

SOURCES = ("openinference", "openllmetry", "req_llm", "rig")
_ACCOUNT = {
    "topicPolicyConfig": {"topicsConfig": [{"name": "topic-1", "patterns": ["tennis"]}]},
    "contentPolicyConfig": {"filtersConfig": [{"type": "HATE"}]},
    "wordPolicyConfig": {"managedWordListsConfig": [{"type": "PROFANITY"}]},
    "contextualGroundingPolicyConfig": {
        "filtersConfig": [
            {"type": "GROUNDING", "threshold": 0.75},
            {"type": "RELEVANCE", "threshold": 0.75},
        ]
    },
    "blockedInputMessaging": "Input blocked",
}


def _mask_places(*places: str) -> dict[str, Any]:
    """The policy on sensitive information of two guardrails. The service takes names of cities
    and countries for addresses, in answers alone.
    """
    address = {
        "type": "ADDRESS",
        "action": "ANONYMIZE",
        "inputEnabled": False,
        "matches": [*places],
    }
    return {
        "piiEntitiesConfig": [address, {"type": "EMAIL", "action": "ANONYMIZE"}],
        "regexesConfig": [
            {
                "name": "Account Number",
                "pattern": r"\b\d{6}\d{4}\b",
                "action": "ANONYMIZE",
                "inputEnabled": False,
            }
        ],
    }


POLICIES: dict[str, Any] = {
    "5zwrmdlsra2e": {
        **_ACCOUNT,
        "sensitiveInformationPolicyConfig": _mask_places("Tokyo", "Japan", "Italy", "Rome"),
    },
    "v9kpg6yrwhs2": {**_ACCOUNT, "sensitiveInformationPolicyConfig": _mask_places("Tokyo")},
    "fytaiyvapuzp": {
        "wordPolicyConfig": {"wordsConfig": [{"text": "gravitational singularity"}]},
        "blockedInputMessaging": "Blocked by guardrail.",
    },
    "guardrail1234": {
        "topicPolicyConfig": {"topicsConfig": [{"name": "Weather", "patterns": ["weather"]}]},
        "blockedInputMessaging": "Guardrail blocked the input.",
    },
    "274u1upxm897": {
        "topicPolicyConfig": {
            "topicsConfig": [{"name": "InvestmentObjectives", "patterns": ["stock suggestions"]}]
        },
        "contentPolicyConfig": {
            "filtersConfig": [
                {"type": kind, "inputStrength": "HIGH"}
                for kind in (
                    *("SEXUAL", "VIOLENCE", "HATE", "INSULTS"),
                    *("PROMPT_ATTACK", "MISCONDUCT"),
                )
            ]
        },
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [
                {"type": "EMAIL", "action": "BLOCK"},
                {"type": "PHONE", "action": "BLOCK"},
            ]
        },
        "blockedInputMessaging": "Sorry, the model cannot answer this question.",
    },
}
FEATURES = parse_features({"guardrails": POLICIES})
# Times, accounts, and scores of a model's judgement, whose action is compared. The model's answer
# is plain text here, and the model's own JSON in recorded answers that are no streams.
_OTHER = {"guardrailProcessingLatency", "guardrailArn", "score", "modelOutput"}


def _rows() -> Iterator[ParameterSet]:
    for source in SOURCES if corpus.ROOT.is_dir() else ():
        for row in corpus.exchanges(source):
            text = str(row.request_headers) + row.request_body.decode(errors="replace") + row.path
            # The counts of an edited answer are not those of its text. req_llm edits ids alone.
            is_real = row.authenticity == "recorded" or source == "req_llm"
            if is_real and any(name in text for name in POLICIES):
                yield pytest.param(row, id=f"{row.operation}-{row.file.rpartition('/')[2]}")


@cache
def _read(row: corpus.Exchange) -> tuple[Response, list[Any], Any]:
    """The recorded answer, its values, and the member `guardrail` of its trace."""
    response = row.interaction().response
    values = read_values(response.body)
    for value in values:
        assert isinstance(value, dict)
        trace = value.get("amazon-bedrock-trace") or value.get("trace")
        if isinstance(trace, dict) and trace:
            return response, values, trace["guardrail"]
    return response, values, None


def _missing(whole: Any, part: Any, path: str = "") -> Iterator[str]:
    """Yield the members of a recorded value that another value does not have. Older answers have
    fewer members.
    """
    if isinstance(part, dict) and isinstance(whole, dict):
        for name in part.keys() - _OTHER:
            yield from _missing(whole.get(name, "nothing"), part[name], f"{path}.{name}")
    elif isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        for number, pair in enumerate(zip(whole, part, strict=True)):
            yield from _missing(*pair, f"{path}.{number}")
    elif whole != part:
        yield f"{path}: expected {part}, found {whole}"


def _model_text(row: corpus.Exchange, recorded: Message, trace: Any) -> str:
    """The answer of the model, before the guardrail changed it."""
    output = trace.get("modelOutput", [None])[0]
    if output is None or row.stream:
        return output or recorded.text
    body = Response(200, (), Body("json", output.encode()))
    message = content_of("InvokeModel", row.model, body)
    assert isinstance(message, Message)
    return message.text


@corpus.needs_corpus
@pytest.mark.parametrize("row", list(_rows()))
def test_a_guardrail_does_what_the_real_one_did(row: corpus.Exchange) -> None:
    head = Head.of((name.encode(), value.encode()) for name, value in row.request_headers)
    call = Call("default", row.method, row.path, head, row.request_body)
    response, (*_, last), trace = _read(row)
    effect = FEATURES.refuse(Context(call))
    if row.operation == "ApplyGuardrail":
        assert effect is not None
        assert not list(_missing(read_values(effect.response.body)[0], last))
        return
    recorded = content_of(row.operation, row.model, response)
    assert isinstance(recorded, Message)
    if "outputs" in trace or "outputAssessments" in trace:
        assert effect is None
        before = Message(
            (Text(_model_text(row, recorded, trace)),),
            usage=read_usage(row.operation, row.model, response),
        )
        answer = render(
            before,
            operation=row.operation,
            model=row.model,
            body=row.request_body,
            chance=Random(0),
            header=call.head.get,
        )
        effect = FEATURES.change(Context(call), answer, b"")
    assert effect is not None
    simulated = content_of(row.operation, row.model, effect.response)
    assert isinstance(simulated, Message)
    # Converse removes this beginning of Titan's answers after the guardrail.
    assert simulated.text.removeprefix("\nBot: ") == recorded.text
    assert simulated.stop == recorded.stop
    ours = _find_trace(read_values(effect.response.body))
    assert not list(_missing(ours, trace))
    assert ours.keys() - {"actionReason"} == trace.keys() - {"actionReason"}


def _find_trace(values: list[Any]) -> Any:
    traces = [value.get("amazon-bedrock-trace") or value.get("trace") for value in values]
    (trace,) = [each["guardrail"] for each in traces if each]
    return trace


def test_a_request_of_the_corpus_names_its_guardrail() -> None:
    """The tests above would pass without rows."""
    if corpus.ROOT.is_dir():
        rows = list(_rows())
        operations = {parameter.values[0].operation for parameter in rows}  # type: ignore[union-attr]
        assert operations >= {"Converse", "ConverseStream", "InvokeModel", "ApplyGuardrail"}
        assert len(rows) >= 20
        assert all(parse_object(row.values[0].request_body) for row in rows)  # type: ignore[union-attr]
