"""Teams share one server with tokens, and see nothing of each other: with sessions in memory, and
with two servers that share them.
"""

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import boto3
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bedtape_cassettes.model import Cassette
from bedtape_replayer.api.fakecloud import ROUTES as FAKECLOUD
from bedtape_replayer.api.inspector.call_detail import ROUTES as INSPECTOR
from bedtape_replayer.api.session_routes import ROUTES as OWN
from support import WAIT, folders
from support.client import Answer, Http1, until
from support.recordings import converse, path, prompt
from support.replicas import StateServer
from support.running import Running

SEARCH, CHECKOUT = "search-token-0123456789", "checkout-token-0123456789"
BRIEF = "brief-token-0123456789"
TEAMS = f"""
[search]
token = "{SEARCH}"
memory = 16

[brief]
token = "{BRIEF}"
idle = 1

[checkout]
token-variable = "CHECKOUT_TOKEN"
cassettes = ["checkout"]
memory = 16
"""
NOVA = "amazon.nova-lite-v1:0"
MARK = "only of search"
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(
    scope="module",
    params=[
        "memory",
        pytest.param(
            "state",
            marks=pytest.mark.skipif(
                shutil.which("redis-server") is None, reason="redis-server is not installed"
            ),
        ),
    ],
)
def urls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Two addresses of the teams' server: the same, or those of two servers that share."""
    folder = tmp_path_factory.mktemp("teams")
    folders.write(folder / "own", Cassette("own", (converse("Hello", "all"),)))
    folders.write(folder / "checkout", Cassette("paid", (converse("Hello", "checkout"),)))
    (folder / "teams.toml").write_text(TEAMS)
    arguments = ["own", "--namespaces", "teams.toml", "--log-level", "error"]
    with _serve_state(request.param == "state", folder) as state:
        running = [
            Running(*arguments, *state, cwd=folder, CHECKOUT_TOKEN=CHECKOUT)
            for _ in range(2 if state else 1)
        ]
        yield running[0].url, running[-1].url
        for each in running:
            each.clean_up()


@contextmanager
def _serve_state(wanted: bool, folder: Path) -> Iterator[list[str]]:
    if not wanted:
        yield []
        return
    with StateServer(folder) as server:
        yield ["--state", server.url]


def ask(url: str, token: str, method: str, target: str, value: Any = None) -> Answer:
    body = b"" if value is None else json.dumps(value).encode()
    with Http1(url) as client:
        return client.request(method, target, (("x-bedtape-token", token),) if token else (), body)


def read(url: str, token: str, target: str) -> Any:
    answer = ask(url, token, "GET", target)
    assert answer.status == 200, answer
    return json.loads(answer.body)


@pytest.fixture
def session(urls: tuple[str, str]) -> str:
    """A session of search with a rule and a call. The other team has one with the same name."""
    for token, text in ((SEARCH, MARK), (CHECKOUT, "of checkout")):
        ask(urls[0], token, "DELETE", "/_bedtape/sessions/t")
        added = ask(
            urls[0], token, "POST", "/_bedtape/sessions/t/rules", {"answer": {"text": text}}
        )
        assert added.status == 200, added
    assert converse_with_keys(urls[1], SEARCH) == MARK
    return "t"


def converse_with_keys(url: str, token: str | None, key: str = "test") -> str:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=url if url.count("/") > 2 else f"{url}/s/t",
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key="test",
        aws_session_token=token,
        config=ONCE,
    )
    turn: Any = {"role": "user", "content": [{"text": "Hi"}]}
    answer = client.converse(modelId=NOVA, messages=[turn])
    return str(answer["output"]["message"]["content"][0]["text"])


