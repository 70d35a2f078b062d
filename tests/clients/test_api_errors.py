"""Every error and every miss has the form of the API that was called: OpenAI's and Anthropic's
clients fill all they have.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError, EventStreamError

from bedtape_cassettes.failures import FAILURES
from bedtape_replayer.engine.session import Session
from bedtape_replayer.overlay.keywords import ErrorFrameDict
from support.boto import boto3_client

CLAUDE, GPT, OSS = "anthropic.claude-haiku-4-5", "openai.gpt-5.4", "openai.gpt-oss-20b"
HELLO: list[Any] = [{"role": "user", "content": "Weather in Oslo?"}]
RUNTIME, MANTLE = "", "/service/bedrock-mantle"
MESSAGE = "Not now."


class Clients:
    """A client of each API, which sends every request once."""

    def __init__(self, bedrock: Session) -> None:
        self._stack = ExitStack()
        self.openai = {
            service: self._open_openai(bedrock.url + service) for service in (RUNTIME, MANTLE)
        }
        self.anthropic = self._stack.enter_context(
            anthropic.Anthropic(base_url=f"{bedrock.url}/anthropic", api_key="key", max_retries=0)
        )
        self.boto3 = boto3_client(bedrock.url, retries={"total_max_attempts": 1})

    def _open_openai(self, url: str) -> openai.OpenAI:
        return self._stack.enter_context(
            openai.OpenAI(base_url=f"{url}/openai/v1", api_key="key", max_retries=0)
        )

    def close(self) -> None:
        self.boto3.close()
        self._stack.close()


Ask = Callable[[Clients], Any]


def ask_chat(service: str, *, stream: bool = False) -> Ask:
    return lambda c: c.openai[service].chat.completions.create(
        model=OSS, messages=HELLO, stream=stream
    )


def ask_responses(service: str, *, stream: bool = False) -> Ask:
    return lambda c: c.openai[service].responses.create(
        model=GPT, input="Weather in Oslo?", stream=stream
    )


def ask_messages(*, stream: bool = False) -> Ask:
    return lambda c: c.anthropic.messages.create(
        model=CLAUDE, max_tokens=9, messages=HELLO, stream=stream
    )


WHOLE: dict[str, Ask] = {
    **{f"chat {service}": ask_chat(service) for service in (RUNTIME, MANTLE)},
    **{f"responses {service}": ask_responses(service) for service in (RUNTIME, MANTLE)},
    **{
        f"embeddings {service}": lambda c, service=service: c.openai[service].embeddings.create(  # type: ignore[misc]
            model="openai.embed", input="Weather in Oslo?"
        )
        for service in (RUNTIME, MANTLE)
    },
    "messages": ask_messages(),
    "count_tokens": lambda c: c.anthropic.messages.count_tokens(model=CLAUDE, messages=HELLO),
}
STREAMED: dict[str, Ask] = {
    **{f"chat {service}": ask_chat(service, stream=True) for service in (RUNTIME, MANTLE)},
    **{
        f"responses {service}": ask_responses(service, stream=True) for service in (RUNTIME, MANTLE)
    },
    "messages": ask_messages(stream=True),
}
# Bedrock's name in histories, the code and type of OpenAI's API, and the type of Anthropic's.
WORDS = {
    "ValidationException": ("validation_error", "invalid_request_error", "invalid_request_error"),
    "AccessDeniedException": ("permission_denied", "permission_error", "permission_error"),
    "ResourceNotFoundException": ("not_found", "not_found_error", "not_found_error"),
    "ThrottlingException": ("rate_limit_exceeded", "rate_limit_error", "rate_limit_error"),
    "InternalServerException": ("server_error", "server_error", "api_error"),
    "ServiceUnavailableException": (
        "service_unavailable",
        "service_unavailable_error",
        "overloaded_error",
    ),
}


@pytest.fixture
def clients(bedrock: Session) -> Iterator[Clients]:
    clients = Clients(bedrock)
    yield clients
    clients.close()


def assert_filled(ask: Ask, clients: Clients, message: str, name: str | None = None) -> int | None:
    """Asserts that an error has all that its client has for it, and returns its status;
    None in the middle of a stream.
    """
    with pytest.raises((openai.APIError, anthropic.APIStatusError)) as caught:
        list(ask(clients))
    error = caught.value
    body = error.body
    assert isinstance(body, dict)
    if isinstance(error, anthropic.APIStatusError):
        assert message in body["error"]["message"]
        assert body["type"] == "error"
        assert error.request_id == body["request_id"]
        assert error.type == body["error"]["type"]
        assert name not in WORDS or error.type == WORDS[name][2]
        return error.status_code
    text = body["message"]
    if text.startswith("{"):  # bedrock-runtime doubles the errors of OpenAI's APIs
        inner = json.loads(text)["error"]
        assert (inner["code"], inner["type"]) == (error.code, error.type)
        text = inner["message"]
    assert message in text
    assert error.code
    assert error.type
    assert name not in WORDS or (error.code, error.type) == WORDS[name][:2]
    if isinstance(error, openai.APIStatusError):
        assert error.request_id
        return error.status_code
    return None


@pytest.mark.parametrize("name", [*FAILURES, "BrandNewException"])
def test_an_error(bedrock: Session, clients: Clients, name: str) -> None:
    status = FAILURES[name].status if name in FAILURES else 418
    bedrock.fail(
        name, message=MESSAGE, times=99, **({} if name in FAILURES else {"status": status})
    )
    for ask in (*WHOLE.values(), *STREAMED.values()):
        assert assert_filled(ask, clients, MESSAGE, name) == status
    with pytest.raises(ClientError, match=MESSAGE) as caught:
        clients.boto3.converse(
            modelId=CLAUDE, messages=[{"role": "user", "content": [{"text": "Hello"}]}]
        )
    assert caught.value.response["Error"]["Code"] == name
    assert {call.error for call in bedrock.calls} == {name}
    assert {call.message for call in bedrock.calls} == {MESSAGE}


@pytest.mark.parametrize(
    "name", [*(name for name, known in FAILURES.items() if known.streams), "BrandNewException"]
)
@pytest.mark.parametrize("after", [4, 99], ids=["middle", "end"])
def test_an_error_in_a_stream(bedrock: Session, clients: Clients, name: str, after: int) -> None:
    bedrock.respond("Oslo", text="It rains in Oslo, and the wind blows all day.")
    if name in FAILURES:
        bedrock.fail(name, message=MESSAGE, after_events=after, times=99)
    else:
        frame: ErrorFrameDict = {"code": name, "message": MESSAGE, "after_events": after}
        bedrock.fault(error_frame=frame, times=99)
    for ask in STREAMED.values():
        assert assert_filled(ask, clients, MESSAGE, name) in (None, 200)
    if "ConverseStream" in (FAILURES[name].streams if name in FAILURES else ["ConverseStream"]):
        asked: Any = [{"role": "user", "content": [{"text": "Weather in Oslo?"}]}]
        stream = clients.boto3.converse_stream(modelId=CLAUDE, messages=asked)["stream"]
        with closing(stream), pytest.raises(EventStreamError, match=MESSAGE):
            list(stream)
    assert {call.error for call in bedrock.calls} == {name}


def test_members_of_an_error_in_the_middle_of_a_stream(bedrock: Session, clients: Clients) -> None:
    bedrock.respond("Oslo", text="It rains in Oslo, and the wind blows all day.")
    bedrock.fail(
        "ModelStreamErrorException", after_events=4, members={"originalStatusCode": 500}, times=99
    )
    for ask in STREAMED.values():
        with pytest.raises((openai.APIError, anthropic.APIStatusError)) as caught:
            list(ask(clients))
        assert "'originalStatusCode': 500" in str(caught.value.body)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_miss(bedrock: Session, clients: Clients, stream: bool) -> None:
    for ask in (STREAMED if stream else WHOLE).values():
        assert assert_filled(ask, clients, "No recording answers") == 400
    assert {call.error for call in bedrock.calls} == {"CassetteMissException"}


def test_a_quota(bedrock: Session, clients: Clients) -> None:
    bedrock.respond("Oslo", text="Rain.")
    bedrock.fault(quota={"requests_per_minute": 1})
    assert list(ask_chat(RUNTIME, stream=True)(clients))
    for ask in (*WHOLE.values(), *STREAMED.values()):
        assert assert_filled(ask, clients, "", "ThrottlingException") == 429


def test_an_answer_that_the_api_cannot_have(bedrock: Session, clients: Clients) -> None:
    bedrock.respond(image="auto")
    for ask in (
        *(ask for name, ask in WHOLE.items() if name != "count_tokens"),
        *STREAMED.values(),
    ):
        assert assert_filled(ask, clients, "bedtape:") == 400
    assert {call.error for call in bedrock.calls} == {"OverlayException"}
