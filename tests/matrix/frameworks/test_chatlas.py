"""chatlas: its chats on Converse, Responses and Messages, as its pages show them."""

import asyncio
from collections.abc import Callable

import pytest
from chatlas import Chat, ChatBedrock
from pydantic import BaseModel

from bedtape_replayer.engine.session import Session

MODELS: dict[str, Callable[[], Chat]] = {
    "converse": lambda: ChatBedrock(model="us.amazon.nova-lite-v1:0"),
    "responses": lambda: ChatBedrock(model="openai.gpt-5.6-sol"),
    "messages": lambda: ChatBedrock(model="anthropic.claude-haiku-4-5", api="messages"),
}
# Whole, and streamed. It streams by default.
OPERATIONS = {
    "converse": ("Converse", "ConverseStream"),
    "responses": ("Responses", "Responses"),
    "messages": ("Messages", "Messages"),
}
SAID = "Cassettes replay the same answer every time, so a failing test means that the code changed."


class Label(BaseModel):
    """What a mail is."""

    label: str


def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("which", MODELS)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_chat(which: str, streaming: bool, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID, usage={"input": 11, "output": 22})
    chat = MODELS[which]()
    assert str(chat.chat("why record?", stream=streaming, echo="none")) == SAID
    tokens = chat.get_last_turn().tokens
    assert tokens is not None
    assert tuple(tokens)[:2] == (11, 22)
    bedrock.assert_called("why record?", times=1, operation=OPERATIONS[which][streaming])


@pytest.mark.parametrize("which", MODELS)
def test_stream(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)
    pieces = list(MODELS[which]().stream("why record?"))
    assert "".join(pieces) == SAID
    assert len(pieces) > 1


@pytest.mark.parametrize("which", MODELS)
def test_async(which: str, bedrock: Session) -> None:
    bedrock.respond("why record?", text=SAID)

    async def ask() -> str:
        answer = await MODELS[which]().chat_async("why record?", echo="none")
        return str(await answer.get_content())

    assert asyncio.run(ask()) == SAID


@pytest.mark.parametrize("which", MODELS)
def test_tools(which: str, bedrock: Session) -> None:
    bedrock.respond(tool_result="weather", text="It is sunny.")
    bedrock.respond("Oslo", tool={"name": "weather", "input": {"city": "Oslo"}})
    chat = MODELS[which]()
    chat.register_tool(weather)
    assert "It is sunny." in str(chat.chat("What is the weather in Oslo?", echo="none"))
    assert ["sunny in Oslo" in given.text for given in bedrock.calls[1].tool_results] == [True]


@pytest.mark.parametrize("which", MODELS)
def test_structured(which: str, bedrock: Session) -> None:
    """Its tool for structured data wants them in a member `data`."""
    bedrock.respond(
        "offer", json={"label": "spam"} if which == "responses" else {"data": {"label": "spam"}}
    )
    assert MODELS[which]().chat_structured("an offer", data_model=Label) == Label(label="spam")


@pytest.mark.parametrize("which", MODELS)
def test_trouble(which: str, trouble: Callable[..., None]) -> None:
    trouble(lambda: MODELS[which]().chat("why record?", echo="none"))


def ask_about_oslo() -> str:
    return " ".join(
        {str(MODELS[which]().chat("Weather in Oslo?", echo="none")) for which in MODELS}
    )


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
