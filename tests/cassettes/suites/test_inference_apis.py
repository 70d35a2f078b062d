"""The commands of `bedtape cassette` handle recordings of every inference API as they handle
Converse, whole and streamed.
"""

import json
from pathlib import Path

import pytest
import yaml

from bedtape_cassettes.addresses import render_host
from bedtape_cassettes.failures import read_error
from bedtape_cassettes.families.content import Message, ToolUse
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.model import Body, Cassette, Interaction
from bedtape_cassettes.operations import identify
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites import edit_buffer
from support import folders
from support.commands import run
from support.inference_apis import (
    APIS,
    CLAUDE,
    COUNTS,
    MESSAGES,
    QUESTION,
    SAID,
    name_case,
    read_bytes,
    record,
)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def write_one(interaction: Interaction) -> Interaction:
    """The only recording of the cassette `one`, in the folder of the test."""
    folders.write(Path("cassettes"), Cassette("one", (interaction,)))
    return interaction


@pytest.fixture(params=MESSAGES, ids=name_case)
def recorded(request: pytest.FixtureRequest) -> Interaction:
    """A recording of an API that answers with a message."""
    name, stream = request.param
    return write_one(record(name, stream=stream))


@pytest.fixture(params=[*MESSAGES, *COUNTS], ids=name_case)
def of_any_api(request: pytest.FixtureRequest) -> Interaction:
    """A recording of any inference API."""
    name, stream = request.param
    return write_one(record(name, stream=stream))


def read() -> Interaction:
    ((interaction,),) = [cassette.interactions for cassette in store.read([Path("cassettes")])]
    return interaction


def read_message() -> Message:
    interaction = read()
    content = content_of(interaction.operation or "", interaction.model, interaction.response)
    assert isinstance(content, Message)
    return content


def test_a_recording_is_shown(of_any_api: Interaction) -> None:
    shown = run("show", "one:1")
    has_message = isinstance(_content(of_any_api), Message)
    for text in (QUESTION, *((SAID, "weather", "Oslo") if has_message else ("11 tokens in",))):
        assert text in shown
    assert QUESTION in run("show", "one:1", "--raw")
    listed = json.loads(run("ls", "--json"))[0]
    assert (listed["operations"], listed["models"]) == ([of_any_api.operation], [of_any_api.model])
    (row,) = json.loads(run("stats", "--json"))
    assert (row["operation"], row["model"]) == (of_any_api.operation, of_any_api.model)
    assert (row["tokens_in"], row["tokens_out"]) == (11, 22 if has_message else 0)
    assert run("check", code=0)


def _content(interaction: Interaction) -> object:
    return content_of(interaction.operation, interaction.model, interaction.response)


def test_a_count_is_set(of_any_api: Interaction) -> None:
    run("set", "one:1", "usage.inputTokens=33")
    usage = read_usage(of_any_api.operation, of_any_api.model, read().response)
    assert usage is not None
    assert usage.input == 33
    buffer = edit_buffer.render(of_any_api)
    assert edit_buffer.read(buffer, of_any_api) is None
    edited = edit_buffer.read(buffer.replace("inputTokens: 11", "inputTokens: 33", 1), of_any_api)
    assert edited is not None
    assert edited.interaction.response == read().response


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
    run("set", "one:1", "stop_reason=max_tokens")
    assert read_message().stop == "max_tokens"
    run("set", "one:1", "stop_reason=tool_use")
    assert read().response == recorded.response


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_complete_answer_of_the_responses_api_ends_as_its_items_say(stream: bool) -> None:
    write_one(record("Responses of GPT", stream=stream))
    assert "ends with tool_use if it is complete, found 'end_turn'" in run(
        "set", "one:1", "stop_reason=end_turn", code=2
    )


