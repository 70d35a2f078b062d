"""A server of namespaces, seen from outside of them: by another server that it asks, by the holder
of the control token, by requests that it refuses, and in its log and metrics.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bedtape_cassettes.model import Cassette
from bedtape_replayer.api.inspector.call_detail import ROUTES as INSPECTOR
from bedtape_replayer.api.session_routes import ROUTES as OWN
from bedtape_replayer.server.thread import Replayer
from support import folders
from support.boto import boto3_client
from support.client import Answer, Http1, receive_until
from support.recordings import MODEL, converse, path, prompt, stream
from support.running import Running

SEARCH, CHECKOUT = "search-token-0123456789", "checkout-token-0123456789"
CONTROL, WRONG = "control-token-0123456789", "wrong-token-0123456789"
TEAMS = f"""
[search]
token = "{SEARCH}"
[checkout]
token = "{CHECKOUT}"
"""
# How a token is sent, by the target and the header of a request.
PLACES: dict[str, tuple[str, str, str]] = {
    "a header of bedtape": ("", "x-bedtape-token", "{}"),
    "a session token": ("", "X-Amz-Security-Token", "{}"),
    "a bearer": ("", "Authorization", "Bearer {}"),
    "an API key": ("", "X-Api-Key", " {} "),
    "the path": ("/n/{}", "X-Other", "1"),
    "the path, and a header too": ("/n/{}", "X-Amz-Security-Token", "{}"),
    "any other header too": ("/n/{}", "X-Other", "token={}"),
}
CREDENTIALS = ("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/bedrock/x")


@dataclass
class Servers:
    """A server of namespaces, and the server that it asks."""

    running: Running
    upstream: Replayer

    @property
    def url(self) -> str:
        return self.running.url


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("outsiders")
    folders.write(folder / "own", Cassette("own", (converse("own", "from the cassette"),)))
    further = (converse("far", "from upstream"), stream("far", ["one", "two"]))
    folders.write(folder / "far", Cassette("far", further))
    (folder / "teams.toml").write_text(TEAMS)
    with Replayer(folder / "far") as upstream:
        options = ("--namespaces", "teams.toml", "--upstream", upstream.url, "--log-format", "json")
        running = Running("own", *options, cwd=folder, BEDTAPE_CONTROL_TOKEN=CONTROL)
        yield Servers(running, upstream)
        running.clean_up()


def ask(
    servers: Servers,
    token: str,
    target: str,
    body: bytes = b"",
    place: str = "a header of bedtape",
    more: tuple[tuple[str, str], ...] = (),
) -> Answer:
    prefix, name, value = PLACES[place]
    method = "POST" if body else "GET"
    with Http1(servers.url) as client:
        headers = ((name, value.format(token)), *more)
        return client.request(method, f"{prefix.format(token)}{target}", headers, body)


def read_metrics(servers: Servers, token: str) -> dict[tuple[str, ...], float]:
    """The samples of calls and refusals, by name and the values of labels."""
    text = ask(servers, token, "/_bedtape/metrics").body.decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in ("bedtape_calls_total", "bedtape_refused_requests_total")
    }


def read_line(servers: Servers, **members: Any) -> dict[str, Any]:
    """The next line of the log with these members."""
    while True:
        line: dict[str, Any] = json.loads(servers.running.line())
        assert not any(each in str(line) for each in (SEARCH, CHECKOUT, CONTROL, WRONG))
        if members.items() <= line.items():
            return line


@pytest.mark.parametrize("place", PLACES)
def test_another_server_gets_no_token(servers: Servers, place: str) -> None:
    more = (CREDENTIALS,) if PLACES[place][1] != "Authorization" else ()
    answer = ask(servers, SEARCH, path(), prompt("far"), place, more)
    assert (answer.status, b"from upstream" in answer.body) == (200, True)
    head = servers.upstream.session("default").calls[-1].call.head
    assert SEARCH.encode() not in head.raw
    assert head.get("x-bedtape-token") is None
    assert head.get("authorization") == (CREDENTIALS[1] if more else None)
    (call,) = json.loads(ask(servers, SEARCH, "/_bedtape/sessions/default/calls").body)["calls"][
        -1:
    ]
    assert SEARCH not in json.dumps(call)


def test_a_server_without_namespaces_sends_no_control_token_on(servers: Servers) -> None:
    with Replayer([]) as server, Http1(server.url) as client:
        server.engine.upstream = servers.upstream.url
        headers = (("x-bedtape-token", CONTROL), ("x-other", "1"))
        assert client.request("POST", path(), headers, prompt("far")).status == 200
    head = servers.upstream.session("default").calls[-1].call.head
    assert (head.get("x-bedtape-token"), head.get("x-other")) == (None, "1")


def test_a_stream_of_another_server_has_its_events(servers: Servers) -> None:
    client = boto3_client(f"{servers.url}/n/{SEARCH}", retries={"total_max_attempts": 1})
    turn: Any = {"role": "user", "content": [{"text": "far"}]}
    events = client.converse_stream(modelId=MODEL, messages=[turn])["stream"]
    texts = [
        each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each
    ]
    assert texts == ["one", "two"]


@pytest.mark.parametrize("token", [CONTROL, SEARCH])
def test_the_stream_of_events_goes_on(servers: Servers, token: str) -> None:
    with Http1(servers.url) as client:
        connection = client._connection
        connection.request("GET", "/_bedtape/events", headers={"x-bedtape-token": token})
        receive_until(connection.sock, b"event: ready")


@pytest.mark.parametrize(
    "target",
    sorted(
        {
            route.path
            for route in (*OWN, *INSPECTOR)
            if route.method == "GET" and "{" not in route.path and not route.path.endswith("events")
        }
    ),
)
def test_the_control_token_opens_the_same_routes_as_that_of_a_namespace(
    servers: Servers, target: str
) -> None:
    answers = [ask(servers, token, target) for token in (CONTROL, SEARCH)]
    assert len({answer.status for answer in answers}) == 1
    assert all(answer.body for answer in answers)


def test_the_control_token_shows_the_metrics_of_all_namespaces(servers: Servers) -> None:
    before = {token: read_metrics(servers, token) for token in (CONTROL, SEARCH, CHECKOUT)}
    for token in (SEARCH, CHECKOUT, CHECKOUT):
        assert ask(servers, token, path(), prompt("own")).status == 200
    key = ("bedtape_calls_total", "200", "Converse", "cassette")

    def grown(token: str, *labels: str) -> float:
        now = read_metrics(servers, token)
        return now[*key, *labels] - before[token].get((*key, *labels), 0)

    assert (grown(SEARCH), grown(CHECKOUT)) == (1, 2)
    assert (grown(CONTROL, "search"), grown(CONTROL, "checkout")) == (1, 2)
    assert not [name for name in read_metrics(servers, CHECKOUT) if "search" in name]


@pytest.mark.parametrize("place", PLACES)
def test_a_refused_token_is_in_the_log_and_in_the_metrics(servers: Servers, place: str) -> None:
    key = ("bedtape_refused_requests_total", "token")
    before = read_metrics(servers, CONTROL)[key]
    target = f"/model/{place.replace(' ', '-')}/converse"
    assert ask(servers, WRONG, target, prompt("own"), place).status == 403
    assert read_metrics(servers, CONTROL)[key] == before + 1
    message = f"POST {target} was refused: expected the token of a namespace, found another"
    read_line(servers, level="warning", message=message)


def test_a_refused_host_is_in_the_log_and_in_the_metrics(servers: Servers) -> None:
    key = ("bedtape_refused_requests_total", "sender")
    before = read_metrics(servers, CONTROL)[key]
    with Http1(servers.url) as client:
        client.host = "evil.example"
        assert client.request("POST", f"/n/{SEARCH}{path()}", (), prompt("own")).status == 403
    assert read_metrics(servers, CONTROL)[key] == before + 1
    while "was refused" not in read_line(servers, level="warning").get("message", ""):
        pass


def test_the_line_of_a_call_names_its_namespace(servers: Servers) -> None:
    assert ask(servers, CHECKOUT, f"/s/named{path()}", prompt("own")).status == 200
    line = read_line(servers, session="named")
    assert (line["namespace"], line["status"]) == ("checkout", 200)
