"""A recording of every inference API, whole and streamed. Converse is the reference."""

from random import Random
from typing import Any

from bedtape_cassettes.addresses import MANTLE, RUNTIME
from bedtape_cassettes.families.content import Content, Embeddings, Message, Text, ToolUse, Usage
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.model import Body, Interaction, Request, Response

QUESTION, SAID = "Weather in Oslo?", "It rains in Oslo, and the wind blows all day."
_MESSAGES = [{"role": "user", "content": QUESTION}]
CLAUDE, OSS, GPT, NOVA = (
    "anthropic.claude-haiku-4-5",
    "openai.gpt-oss-20b",
    "openai.gpt-5.4",
    "amazon.nova-lite-v1:0",
)
_CONVERSE = {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]}
# By name: the operation, the model, the service, the path and the body of the request.
APIS: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "Converse": ("Converse", NOVA, RUNTIME, "/model/amazon.nova-lite-v1%3A0/converse", _CONVERSE),
    "Chat Completions": (
        "ChatCompletions",
        OSS,
        MANTLE,
        "/v1/chat/completions",
        {"messages": _MESSAGES},
    ),
    "Responses of gpt-oss": ("Responses", OSS, MANTLE, "/v1/responses", {"input": QUESTION}),
    "Responses of GPT": ("Responses", GPT, MANTLE, "/openai/v1/responses", {"input": QUESTION}),
    "Messages": (
        "Messages",
        CLAUDE,
        MANTLE,
        "/anthropic/v1/messages",
        {"messages": _MESSAGES, "max_tokens": 99},
    ),
    "CountTokens": (
        "CountTokens",
        CLAUDE,
        RUNTIME,
        f"/model/{CLAUDE}/count-tokens",
        {"input": {"converse": _CONVERSE}},
    ),
    "count_tokens": (
        "CountMessageTokens",
        CLAUDE,
        MANTLE,
        "/anthropic/v1/messages/count_tokens",
        {"messages": _MESSAGES},
    ),
    "embeddings": (
        "Embeddings",
        "openai.embed",
        MANTLE,
        "/openai/v1/embeddings",
        {"input": QUESTION},
    ),
}
# The APIs that answer with a message, whole and streamed, and the others.
MESSAGES = [(name, stream) for name in list(APIS)[:5] for stream in (False, True)]
COUNTS = [(name, False) for name in list(APIS)[5:]]


def name_case(case: tuple[str, bool]) -> str:
    """The id of a test."""
    return f"{case[0]}, {'streamed' if case[1] else 'whole'}"


def record(name: str, *, stream: bool, text: str = SAID) -> Interaction:
    """A call of the API, as it is recorded.

    The answer is a text and a call of a tool, with 11 tokens in and 22 out.
    """
    operation, model, service, path, body = APIS[name]
    if operation == "Converse" and stream:
        operation, path = "ConverseStream", f"{path}-stream"
    elif service == MANTLE:
        body = {**body, "model": model, "stream": stream, "stream_options": {"include_usage": True}}
    data = bodies.compact(body)
    usage = Usage(input=11, output=22)
    content: Content = Message(
        (Text(text), ToolUse("weather", {"city": "Oslo"})), "tool_use", usage=usage
    )
    if operation == "Embeddings":
        content = Embeddings(((0.5, 0.25),), usage=usage)
    answer = render(
        content, operation=operation, model=model, body=data, chance=Random(1), service=service
    )
    request = Request(
        "POST", path, (("content-type", "application/json"),), bodies.read_request_body(data)
    )
    return Interaction(operation, model, request, answer)


def read_bytes(response: Response) -> bytes:
    """The body as it goes over the wire, without padding."""
    if isinstance(response.body, Body):
        return response.body.data
    frames = (
        eventstream.encode_strings(e.headers, e.payload) if e.headers else e.payload
        for e in response.body.events
    )
    return b"".join(frames)