def chat(url: str, token: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/s/t/v1", api_key=token, max_retries=0)
    turn: Any = {"role": "user", "content": "Hi"}
    answer = client.chat.completions.create(model="openai.gpt-oss-20b", messages=[turn])
    return str(answer.choices[0].message.content)


def message(url: str, token: str) -> str:
    client = anthropic.Anthropic(base_url=f"{url}/s/t/anthropic", api_key=token, max_retries=0)
    answer = client.messages.create(
        model="anthropic.claude-sonnet-4-5",
        max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}],
    )
    return str(answer.content[0].text)  # type: ignore[union-attr]


def message_signed(url: str, token: str) -> str:
    client = anthropic.AnthropicBedrock(
        base_url=f"{url}/s/t",
        aws_access_key="test",
        aws_secret_key="test",
        aws_session_token=token,
        aws_region="us-east-1",
        max_retries=0,
    )
    answer = client.messages.create(
        model="anthropic.claude-3-haiku-20240307-v1:0",
        max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}],
    )
    return str(answer.content[0].text)  # type: ignore[union-attr]


# How clients send a token, by what they can set.
CLIENTS: dict[str, Callable[[str, str], str]] = {
    "the session token of an AWS SDK": converse_with_keys,
    "the endpoint of an AWS SDK": lambda url, token: converse_with_keys(
        f"{url}/n/{token}/s/t", None
    ),
    "the endpoint, with a session token of another": lambda url, token: converse_with_keys(
        f"{url}/n/{token}/s/t", "real-session-token"
    ),
    "the endpoint, and a session in the key": lambda url, token: converse_with_keys(
        f"{url}/n/{token}/", None, "bedtape-t"
    ),
    "the API key of OpenAI's client": chat,
    "the API key of Anthropic's client": message,
    "the session token of Anthropic's client": message_signed,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_can_send_a_token(urls: tuple[str, str], session: str, client: str) -> None:
    assert CLIENTS[client](urls[0], SEARCH) == MARK
    assert CLIENTS[client](urls[1], CHECKOUT) == "of checkout"
    calls = read(urls[0], SEARCH, f"/_bedtape/sessions/{session}/calls")["calls"]
    assert SEARCH not in json.dumps(calls)


REFUSALS: dict[str, tuple[Callable[[str, str], str], type[Exception], str]] = {
    "an AWS SDK": (converse_with_keys, ClientError, "UnrecognizedClientException"),
    "OpenAI's client": (chat, openai.AuthenticationError, "401"),
    "Anthropic's client": (message, anthropic.AuthenticationError, "401"),
}


@pytest.mark.parametrize("client", REFUSALS)
def test_a_wrong_token_is_refused_in_the_form_of_the_api(
    urls: tuple[str, str], client: str
) -> None:
    send, error, kind = REFUSALS[client]
    with pytest.raises(error, match="expected the token of a namespace, found another") as caught:
        send(urls[0], "wrong")
    assert kind in str(caught.value)


def test_without_a_token_calls_are_refused(urls: tuple[str, str]) -> None:
    with Http1(urls[0]) as client:
        answer = client.request("POST", path(), (), prompt("Hello"))
    assert answer.status == 403
    assert "expected the token of a namespace, found none; send it as" in answer.body.decode()


def test_without_a_token_the_control_api_answers_probes_and_its_page(
    urls: tuple[str, str], session: str
) -> None:
    for target in ("/_bedtape/ready", "/_bedtape/live", "/_bedtape/"):
        assert ask(urls[0], "", "GET", target).status == 200
    paths = (
        "/_bedtape/health",
        "/_bedtape/sessions",
        "/_bedtape/events",
        "/_fakecloud/bedrock/invocations",
    )
    for target in (*paths, f"/n/wrong/_bedtape/sessions/{session}"):
        for token in ("", "wrong"):
            assert ask(urls[0], token, "GET", target).status == 401


def _fill(template: str) -> str:
    for name, value in (("session", "t"), ("call", "1"), ("model...", NOVA), ("name", "rule-1")):
        template = template.replace(f"{{{name}}}", value)
    return template


ROUTES = {(route.method, _fill(route.path)) for route in (*OWN, *INSPECTOR, *FAKECLOUD)}


@pytest.mark.parametrize(
    "target", sorted(target for method, target in ROUTES if method == "GET" and "{" not in target)
)
def test_no_route_shows_another_namespace(urls: tuple[str, str], session: str, target: str) -> None:
    if target.endswith("/events"):
        data = _read_events(urls[1], f"/n/{CHECKOUT}{target}")
    else:
        data = ask(urls[1], CHECKOUT, "GET", target).body
    assert session
    assert MARK.encode() not in data
    assert b'"own"' not in data  # a cassette that checkout does not play


def _read_events(url: str, target: str) -> bytes:
    """What the stream of events sends before the first pause."""
    connection = http.client.HTTPConnection(url.partition("://")[2], timeout=WAIT)
    connection.request("GET", target)
    response = connection.getresponse()
    data = b""
    while b"event: ready" not in data and (part := response.read1(65536)):
        data += part
        if b"\n\n" in data:
            break
    connection.close()
    return data


@pytest.mark.parametrize(
    ("method", "target"), sorted(each for each in ROUTES if each[0] != "GET" and "{" not in each[1])
)
def test_no_route_changes_another_namespace(
    urls: tuple[str, str], session: str, method: str, target: str
) -> None:
    before = [read(urls[1], SEARCH, f"/_bedtape/sessions/{session}{part}") for part in _STATE]
    clock = read(urls[1], SEARCH, "/_bedtape/clock")
    bodies: dict[str, Any] = {"/_bedtape/clock": {"advance": 5}, "rules": {"rules": []}}
    ask(urls[0], CHECKOUT, method, target, bodies.get(target, {}))
    after = [read(urls[1], SEARCH, f"/_bedtape/sessions/{session}{part}") for part in _STATE]
    assert after == before
    assert read(urls[1], SEARCH, "/_bedtape/clock") == clock


_STATE = ("", "/overlay", "/calls")


def test_a_namespace_plays_its_own_cassettes(urls: tuple[str, str]) -> None:
    for token, text in ((SEARCH, "all"), (CHECKOUT, "checkout")):
        answer = ask(urls[0], token, "POST", path(), json.loads(prompt("Hello")))
        assert json.loads(answer.body)["output"]["message"]["content"][0]["text"] == text


def test_a_flood_of_one_namespace_forgets_its_own_calls_alone(
    urls: tuple[str, str], session: str
) -> None:
    for number in range(50):
        text = f"{number} {'x' * 500_000}"
        large = {"messages": [{"role": "user", "content": [{"text": text}]}]}
        url = urls[number % 2]
        target = f"/s/flood-{number % 3}/model/{NOVA}/converse"
        assert ask(url, SEARCH, "POST", target, large).status == 400
    calls = [
        read(urls[0], SEARCH, f"/_bedtape/sessions/flood-{n}/calls?limit=99") for n in range(3)
    ]
    kept = sum(len(each["calls"]) for each in calls)
    assert 0 < kept < 40
    assert sum(each["forgotten"] for each in calls) == 50 - kept
    assert kept * 500_000 <= 17 << 20
    assert converse_with_keys(urls[0], CHECKOUT) == "of checkout"
    other = read(urls[1], CHECKOUT, f"/_bedtape/sessions/{session}/calls")
    assert (len(other["calls"]), other["forgotten"]) == (1, 0)


@pytest.mark.slow
def test_a_session_ends_after_the_time_of_its_namespace(
    urls: tuple[str, str], session: str
) -> None:
    def names(token: str) -> list[str]:
        return [each["name"] for each in read(urls[0], token, "/_bedtape/sessions")]

    added = ask(urls[0], BRIEF, "POST", "/_bedtape/sessions/b/rules", {"answer": {"text": "a"}})
    assert added.status == 200
    until(lambda: names(BRIEF) == [])
    assert session in names(CHECKOUT)
