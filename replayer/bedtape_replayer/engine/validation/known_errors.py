"""Errors that real requests got from Bedrock, as a table: the models, the part of the request,
the text, source and year.

A row is recorded, or reported by two sources, and no recorded answer contradicts it. What
documentation alone says is not here. `conversation` and `native` contain the rules that compare
several parts of a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from bedtape_cassettes.families.table import strip_profile
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.engine.validation.request_parts import (
    Part,
    above_tokens,
    all_of,
    any_of,
    find_document_without_text,
    find_duplicate_tool_ids,
    find_empty_text,
    find_lone_cache_point,
    find_max_items,
    find_open_strict_tool,
    find_part,
    find_reasoning_of_user,
    find_too_many_bytes,
)

__all__ = ["ROWS", "KnownError", "find_known_error"]

JsonObject = dict[str, JsonValue]

_CONVERSE = ("Converse", "ConverseStream")
_INVOKE = ("InvokeModel", "InvokeModelWithResponseStream")


@dataclass(frozen=True, slots=True)
class KnownError:
    """One error. The message contains `{0}`, `{1}` for the indexes of lists
    where the mistake was found.

    number: the row in the list of real errors that the tests read. models: globs of model ids
    without inference profile; with `whole`, of the ids as they are sent. find: the part of the
    request that is the mistake.
    """

    number: int
    models: tuple[str, ...]
    find: Part
    message: str
    source: str
    year: int
    operations: tuple[str, ...] = _CONVERSE
    whole: bool = False


def find_known_error(operation: str, model: str, body: JsonObject) -> str | None:
    """Return the message of the first row that the request matches, or None."""
    for row in _select_rows(operation, model):
        if (indexes := find_part(row.find, body)) is not None:
            return row.message.format(*indexes, model=model) if "{" in row.message else row.message
    return None


@lru_cache(maxsize=1024)
def _select_rows(operation: str, model: str) -> tuple[KnownError, ...]:
    name = strip_profile(model)
    return tuple(
        row
        for row in ROWS
        if operation in row.operations
        and any(fnmatchcase(model if row.whole else name, glob) for glob in row.models)
    )


# -- the table -------------------------------------------------------------------------------------

_PREFIX = "The model returned the following errors: "
_CLAUDE = ("anthropic.*",)
_FORCED = any_of("toolConfig.toolChoice.any", "toolConfig.toolChoice.tool")
_THINKING = "additionalModelRequestFields.thinking.type=enabled"
_REASONING = "additionalModelRequestFields.reasoningConfig"
_VERCEL = "recorded: vercel/ai"
# Models that Bedrock serves through inference profiles only, in every region where somebody called
# them. Models that answered such a call in another region are not here.
_PROFILE_ONLY = (
    "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "anthropic.claude-3-opus-20240229-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-opus-4-1-20250805-v1:0",
    "anthropic.claude-opus-4-20250514-v1:0",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "deepseek.r1-v1:0",
    "meta.llama3-1-8b-instruct-v1:0",
    "meta.llama3-2-11b-instruct-v1:0",
    "meta.llama3-2-3b-instruct-v1:0",
    "meta.llama3-2-90b-instruct-v1:0",
    "meta.llama4-maverick-17b-instruct-v1:0",
)


def _refuse_field(field: str) -> str:
    return f"This model doesn't support the {field} field. Remove {field} and try again."


# The rows of Bedrock's front come first, because it looks at a request before the model does.
ROWS: tuple[KnownError, ...] = (
    KnownError(
        91,
        _PROFILE_ONLY,
        lambda body: (),  # noqa: ARG005 - the model id is the mistake
        "Invocation of model ID {model} with on-demand throughput isn’t supported. Retry your"
        " request with the ID or ARN of an inference profile that contains this model.",
        "recorded: req_llm, rig",
        2025,
        (*_CONVERSE, *_INVOKE),
        whole=True,
    ),
    KnownError(
        12,
        (
            "mistral.mistral-7b-instruct-*",
            "mistral.mixtral-8x7b-*",
            "amazon.titan-text-*",
            "amazon.titan-tg1-*",
        ),
        "system.*.text",
        "This model doesn't support system messages. Try again without a system message or use a"
        " model that supports system messages.",
        "several logs",
        2026,
    ),
    KnownError(
        13,
        _CLAUDE,
        find_reasoning_of_user,
        "User messages cannot contain reasoning content. Please remove the reasoning content and"
        " try again.",
        _VERCEL,
        2025,
    ),
    KnownError(
        14,
        ("anthropic.*", "amazon.nova*"),
        find_lone_cache_point,
        "There is nothing available to cache. Please remove the invalid cache point and try again.",
        _VERCEL,
        2026,
    ),
    KnownError(
        19,
        ("mistral.*", "anthropic.*", "amazon.nova*", "meta.*", "cohere.*"),
        find_duplicate_tool_ids,
        "The toolUse blocks at messages.{0}.content contain duplicate Ids: {1}",
        _VERCEL,
        2026,
    ),
    KnownError(
        29,
        ("meta.llama3-2-3b-*",),
        "toolConfig.tools.*",
        "This model doesn't support tool use.",
        "recorded: req_llm",
        2025,
    ),
    KnownError(
        30,
        (
            "meta.*",
            "mistral.pixtral-*",
            "mistral.mistral-large-2402-*",
            "writer.palmyra-*",
            "deepseek.r1-*",
        ),
        "toolConfig.tools.*",
        "This model doesn't support tool use in streaming mode.",
        "several; one counts 8 of 18 models",
        2025,
        ("ConverseStream",),
    ),
    KnownError(
        32,
        ("openai.gpt-oss-*", "mistral.mistral-large-2402-*"),
        "toolConfig.toolChoice.tool",
        "This model doesn't support the toolConfig.toolChoice.tool field. Remove"
        " toolConfig.toolChoice.tool and try again.",
        "vercel/ai#4396; several",
        2025,
    ),
    KnownError(
        39, ("openai.gpt-5.6*",), "inferenceConfig.topP", _refuse_field("topP"), _VERCEL, 2026
    ),
    KnownError(
        40,
        ("openai.gpt-5.6*", "openai.gpt-oss-*"),
        "inferenceConfig.stopSequences.*",
        _refuse_field("stopSequences"),
        _VERCEL,
        2026,
    ),
    *(
        KnownError(
            44,
            models,
            above_tokens(limit),
            f"The maximum tokens you requested exceeds the model limit of {limit}. Try again with a"
            f" maximum tokens value that is lower than {limit}.",
            "several",
            2025,
        )
        for limit, models in (
            (10_000, ("amazon.nova-micro-*", "amazon.nova-lite-*", "amazon.nova-pro-*")),
            (
                4_096,
                (
                    "anthropic.claude-3-haiku-*",
                    "anthropic.claude-3-sonnet-*",
                    "anthropic.claude-3-opus-*",
                ),
            ),
        )
    ),
    KnownError(
        56,
        ("amazon.nova-micro-*",),
        "messages.*.content.*.image",
        "This model doesn't support the image content block that you provided. Update the content"
        " block and try again.",
        "probed 2026-10-10; several",
        2026,
    ),
    KnownError(
        57,
        _CLAUDE,
        any_of("messages.*.content.*.video", "messages.*.content.*.toolResult.content.*.video"),
        "This model doesn't support the video content block that you provided. Update the content"
        " block and try again.",
        "recorded: pydantic-ai",
        2025,
    ),
    KnownError(
        58,
        ("openai.gpt-oss-*",),
        any_of("messages.*.content.*.image", "messages.*.content.*.toolResult.content.*.image"),
        "This model doesn't support the image field for user messages. Remove image and try again.",
        _VERCEL,
        2026,
    ),
    KnownError(
        59,
        _CLAUDE,
        any_of(
            "messages.*.content.*.?.source.s3Location",
            "messages.*.content.*.toolResult.content.*.?.source.s3Location",
        ),
        _refuse_field("s3Uri"),
        "recorded: pydantic-ai",
        2025,
    ),
    KnownError(
        63,
        ("anthropic.*", "amazon.nova*", "meta.*", "mistral.*", "cohere.*"),
        find_document_without_text,
        "A text block must be included when using documents. Add a text block and retry your"
        " request.",
        "a project's table of errors; AWS's reference of DocumentBlock",
        2025,
    ),
    # What the model's own server refuses.
    KnownError(
        2,
        ("anthropic.claude-*",),
        find_empty_text,
        "messages: text content blocks must be non-empty",
        "epam/ai-dial-adapter-bedrock; the field's reports of 2026",
        2025,
        _INVOKE,
    ),
    KnownError(
        72,
        ("anthropic.claude-*",),
        find_too_many_bytes,
        "too many total text bytes: {0} > 9000000",
        "recorded: ruby_llm",
        2025,
        _INVOKE,
    ),
    KnownError(
        33,
        ("anthropic.claude-opus-5-5*",),
        _FORCED,
        _PREFIX + 'tool_choice: type "tool" and "any" are not supported for this model.',
        _VERCEL,
        2026,
    ),
    KnownError(
        34,
        _CLAUDE,
        all_of(_THINKING, _FORCED),
        _PREFIX + "Thinking may not be enabled when tool_choice forces tool use.",
        _VERCEL,
        2025,
    ),
    KnownError(
        35,
        ("anthropic.claude-sonnet-5*",),
        "toolConfig.tools.*.toolSpec.strict=True",
        _PREFIX + "tools.{0}.custom.strict: Extra inputs are not permitted",
        _VERCEL,
        2026,
    ),
    KnownError(
        36,
        _CLAUDE,
        find_open_strict_tool,
        _PREFIX
        + "tools.{0}.custom: For 'object' type, 'additionalProperties' must be explicitly set to"
        " false",
        _VERCEL,
        2026,
    ),
    KnownError(
        37,
        ("anthropic.claude-sonnet-4-5*",),
        find_max_items,
        _PREFIX
        + "output_config.format.schema: For 'array' type, property 'maxItems' is not supported",
        _VERCEL,
        2026,
    ),
    KnownError(
        41,
        ("anthropic.claude-opus-5*", "anthropic.claude-sonnet-5*"),
        "inferenceConfig.temperature",
        _PREFIX + "`temperature` is deprecated for this model.",
        _VERCEL,
        2026,
    ),
    KnownError(
        42,
        ("anthropic.claude-opus-5*",),
        "inferenceConfig.topP",
        _PREFIX + "`top_p` is deprecated for this model.",
        _VERCEL,
        2026,
    ),
    KnownError(
        43,
        (
            "anthropic.claude-haiku-4-5*",
            "anthropic.claude-sonnet-4-[56]*",
            "anthropic.claude-opus-4-[56]*",
        ),
        ("inferenceConfig.temperature", "inferenceConfig.topP"),
        _PREFIX
        + "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        "several logs",
        2026,
    ),
    KnownError(
        45,
        ("amazon.nova-2-lite-*",),
        (
            f"{_REASONING}.type=enabled",
            f"{_REASONING}.maxReasoningEffort=high",
            "inferenceConfig.maxTokens",
        ),
        _PREFIX
        + "`maxTokens` must be unset when reasoningConfig type is 'enabled' and maxReasoningEffort"
        " is 'high'. Please consult our documentation at"
        " https://docs.aws.amazon.com/nova/latest/userguide",
        _VERCEL,
        2026,
    ),
    KnownError(
        46,
        ("amazon.nova-micro-*",),
        _REASONING,
        _PREFIX
        + "Malformed input request: the provided reasoning config value is invalid, please reformat"
        " your input and try again.",
        _VERCEL,
        2026,
    ),
    KnownError(
        47,
        ("openai.gpt-5*",),
        _REASONING,
        _PREFIX + '{{"error":{{"code":"unknown_parameter","message":"Unknown parameter:'
        ' \'reasoningConfig\'.","param":"reasoningConfig","type":"invalid_request_error"}}}}',
        _VERCEL,
        2026,
    ),
    KnownError(
        70,
        ("amazon.nova-*",),
        "messages.*.content.*.toolResult.content.*.document.source.s3Location",
        _PREFIX
        + "Malformed input request: #/messages/{0}/content/{1}: extraneous key [toolResult] is not"
        " permitted, please reformat your input and try again.",
        "recorded: pydantic-ai",
        2025,
    ),
    KnownError(
        83,
        ("cohere.embed-v4*",),
        "inputText",
        "Malformed request. Please check your parameter/values and try again.",
        _VERCEL,
        2026,
        _INVOKE,
    ),
)