def test_the_status_is_set(recorded: Interaction) -> None:
    """The error has the form of the API."""
    run("set", "one:1", "status=429")
    response = read().response
    assert isinstance(response.body, Body)
    value = json.loads(response.body.data)
    dialect = identify("POST", recorded.request.path).dialect
    assert (
        value.keys()
        == {"aws": {"message"}, "openai": {"error"}, "anthropic": {"type", "error", "request_id"}}[
            dialect
        ]
    )
    assert dialect == "aws" or read_error(value)[0] == "ThrottlingException"
    assert ("x-amzn-errortype" in dict(response.headers)) == (dialect == "aws")


def test_the_text_is_edited(recorded: Interaction) -> None:
    buffer = edit_buffer.render(recorded)
    assert SAID in buffer
    assert edit_buffer.read(buffer, recorded) is None
    edited = edit_buffer.read(buffer.replace(SAID, "Snow.", 1), recorded)
    assert edited is not None
    content = content_of(recorded.operation or "", recorded.model, edited.interaction.response)
    assert isinstance(content, Message)
    assert content.text == "Snow."


def test_a_changed_recording_differs(of_any_api: Interaction) -> None:
    folders.write(Path("other"), Cassette("one", (of_any_api,)))
    assert run("diff", "./other/", "./cassettes/") == ""
    if isinstance(_content(of_any_api), Message):
        run("set", "one:1", "answer.text=Snow.")
        assert "Snow." in run("diff", "./other/", "./cassettes/", code=1)
    else:
        run("set", "one:1", "usage.inputTokens=33")
        assert "33" in run("diff", "./other/", "./cassettes/", code=1)


def test_a_cassette_is_split_by_model(of_any_api: Interaction) -> None:
    recorded = of_any_api
    other = record("Messages" if recorded.model != CLAUDE else "Converse", stream=False)
    folders.write(Path("cassettes"), Cassette("two", (recorded, other)))
    run("split", "two", "--by", "model")
    split = [
        cassette for cassette in store.read([Path("cassettes")]) if cassette.name.startswith("two/")
    ]
    assert [[each.model for each in cassette.interactions] for cassette in split] in (
        [[recorded.model], [other.model]],
        [[other.model], [recorded.model]],
    )


@pytest.mark.parametrize(("name", "stream"), MESSAGES)
def test_a_secret_is_replaced(name: str, stream: bool) -> None:
    """Streams have it in pieces, and some of them also whole in later events."""
    secret = "ola.nordmann@weather.no"
    write_one(record(name, stream=stream, text=f"Write to {secret} today."))
    run("scan", code=1)
    run("redact")
    run("scan")
    text = read_message().text
    assert text.startswith("Write to ")
    assert text.endswith(" today.")
    assert secret not in text
    (file,) = Path("cassettes/one").glob("*.yaml")
    assert secret not in file.read_text()


@pytest.mark.parametrize(
    ("name", "stream"), [*MESSAGES, *COUNTS], ids=map(name_case, [*MESSAGES, *COUNTS])
)
def test_a_recording_of_another_tool_is_imported(name: str, stream: bool) -> None:
    """As VCR.py has it: by the URL of the service."""
    interaction = record(name, stream=stream)
    request, response = interaction.request, interaction.response
    uri = f"https://{render_host(APIS[name][2], 'us-east-1')}{request.path}"
    sent = {
        "method": "POST",
        "uri": uri,
        "headers": {"Content-Type": ["application/json"]},
        "body": request.body.data,
    }
    answered = {
        "status": {"code": 200, "message": "OK"},
        "headers": {name: [value] for name, value in response.headers},
        "body": {"string": read_bytes(response)},
    }
    tape = {"interactions": [{"request": sent, "response": answered}], "version": 1}
    Path("tape.yaml").write_text(yaml.safe_dump(tape))
    run("import", "tape.yaml", "--to", "cassettes")
    imported = read()
    assert (imported.operation, imported.model) == (interaction.operation, interaction.model)
    assert _content(imported) == _content(interaction)
