"""A model family is one declaration: every reader of answers uses it, and no other
room has its member names.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bedtape_cassettes.families import table
from bedtape_cassettes.families.content import (
    Content,
    Embeddings,
    Message,
    Prompt,
    Text,
    Turn,
    Usage,
)
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.models.responses import RESPONSES
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.model import Body, Events, Interaction, JsonValue, Response
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.assign import assign, parse_assignments
from bedtape_cassettes.suites.listing import total_by_operation
from bedtape_cassettes.suites.show import render_transcript
from bedtape_recorder.drift.comparison import find_drifts
from support.calls import CLAUDE
from support.capturing import CaptureRun
from support.recordings import path, record_interaction
from support.scene import Scene

ROOT = Path(__file__).parents[2]
JSON, STREAM, SSE = (
    (("content-type", kind),)
    for kind in ("application/json", bodies.EVENT_STREAM, bodies.SERVER_SENT)
)
Counts = tuple[int, int]


# -- four readers ----------------------------------------------------------------------------------


def _bytes(body: Body | Events) -> bytes:
    if isinstance(body, Body):
        return body.data
    return b"".join(
        eventstream.encode_strings(e.headers, e.payload) if e.headers else e.payload
        for e in body.events
    )


def _recorder(interaction: Interaction, folder: Path) -> Counts:
    request, response, taken = interaction.request, interaction.response, CaptureRun()
    body = _bytes(response.body)
    taken.exchange(
        request.path, request.body.data, body, method=request.method, headers=response.headers
    )
    return taken.recover(folder).tokens


def _stats(interaction: Interaction) -> Counts:
    (total,) = total_by_operation([interaction])
    return total.tokens_in, total.tokens_out


def _show(interaction: Interaction) -> Counts:
    last = render_transcript("made", 1, interaction)[-1].text
    match = re.fullmatch(
        r"usage: (\d+) tokens in, (\d+) out(?:, (\d+) read from the cache)?(?:, (\d+) written to"
        r" it)?",
        last,
    )
    sent, out, read, written = [int(number or 0) for number in match.groups()] if match else [0] * 4
    return sent + read + written, out


def _history(interaction: Interaction) -> Counts:
    request = interaction.request
    usage = Scene(interaction).send(request.body.data, url=request.path).usage
    return (usage.total_input, usage.output) if usage else (0, 0)


def _counts(interaction: Interaction, folder: Path) -> Counts:
    """The counts that all four readers agree on."""
    counts = {
        "recorder": _recorder(interaction, folder),
        "stats": _stats(interaction),
        "show": _show(interaction),
        "history": _history(interaction),
    }
    assert len(set(counts.values())) == 1, counts
    return counts["stats"]


# One model of every family that counts tokens; `completions` has no model id of its own.
MODELS = {
    "anthropic_text": "anthropic.claude-v2:1",
    "anthropic": CLAUDE,
    "cohere_embed": "cohere.embed-english-v3",
    "nova": "us.amazon.nova-lite-v1:0",
    "titan_embed": "amazon.titan-embed-text-v2:0",
    "openai": "openai.gpt-oss-20b-1:0",
    "mistral_text": "mistral.mistral-7b-instruct-v0:2",
    "mistral_chat": "mistral.mistral-large-2407-v1:0",
    "jamba": "ai21.jamba-1-5-mini-v1:0",
    "ai21_j2": "ai21.j2-mid-v1",
    "writer": "writer.palmyra-x5-v1:0",
    "deepseek": "deepseek.r1-v1:0",
    "llama": "meta.llama3-8b-instruct-v1:0",
    "cohere_command": "cohere.command-text-v14",
    "cohere_chat": "cohere.command-r-v1:0",
    "titan_text": "amazon.titan-text-express-v1",
    "twelvelabs_pegasus": "twelvelabs.pegasus-1-2-v1:0",
    "completions": "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl",
}
URLS = {
    "Converse": "converse",
    "ConverseStream": "converse-stream",
    "InvokeModel": "invoke",
    "InvokeModelWithResponseStream": "invoke-with-response-stream",
}
_VECTORS = ("cohere_embed", "titan_embed")
# Families without counts in their answers to Converse's equal (an image, a ranking), or
# without any counts at all.
_UNCOUNTED = {
    "amazon_image",
    "amazon_rerank",
    "cohere_rerank",
    "nova_embed",
    "stability",
    "twelvelabs_marengo",
}


def _rendered(family: str, operation: str, usage: Usage) -> Interaction:
    model = MODELS.get(family, CLAUDE)
    words = {"prompt": "Hi"} if "prompt" in str(_family(family).required) else {}
    request = bodies.compact({"inputText": "Hi", "texts": ["Hi"], "stream": True, **words})
    content: Content = Message((Text("Hello there."),), usage=usage)
    if family in _VECTORS:
        content = Embeddings(usage=Usage(usage.input, 0))
    named = None if family == "converse" else family
    made = render(
        content, operation=operation, model=model, body=request, chance=Random(1), family=named
    )
    return record_interaction(
        request, _bytes(made.body), url=path(URLS[operation], model), headers=made.headers
    )


def _family(name: str) -> Family:
    return next(family for family in table.FAMILIES if family.name == name)


def _cases() -> Iterator[Any]:
    for family in table.FAMILIES:
        if family.name not in _UNCOUNTED:
            whole, streamed = list(URLS)[:2] if family.name == "converse" else list(URLS)[2:]
            for operation in (whole, streamed) if family.stream else (whole,):
                yield pytest.param(family.name, operation, id=f"{family.name}-{operation}")


@pytest.mark.parametrize(("family", "operation"), list(_cases()))
def test_all_readers_count_the_same_tokens(family: str, operation: str, tmp_path: Path) -> None:
    expected = (70, 0) if family in _VECTORS else (70, 12)
    assert _counts(_rendered(family, operation, Usage(70, 12)), tmp_path / "plain") == expected
    sent, output = _counts(_rendered(family, operation, Usage(70, 12, 3, 4)), tmp_path / "cached")
    assert (70 <= sent <= 77, output) == (True, expected[1])


_CHAT = {"usage": {"prompt_tokens": 70, "completion_tokens": 12, "total_tokens": 82}}
_RESPONSE = {"usage": {"input_tokens": 70, "output_tokens": 12, "total_tokens": 82}}
_MESSAGE = {"usage": {"input_tokens": 70, "output_tokens": 1}, "content": []}
# A request's path, the JSON of an answer or of each server-sent event, and what is counted.
APIS: dict[str, tuple[str, JsonValue, Counts]] = {
    "Chat Completions": ("/v1/chat/completions", {"choices": [], **_CHAT}, (70, 12)),
    "Chat Completions, streamed": (
        "/v1/chat/completions",
        [{"choices": []}, {"choices": [], **_CHAT}],
        (70, 12),
    ),
    "Responses": ("/v1/responses", {"output": [], **_RESPONSE}, (70, 12)),
    "Responses, streamed": (
        "/v1/responses",
        [{"response": {}}, {"delta": "a"}, {"response": _RESPONSE}],
        (70, 12),
    ),
    "Messages, streamed": (
        "/anthropic/v1/messages",
        [
            {"type": "message_start", "message": _MESSAGE},
            {"type": "message_delta", "usage": {"output_tokens": 12}},
        ],
        (70, 12),
    ),
    "CountTokens": (path("count-tokens"), {"inputTokens": 70}, (70, 0)),
    "an unknown model": (
        path("invoke", "acme.new-v1"),
        {"usage": {"output_tokens": 12, "input_tokens": 70}},
        (70, 12),
    ),
    "a count that a guardrail made a float": (
        path("invoke", "amazon.titan-text-express-v1"),
        {"inputTextTokenCount": 70.0, "results": [{"tokenCount": 12.0, "outputText": "No."}]},
        (70, 12),
    ),
    "an answer without counts": (path("invoke", CLAUDE), {"content": []}, (0, 0)),
}


@pytest.mark.parametrize("name", APIS)
def test_all_readers_count_the_same_tokens_of_an_api(name: str, tmp_path: Path) -> None:
    url, answer, expected = APIS[name]
    streamed = isinstance(answer, list)
    data = (
        b"".join(map(bodies.seal_data, answer))
        if isinstance(answer, list)
        else bodies.compact(answer)
    )
    made = record_interaction(b"{}", data, url=url, headers=SSE if streamed else JSON)
    assert _counts(made, tmp_path) == expected


def test_all_readers_count_the_same_tokens_of_the_samples(tmp_path: Path) -> None:
    for cassette in store.read([store.samples()]):
        counts = [
            _counts(each, tmp_path / each.file.replace("/", "-")) for each in cassette.interactions
        ]
        if cassette.name == "mantle":
            assert counts == [(70, 12), (70, 12), (134, 38), (13, 21), (15, 23)]


# -- a family that nobody knew ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Parrot:
    """The functions of an invented family, whose members no other family has."""

    stops = {"end_turn": "quiet", "max_tokens": "breathless"}  # noqa: RUF012

    def prompt(self, body: JsonObject) -> Prompt:
        return Prompt(turns=(Turn("user", json_access.text(body, "heard")),))

    def render(self, content: Content, model_request: ModelRequest) -> JsonObject:
        (last,) = list(self.stream(content, model_request))[-1:]
        return {
            "squawk": json_access.text(content.text if isinstance(content, Message) else ""),
            "beak": last,
        }

    def stream(self, content: Content, model_request: ModelRequest) -> Iterator[JsonValue]:
        assert isinstance(content, Message)
        assert content.usage
        for piece in re.findall("..?", content.text):
            yield {"chirp": piece}
        seeds: JsonObject = {"eaten": content.usage.input, "dropped": content.usage.output}
        yield {"mood": self.stops[content.stop], "seeds": {**seeds, "all": content.usage.total}}

    def read(self, body: JsonObject) -> Message:
        return self.gather(
            [{"chirp": json_access.text(body, "squawk")}, json_access.member(body, "beak")]
        )

    def gather(self, chunks: Sequence[JsonValue]) -> Message:
        mood = "".join(json_access.text(chunk, "mood") for chunk in chunks)
        text = "".join(json_access.text(chunk, "chirp") for chunk in chunks)
        return Message(
            (Text(text),), next(stop for stop, word in self.stops.items() if word == mood)
        )


_PARROT = _Parrot()
PARROT = Family(
    name="parrot",
    models=("zoo.parrot*",),
    answers=(Message,),
    prompt=_PARROT.prompt,
    render=_PARROT.render,
    read=_PARROT.read,
    stream=_PARROT.stream,
    gather=_PARROT.gather,
    token_headers=False,
    members=Members(
        text=("squawk", "chirp"),
        stop=("beak.mood", "mood"),
        input=("beak.seeds.eaten", "seeds.eaten"),
        output=("beak.seeds.dropped", "seeds.dropped"),
        total=("beak.seeds.all", "seeds.all"),
    ),
)


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(table, "FAMILIES", (PARROT, *table.FAMILIES))
    table.family_of.cache_clear()
    yield
    table.family_of.cache_clear()


@pytest.mark.usefixtures("parrot")
@pytest.mark.parametrize("operation", list(URLS)[2:])
def test_a_new_family_is_one_row_of_the_table(operation: str, tmp_path: Path) -> None:
    said = Message((Text("Pretty polly"),), usage=Usage(70, 12))
    model, asked = "zoo.parrot-v1", b'{"heard":"Hi"}'
    made = render(said, operation=operation, model=model, body=asked, chance=Random(1))
    before = record_interaction(
        asked,
        _bytes(_without_metrics(made).body),
        url=path(URLS[operation], model),
        headers=made.headers,
    )
    assert _counts(before, tmp_path / "before") == (70, 12)

    words = ["answer.text=Pretty polly wants a cracker", "stop_reason=max_tokens"]
    after = assign(
        before, parse_assignments([*words, "usage.inputTokens=71", "usage.outputTokens=13"])
    ).interaction
    assert _counts(after, tmp_path / "after") == (71, 13)
    record = Scene(after).send(asked, url=after.request.path)
    assert (record.text, record.stop_reason) == ("Pretty polly wants a cracker", "max_tokens")
    assert b'"all":84' in _opened(after.response)
    recounted = assign(before, parse_assignments(words[:1])).interaction
    assert _stats(recounted) == (70, 16)
    assert [str(drift) for drift in find_drifts(before, after)] == [
        "stop reason: recorded quiet, now breathless"
    ]


def _without_metrics(made: Response) -> Response:
    """The response without what Bedrock counts itself."""
    if isinstance(made.body, Body):
        return made
    values = [bodies.read_value(event.form, event.payload) for event in made.body.events]
    kept = [
        {k: v for k, v in value.items() if not k.startswith("amazon")}
        for value in values
        if isinstance(value, dict)
    ]
    frames = [
        (event.headers, bodies.seal_chunk(value))
        for event, value in zip(made.body.events, kept, strict=True)
    ]
    return Response(
        200,
        STREAM,
        bodies.read_events(b"".join(eventstream.encode_strings(*frame) for frame in frames)),
    )


def _opened(response: Response) -> bytes:
    if isinstance(response.body, Body):
        return response.body.data
    return b"".join(
        bodies.compact(bodies.read_value(event.form, event.payload))
        for event in response.body.events
    )


# -- nothing outside families ----------------------------------------------------------------------

# Words that bedtape uses for its own things, or that every JSON has.
_COMMON = {
    "text",
    "content",
    "message",
    "type",
    "index",
    "input",
    "output",
    "response",
    "usage",
    "delta",
    "data",
}
_COMMON |= {
    "results",
    "all",
    "reason",
    "stop_reason",
    "completion",
    "function",
    "parameters",
    "metadata",
}
# Files that may have them, by the beginnings of their paths.
_MAY = (
    "cassettes/bedtape_cassettes/families/",
    "cassettes/bedtape_cassettes/foreign/",  # other tools' formats use the providers' words
    # layout of long texts in files, below families
    "cassettes/bedtape_cassettes/format/yaml_writer.py",
    "replayer/bedtape_replayer/cli/demo.py",  # a client, as a user writes one
    "replayer/bedtape_replayer/engine/validation/",  # Bedrock's own checks of requests
)


def _declared() -> set[str]:
    """Every member name in a declaration."""
    families = [*table.FAMILIES, RESPONSES]
    paths = [
        each for family in families for field in astuple(family.members)[:-1] for each in field
    ]
    return {part for each in paths for part in each.split(".")} - _COMMON - {"*", "0"}


def _sources() -> Iterator[Path]:
    for package in ("cassettes", "recorder", "replayer"):
        yield from (ROOT / package).rglob(f"bedtape_{package}/**/*.py")


def test_no_other_room_has_the_member_names_of_a_family() -> None:
    names = _declared()
    assert {"stopReason", "prompt_tokens", "inputTextTokenCount", "generation"} <= names
    copies = [
        f"{name}:{node.lineno}: {node.value}"
        for file in _sources()
        if not (name := str(file.relative_to(ROOT))).startswith(_MAY)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert copies == []
