"""The commands of `bedtape cassette` handle recordings of every inference API as they handle Converse, whole and streamed."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bedtape_cassettes.addresses import MANTLE, RUNTIME
from bedtape_cassettes.families.content import Message, Text, ToolUse, Usage
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Cassette, Interaction, Request
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites import edit_buffer
from support import folders
from support.commands import run

QUESTION, SAID = "Weather in Oslo?", "It rains in Oslo, and the wind blows all day."
MESSAGES = [{"role": "user", "content": QUESTION}]
CLAUDE, OSS, GPT = "anthropic.claude-haiku-4-5", "openai.gpt-oss-20b", "openai.gpt-5.4"
# By name: the operation, the model, the service, the path and the body of the request.
APIS: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "Converse": (
        "Converse",
        "amazon.nova-lite-v1:0",
        RUNTIME,
        "/model/amazon.nova-lite-v1%3A0/converse",
        {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]},
    ),
    "Chat Completions": ("ChatCompletions", OSS, MANTLE, "/v1/chat/completions", {"messages": MESSAGES}),
    "Responses of gpt-oss": ("Responses", OSS, MANTLE, "/v1/responses", {"input": QUESTION}),
    "Responses of GPT": ("Responses", GPT, MANTLE, "/openai/v1/responses", {"input": QUESTION}),
    "Messages": ("Messages", CLAUDE, MANTLE, "/anthropic/v1/messages", {"messages": MESSAGES, "max_tokens": 99}),
}
CASES = [(name, stream) for name in APIS for stream in (False, True)]


def record(name: str, *, stream: bool, text: str = SAID) -> Interaction:
    operation, model, service, path, body = APIS[name]
    if operation == "Converse":
        operation, path = ("ConverseStream", f"{path}-stream") if stream else (operation, path)
    else:
        body = {**body, "model": model, "stream": stream, "stream_options": {"include_usage": True}}
    data = bodies.compact(body)
    message = Message((Text(text), ToolUse("weather", {"city": "Oslo"})), "tool_use", usage=Usage(input=11, output=22))
    answer = render(message, operation=operation, model=model, body=data, chance=Random(1), service=service)
    request = Request("POST", path, (("content-type", "application/json"),), bodies.read_request_body(data))
    return Interaction(operation, model, request, answer)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}, {'streamed' if case[1] else 'whole'}")
def recorded(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Interaction:
    """The only recording of the cassette `one`, in the folder of the test."""
    name, stream = request.param
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    interaction = record(name, stream=stream)
    folders.write(tmp_path / "cassettes", Cassette("one", (interaction,)))
    return interaction


def read() -> Interaction:
    ((interaction,),) = [cassette.interactions for cassette in store.read([Path("cassettes")])]
    return interaction


def read_message() -> Message:
    interaction = read()
    content = content_of(interaction.operation or "", interaction.model, interaction.response)
    assert isinstance(content, Message)
    return content


@pytest.mark.usefixtures("recorded")
def test_a_recording_is_shown() -> None:
    shown = run("show", "one:1")
    for text in (QUESTION, SAID, "weather", "Oslo"):
        assert text in shown
    assert "one" in run("ls")
    (row,) = json.loads(run("stats", "--json"))
    assert (row["tokens_in"], row["tokens_out"]) == (11, 22)
    run("check")


def test_values_are_set(recorded: Interaction) -> None:
    run("set", "one:1", "answer.text=Snow.", "usage.inputTokens=33", "usage.outputTokens=44")
    message = read_message()
    assert message.text == "Snow."
    assert [(use.name, use.input) for use in message.blocks if isinstance(use, ToolUse)] == [
        ("weather", {"city": "Oslo"})
    ]
    usage = read_usage(recorded.operation, recorded.model, read().response)
    assert usage is not None
    assert (usage.input, usage.output) == (33, 44)


def test_the_stop_reason_is_set(recorded: Interaction) -> None:
    if recorded.operation == "Responses":  # a completed answer has no member for it
        assert "expected a stop reason" in run("set", "one:1", "stop_reason=max_tokens", code=2)
        return
    run("set", "one:1", "stop_reason=max_tokens")
    assert read_message().stop == "max_tokens"


def test_the_text_is_edited(recorded: Interaction) -> None:
    buffer = edit_buffer.render(recorded)
    assert SAID in buffer
    assert edit_buffer.read(buffer, recorded) is None
    edited = edit_buffer.read(buffer.replace(SAID, "Snow.", 1), recorded)
    assert edited is not None
    content = content_of(recorded.operation or "", recorded.model, edited.interaction.response)
    assert isinstance(content, Message)
    assert content.text == "Snow."


def test_a_changed_recording_differs(recorded: Interaction) -> None:
    folders.write(Path("other"), Cassette("one", (recorded,)))
    assert run("diff", "./other/", "./cassettes/") == ""
    run("set", "one:1", "answer.text=Snow.")
    assert "Snow." in run("diff", "./other/", "./cassettes/", code=1)


def test_a_cassette_is_split_by_model(recorded: Interaction) -> None:
    other = record("Messages" if recorded.model != CLAUDE else "Converse", stream=False)
    folders.write(Path("cassettes"), Cassette("two", (recorded, other)))
    run("split", "two", "--by", "model")
    split = [cassette for cassette in store.read([Path("cassettes")]) if cassette.name.startswith("two/")]
    assert [[each.model for each in cassette.interactions] for cassette in split] in (
        [[recorded.model], [other.model]],
        [[other.model], [recorded.model]],
    )


@pytest.mark.parametrize(("name", "stream"), CASES)
def test_a_secret_is_replaced(name: str, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams have it in pieces, and some of them also whole in later events."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    secret = "ola.nordmann@weather.no"
    folders.write(Path("cassettes"), Cassette("one", (record(name, stream=stream, text=f"Write to {secret} today."),)))
    run("scan", code=1)
    run("redact")
    run("scan")
    text = read_message().text
    assert text.startswith("Write to ")
    assert text.endswith(" today.")
    assert secret not in text
    (file,) = Path("cassettes/one").glob("*.yaml")
    assert secret not in file.read_text()
