"""The real errors of ../shared/real-errors.md: the request that causes each gets its
status, its name and its words.

An error that a request alone does not decide, or that one source reports, is in
`NOT_CHECKED` with the reason.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from bedtape_cassettes.addresses import MANTLE, RUNTIME
from bedtape_replayer.engine.validation import find_refusal
from bedtape_replayer.engine.validation.known_errors import ROWS
from support.corpus import ROOT

LIST = Path(os.environ.get("BEDTAPE_REAL_ERRORS") or ROOT.parent / "real-errors.md")
pytestmark = pytest.mark.skipif(
    not LIST.is_file(),
    reason=(
        f"the list of real errors is not at {LIST}; put it there, or name it in BEDTAPE_REAL_ERRORS"
    ),
)

HAIKU_3 = "anthropic.claude-3-haiku-20240307-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
LLAMA_3B = "us.meta.llama3-2-3b-instruct-v1:0"
MINISTRAL = "mistral.ministral-3-8b-instruct"
NOVA = "us.amazon.nova-lite-v1:0"
MICRO = "amazon.nova-micro-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
GPT = "openai.gpt-5.6-sol"
OPUS_5 = "us.anthropic.claude-opus-5"


def turn(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"text": b} if isinstance(b, str) else b for b in blocks]}


def converse(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages or [turn("user", "Hello")]), **more}


def offer(schema: Any = None, **spec: Any) -> dict[str, Any]:
    return {
        "tools": [
            {
                "toolSpec": {
                    "name": "a",
                    "inputSchema": {"json": schema or {"type": "object"}},
                    **spec,
                }
            }
        ]
    }


def use(*ids: str, **members: Any) -> dict[str, Any]:
    return turn(
        "assistant",
        *({"toolUse": {"toolUseId": i, "name": "a", "input": {}, **members}} for i in ids),
    )


def result(*content: Any, **members: Any) -> dict[str, Any]:
    """A tool result of `tooluse_1`, unless the members have another id."""
    return {
        "toolResult": {
            "toolUseId": "tooluse_1",
            "content": list(content or [{"text": "x"}]),
            **members,
        }
    }


def source(kind: str, form: str, **where: Any) -> dict[str, Any]:
    return {kind: {"format": form, "source": where or {"bytes": "AAAA"}}}


def document(name: str = "a", **where: Any) -> dict[str, Any]:
    return {"document": {"format": "pdf", "name": name, "source": where or {"bytes": "AAAA"}}}


def configure(**config: Any) -> dict[str, Any]:
    return converse(inferenceConfig=config)


def add(**fields: Any) -> dict[str, Any]:
    return converse(additionalModelRequestFields=fields)


class Cause(NamedTuple):
    """A request that causes an error."""

    model: str
    body: Any
    operation: str = "Converse"
    service: str = RUNTIME
    path: str = ""


USER, ANSWER = turn("user", "Hello"), turn("assistant", "Hi")
USE = use("tooluse_1")
FORCED = {**offer(), "toolChoice": {"any": {}}}
ARRAY = {
    "type": "object",
    "properties": {"a": {"type": "array", "maxItems": 2}},
    "additionalProperties": False,
}
MESSAGES = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9}
S3 = {"s3Location": {"uri": "s3://bucket/a"}}
LONG = "x" * 10_000_002
CHAT = "/v1/chat/completions"

CAUSES: dict[int, Cause | list[Cause]] = {
    1: (
        [Cause(model, converse(turn("user", ""))) for model in (NOVA, LLAMA, "us.deepseek.r1-v1:0")]
        + [Cause(NOVA, converse(turn("user", " \n")))]
    ),
    2: Cause(
        HAIKU, {**MESSAGES, "messages": [turn("user", {"type": "text", "text": ""})]}, "InvokeModel"
    ),
    4: [Cause(NOVA, converse(ANSWER, USER)), Cause(HAIKU, {"messages": []})],
    5: Cause(LLAMA, converse(USER, USER)),
    10: Cause(HAIKU, {**MESSAGES, "messages": [{"role": "user", "content": []}]}, "InvokeModel"),
    12: Cause("mistral.mistral-7b-instruct-v0:2", converse(system=[{"text": "Be brief."}])),
    13: Cause(
        HAIKU_3,
        converse(
            turn(
                "user",
                "a",
                {"reasoningContent": {"reasoningText": {"text": "b", "signature": "c"}}},
            )
        ),
    ),
    14: Cause(HAIKU, converse(USER, turn("assistant", {"cachePoint": {"type": "default"}}), USER)),
    16: Cause(NOVA, converse(USER, USE, USER, toolConfig=offer())),
    17: Cause(SONNET, converse(*(USER, ANSWER) * 3, USE, USER, toolConfig=offer())),
    18: Cause(NOVA, converse(turn("user", result()), toolConfig=offer())),
    19: Cause(
        MINISTRAL,
        converse(
            USER,
            use("tooluseAc", "tooluseAc"),
            turn("user", result(toolUseId="tooluseAc")),
            toolConfig=offer(),
        ),
    ),
    20: Cause(NOVA, converse(USER, USE, turn("user", result()))),
    21: Cause(LLAMA, converse(USER, USE, turn("user", result(), "b"), toolConfig=offer())),
    23: Cause(
        NOVA,
        converse(
            USER,
            USE,
            turn(
                "user", {"toolResult": {"toolUseId": "tooluse_1", "status": "error", "content": []}}
            ),
            toolConfig=offer(),
        ),
    ),
    24: [
        Cause(NOVA, converse(USER, USE, turn("user", result({"json": value}))))
        for value in ([1], "a", 1)
    ],
    25: Cause(NOVA, converse(USER, use("tooluse_1", input="{}"))),
    26: Cause(
        NOVA,
        converse(
            toolConfig={"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": "{}"}}}]}
        ),
    ),
    27: Cause(
        SONNET,
        converse(
            USER, turn("assistant", {"toolUse": {"toolUseId": "t", "name": "a.b", "input": {}}})
        ),
    ),
    29: Cause(LLAMA_3B, converse(toolConfig=offer())),
    30: Cause(LLAMA, converse(toolConfig=offer()), "ConverseStream"),
    32: Cause(
        "openai.gpt-oss-20b-1:0",
        converse(toolConfig={**offer(), "toolChoice": {"tool": {"name": "a"}}}),
    ),
    33: [
        Cause(
            "us.anthropic.claude-opus-5-5", converse(toolConfig={**offer(), "toolChoice": choice})
        )
        for choice in ({"any": {}}, {"tool": {"name": "a"}})
    ],
    34: Cause(
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
        {**add(thinking={"type": "enabled", "budget_tokens": 1024}), "toolConfig": FORCED},
    ),
    35: Cause("us.anthropic.claude-sonnet-5", converse(toolConfig=offer(strict=True))),
    36: Cause(SONNET, converse(toolConfig=offer(strict=True))),
    37: Cause(SONNET, add(output_config={"format": {"type": "json_schema", "schema": ARRAY}})),
    39: Cause(GPT, configure(topP=0.5)),
    40: [
        Cause(model, configure(stopSequences=["a"])) for model in (GPT, "openai.gpt-oss-120b-1:0")
    ],
    41: [
        Cause(model, configure(temperature=0.5))
        for model in (OPUS_5, "global.anthropic.claude-sonnet-5")
    ],
    42: Cause(OPUS_5, configure(topP=0.5)),
    43: [Cause(model, configure(temperature=0.5, topP=0.5)) for model in (HAIKU, SONNET)],
    44: Cause(NOVA, configure(maxTokens=10_001)),
    45: Cause(
        NOVA_2,
        {
            **add(reasoningConfig={"type": "enabled", "maxReasoningEffort": "high"}),
            "inferenceConfig": {"maxTokens": 9},
        },
    ),
    46: Cause(MICRO, add(reasoningConfig={"type": "enabled", "maxReasoningEffort": "low"})),
    47: Cause("us." + GPT, add(reasoningConfig={"type": "enabled"})),
    56: Cause(MICRO, converse(turn("user", "a", source("image", "png")))),
    57: Cause(HAIKU, converse(turn("user", "a", source("video", "mp4")))),
    58: Cause("openai.gpt-oss-20b-1:0", converse(turn("user", "a", source("image", "png")))),
    59: Cause(HAIKU, converse(turn("user", "a", source("image", "png", **S3)))),
    61: [
        Cause(HAIKU, converse(turn("user", "a", document(name))))
        for name in ("John's", "#1", "a&b", "é", "a  b", "a\tb")
    ],
    62: Cause(HAIKU, converse(turn("user", "a", document("a" * 201)))),
    63: [Cause(model, converse(turn("user", document()))) for model in (HAIKU, NOVA)],
    70: Cause(NOVA, converse(USER, USE, turn("user", result(document(**S3))), toolConfig=offer())),
    72: Cause(
        "us.anthropic.claude-3-5-haiku-20241022-v1:0",
        {**MESSAGES, "messages": [{"role": "user", "content": LONG}]},
        "InvokeModel",
    ),
    77: Cause(HAIKU, b"{", "InvokeModel"),
    78: Cause(MICRO, {"messages": [turn("user", {"type": "text"})]}, "InvokeModel"),
    79: Cause(MICRO, {"messages": [turn("user", {"inputText": "a", "text": "a"})]}, "InvokeModel"),
    82: Cause(
        "anthropic.claude-3-5-haiku-20241022-v1:0",
        {**MESSAGES, "messages": [{"role": "user", "content": {}}]},
        "InvokeModel",
    ),
    83: Cause("cohere.embed-v4:0", {"inputText": "a"}, "InvokeModel"),
    91: [
        Cause("anthropic.claude-haiku-4-5-20251001-v1:0", converse()),
        Cause(
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            {**MESSAGES, "messages": [USER]},
            "InvokeModel",
        ),
    ],
    118: Cause(
        "openai.gpt-oss-20b-1:0",
        {
            "model": "openai.gpt-oss-20b-1:0",
            "stream": True,
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
            ],
        },
        "ChatCompletions",
        RUNTIME,
        f"/openai{CHAT}",
    ),
    119: Cause(
        "",
        {"model": "google.gemma-4-31b", "messages": [{"role": "user", "content": "a"}]},
        "ChatCompletions",
        MANTLE,
        CHAT,
    ),
    120: Cause(
        "",
        {"model": "openai.gpt-5.6-terra", "messages": [{"role": "user", "content": "a"}]},
        "ChatCompletions",
        MANTLE,
        CHAT,
    ),
}

ONE_SOURCE = "one source reports it"
SERVER = "the account, the keys, the load or the model decides it, and not the request"
CONTRADICTED = "a recorded answer of the same model contradicts it"
UNKNOWN_LIMIT = "the limit, the list or the place is not known"
NOT_CHECKED = {
    **dict.fromkeys(
        (3, 6, 7, 9, 22, 28, 31, 52, 64, 65, 66, 67, 68, 80, 81, 84, 85, 87, 88, 92, 108, 121),
        ONE_SOURCE,
    ),
    **dict.fromkeys(
        (15, 38, 48, 60, 74, 90, 93, *range(95, 108), *range(109, 118), 122, *range(123, 127)),
        SERVER,
    ),
    **dict.fromkeys((8, 94), CONTRADICTED),
    **dict.fromkeys((49, 50, 51, 69, 71, 73, 75, 76, 86, 89), UNKNOWN_LIMIT),
    11: "`system` is a role since 2026",
    **dict.fromkeys((53, 54, 55), "reported of Claude behind other doors than Bedrock"),
}


class RealError(NamedTuple):
    """A row of the list. message: a pattern."""

    status: str
    name: str
    message: str


_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| (`+) (.*?) \4 \| ")


def read_list() -> dict[int, RealError]:
    """Read the rows by number. `…` stands for any text, and N and M in a place for any number."""
    rows = {}
    for line in LIST.read_text().splitlines() if LIST.is_file() else ():
        if match := _ROW.match(line):
            text = match[5].partition(" (bedrock-runtime")[0].strip()
            pattern = re.escape(text).replace("…", ".+")
            rows[int(match[1])] = RealError(
                match[2], match[3], re.sub(r"(?<=\\\.)[NM](?=\\\.)", r"\\d+", pattern)
            )
    return rows


REAL = read_list()
CASES = [
    pytest.param(number, cause, id=f"{number}-{at}")
    for number, causes in CAUSES.items()
    for at, cause in enumerate(causes if isinstance(causes, list) else [causes])
]


def _sort(message: str) -> list[str]:
    """The parts of a message about a schema, whose checker names two types in either order."""
    return sorted(re.split("#|, please", message))


@pytest.mark.parametrize(("number", "cause"), CASES)
def test_the_request_that_causes_it_gets_it(number: int, cause: Cause) -> None:
    real = REAL[number]
    data = cause.body if isinstance(cause.body, bytes) else orjson.dumps(cause.body)
    refusal = find_refusal(
        cause.operation, cause.model, data, path=cause.path, service=cause.service
    )
    assert refusal is not None
    if real.name == "body":
        response = refusal.build_response("openai", cause.service)
        body: Any = json.loads(response.body.data)  # type: ignore[union-attr]
        wanted = json.loads(re.sub(r"\\(.)", r"\1", real.message))
        assert (str(response.status), body) == (real.status, wanted)
        return
    assert (str(refusal.status), refusal.error) == (real.status, real.name)
    message = refusal.message or ""
    assert re.fullmatch(real.message, message) or _sort(
        re.sub(r"\\(.)", r"\1", real.message)
    ) == _sort(message)


def test_every_real_error_is_caused_or_has_a_reason() -> None:
    assert sorted([*CAUSES, *NOT_CHECKED]) == sorted(REAL)
    assert len(REAL) >= 126
    assert {row.number for row in ROWS} <= set(CAUSES)


def test_rows_name_their_source_and_their_year() -> None:
    assert all(row.source and 2023 <= row.year <= 2026 and row.models for row in ROWS)
    assert not any(glob == "*" for row in ROWS for glob in row.models)  # unknown models pass


def test_an_unknown_model_gets_none_of_the_table() -> None:
    bodies = [
        cause.values[1].body for cause in CASES if cause.values[0] in {row.number for row in ROWS}
    ]  # type: ignore[union-attr]
    for body in bodies:
        refusal = (
            find_refusal("Converse", "my-model", orjson.dumps(body))
            if "anthropic_version" not in body
            else None
        )
        assert (
            refusal is None
            or "validation error" in str(refusal.message)
            or "toolResult" in str(refusal.message)
        )
