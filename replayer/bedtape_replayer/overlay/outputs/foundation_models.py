"""The models that ListFoundationModels and ListInferenceProfiles contain under `--default`.

Source: the model cards of AWS's user guide,
docs.aws.amazon.com/bedrock/latest/userguide/model-cards.html, and the ids of recordings in public
repositories, 2026-11-29. Lists of a real region are longer, and change every month.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qs

from bedtape_cassettes.model import JsonValue

# A row: model id, name, modalities of the input, of the output, whether it streams, and the
# beginnings of the ids of its inference profiles. T: text, I: image, V: video, S: speech, E:
# embedding. A model with `only` is used through profiles.
_TABLE = """
amazon.nova-2-lite-v1:0 | Nova 2 Lite | TIV | T | streams | us eu global only
amazon.nova-premier-v1:0 | Nova Premier | TIV | T | streams | us only
amazon.nova-pro-v1:0 | Nova Pro | TIV | T | streams | us eu apac
amazon.nova-lite-v1:0 | Nova Lite | TIV | T | streams | us eu apac
amazon.nova-micro-v1:0 | Nova Micro | T | T | streams | us eu apac
amazon.nova-canvas-v1:0 | Nova Canvas | TI | I | |
amazon.nova-2-multimodal-embeddings-v1:0 | Nova Multimodal Embeddings | TIV | E | |
amazon.titan-embed-text-v2:0 | Titan Text Embeddings V2 | T | E | |
amazon.rerank-v1:0 | Rerank 1.0 | T | T | |
anthropic.claude-opus-4-6-v1 | Claude Opus 4.6 | TI | T | streams | us eu global only
anthropic.claude-sonnet-4-6 | Claude Sonnet 4.6 | TI | T | streams | us eu global only
anthropic.claude-sonnet-4-5-20250929-v1:0 | Claude Sonnet 4.5 | TI | T | streams | us eu global only
anthropic.claude-haiku-4-5-20251001-v1:0 | Claude Haiku 4.5 | TI | T | streams | us eu global only
anthropic.claude-opus-4-1-20250805-v1:0 | Claude Opus 4.1 | TI | T | streams | us only
anthropic.claude-3-haiku-20240307-v1:0 | Claude 3 Haiku | TI | T | streams | us eu apac
cohere.command-r-plus-v1:0 | Command R+ | T | T | streams |
cohere.command-r-v1:0 | Command R | T | T | streams |
cohere.embed-v4:0 | Embed v4 | TI | E | | us eu global
cohere.rerank-v3-5:0 | Rerank 3.5 | T | T | |
meta.llama4-maverick-17b-instruct-v1:0 | Llama 4 Maverick 17B Instruct | TI | T | streams | us only
meta.llama3-3-70b-instruct-v1:0 | Llama 3.3 70B Instruct | T | T | streams | us only
meta.llama3-8b-instruct-v1:0 | Llama 3 8B Instruct | T | T | streams |
mistral.mistral-large-2402-v1:0 | Mistral Large (24.02) | T | T | streams |
mistral.mistral-7b-instruct-v0:2 | Mistral 7B Instruct | T | T | streams |
openai.gpt-oss-120b-1:0 | gpt-oss-120b | T | T | streams |
openai.gpt-oss-20b-1:0 | gpt-oss-20b | T | T | streams |
"""
# The beginning of a model id, and the name of the provider.
_PROVIDERS = dict(
    row.split(" ", 1)
    for row in (
        "amazon Amazon",
        "anthropic Anthropic",
        "cohere Cohere",
        "meta Meta",
        "mistral Mistral AI",
        "openai OpenAI",
    )
)
_MODALITIES = {"T": "TEXT", "I": "IMAGE", "V": "VIDEO", "S": "SPEECH", "E": "EMBEDDING"}
_ARN = "arn:aws:bedrock:us-east-1::foundation-model/"
_PROFILE_ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"


class _Model(NamedTuple):
    summary: dict[str, JsonValue]
    profiles: tuple[str, ...]


def _read_table() -> Iterator[_Model]:
    for line in _TABLE.strip().splitlines():
        model, name, inputs, outputs, streams, profiles = (part.strip() for part in line.split("|"))
        words = profiles.split()
        summary: dict[str, JsonValue] = {
            "modelArn": f"{_ARN}{model}",
            "modelId": model,
            "modelName": name,
            "providerName": _PROVIDERS[model.partition(".")[0]],
            "inputModalities": [_MODALITIES[letter] for letter in inputs],
            "outputModalities": [_MODALITIES[letter] for letter in outputs],
            "responseStreamingSupported": bool(streams),
            "customizationsSupported": [],
            "inferenceTypesSupported": ["INFERENCE_PROFILE"] if "only" in words else ["ON_DEMAND"],
            "modelLifecycle": {"status": "ACTIVE"},
        }
        yield _Model(summary, tuple(word for word in words if word != "only"))


_MODELS = tuple(_read_table())


def make_output(operation: str, labels: dict[str, str], query: str) -> dict[str, JsonValue] | None:
    """Return the output of an operation about models or inference profiles, with
    the filters of the query.

    Returns `None` for another operation, and for a model that the table lacks.
    """
    wanted = {name: values[0] for name, values in parse_qs(query).items()}
    match operation:
        case "ListFoundationModels":
            return {
                "modelSummaries": [
                    each.summary for each in _MODELS if _matches(each.summary, wanted)
                ]
            }
        case "GetFoundationModel":
            model = labels.get("modelIdentifier", "").removeprefix(_ARN)
            summary = next(
                (each.summary for each in _MODELS if each.summary["modelId"] == model), None
            )
            return None if summary is None else {"modelDetails": summary}
        case "ListInferenceProfiles":
            kind = wanted.get("type", wanted.get("typeEquals", "SYSTEM_DEFINED"))
            return {
                "inferenceProfileSummaries": [*_list_profiles()] if kind == "SYSTEM_DEFINED" else []
            }
        case "GetInferenceProfile":
            profile = labels.get("inferenceProfileIdentifier", "").rpartition("/")[2]
            return next(
                (each for each in _list_profiles() if each["inferenceProfileId"] == profile), None
            )
    return None


def _matches(summary: dict[str, JsonValue], wanted: dict[str, str]) -> bool:
    provider, output, inference = (
        wanted.get(f"by{key}") for key in ("Provider", "OutputModality", "InferenceType")
    )
    return (
        (provider is None or str(summary["providerName"]).lower() == provider.lower())
        and (output is None or output in str(summary["outputModalities"]))
        and (inference is None or inference in str(summary["inferenceTypesSupported"]))
        and "byCustomizationType" not in wanted
    )


def _list_profiles() -> Iterator[dict[str, JsonValue]]:
    for model in _MODELS:
        for prefix in model.profiles:
            profile = f"{prefix}.{model.summary['modelId']}"
            yield {
                "inferenceProfileId": profile,
                "inferenceProfileArn": f"{_PROFILE_ARN}{profile}",
                "inferenceProfileName": f"{prefix.upper()} {model.summary['modelName']}",
                "models": [{"modelArn": model.summary["modelArn"]}],
                "status": "ACTIVE",
                "type": "SYSTEM_DEFINED",
            }
