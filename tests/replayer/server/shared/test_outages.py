"""What servers do while their state server is slow or away, and afterwards."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.shared.state import SharedState
from support.boto import boto3_client
from support.client import Http1, until
from support.recordings import MODEL, path, prompt
from support.replicas import TIMEOUT, Replica, StateServer, needs_redis, open_replicas

pytestmark = needs_redis

LIBRARY = Library([])
S = f"/_bedtape/sessions/{DEFAULT_SESSION}"
RULE = json.dumps({"answer": {"text": "a"}}).encode()
HI = [{"role": "user", "content": [{"text": "Hi"}]}]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StateServer]:
    """A state server of its own, because the test stops it."""
    with StateServer(tmp_path) as server:
        yield server


@pytest.fixture
def replicas(server: StateServer) -> Iterator[tuple[Replica, ...]]:
    with open_replicas(2, LIBRARY, server.url) as replicas:
        yield tuple(replicas)


def get(replica: Replica, route: str) -> tuple[int, dict[str, object]]:
    with Http1(replica.url) as client:
        answer = client.request("GET", f"/_bedtape/{route}")
    return answer.status, json.loads(answer.body)


def add_rule(replica: Replica) -> None:
    """Add a rule. After an outage, a server may notice late that its connections are lost."""
    with Http1(replica.url) as client:
        until(lambda: client.request("POST", f"{S}/rules", (), RULE).status == 200)


def test_a_server_is_not_ready_while_the_state_server_is_away(
    server: StateServer, replicas: tuple[Replica, ...]
) -> None:
    assert [get(each, "ready")[0] for each in replicas] == [200, 200]
    server.stop()
    for each in replicas:
        assert get(each, "ready") == (503, {"error": "the state server does not answer"})
        assert get(each, "live") == (200, {"status": "live"})
    server.start()
    for each in replicas:
        until(lambda each=each: get(each, "ready") == (200, {"status": "ready"}))


def test_a_server_is_not_ready_while_the_state_server_hangs(
    server: StateServer, replicas: tuple[Replica, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TIMEOUT, 0.2)
    server.pause()
    assert get(replicas[0], "ready")[0] == 503
    assert get(replicas[0], "live")[0] == 200
    server.resume()
    until(lambda: get(replicas[0], "ready")[0] == 200)


@pytest.mark.parametrize("route", ["live", "metrics"])
def test_liveness_and_metrics_wait_for_no_state_server(route: str) -> None:
    engine = Engine(LIBRARY)
    engine.control, engine.render_metrics = Gate(engine), lambda: "metrics 1"

    async def answer() -> None:
        state = SharedState(engine, "valkey://127.0.0.1:1", "1")
        answering = state.answer("GET", f"/_bedtape/{route}", Head.of(()), b"")
        with pytest.raises(StopIteration) as returned:
            answering.send(None)  # a coroutine that waits would yield
        assert returned.value.value.reply.status == 200
        await state.stop()

    asyncio.run(answer())


def test_an_sdk_gets_503_and_its_retry_an_answer(
    server: StateServer, replicas: tuple[Replica, ...]
) -> None:
    """A client of boto3 with its own retries sees an outage that ends as one slow call."""
    add_rule(replicas[0])
    once = boto3_client(replicas[1].url, retries={"total_max_attempts": 1})
    server.stop()
    with pytest.raises(ClientError) as caught:
        once.converse(modelId=MODEL, messages=HI)  # type: ignore[arg-type]
    response = caught.value.response
    assert response["Error"]["Code"] == "StateUnavailable"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 503

    client = boto3_client(replicas[1].url, retries={"mode": "standard", "total_max_attempts": 5})
    attempts: list[int] = []

    def restart(**_: object) -> None:
        attempts.append(len(attempts))
        if len(attempts) == 2:
            server.start()
            add_rule(replicas[0])  # the state server keeps nothing on disk

    client.meta.events.register("before-send.bedrock-runtime.Converse", restart)
    answer = client.converse(modelId=MODEL, messages=HI)  # type: ignore[arg-type]
    assert answer["output"]["message"]["content"] == [{"text": "a"}]
    assert len(attempts) >= 2
    assert answer["ResponseMetadata"]["RetryAttempts"] == len(attempts) - 1


def test_an_outcome_that_is_sent_again_is_in_the_history_once(
    server: StateServer, replicas: tuple[Replica, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state server hangs, and appends afterwards what a server sends again."""
    monkeypatch.setattr("bedtape_replayer.server.shared.histories._BATCH_SECONDS", 3600)
    add_rule(replicas[0])
    with Http1(replicas[0].url) as client:
        assert client.request("POST", path(), (), prompt("Hi")).status == 200
        assert client.request("GET", f"{S}/calls").status == 200  # the script is loaded
        for _ in range(2):
            assert client.request("POST", path(), (), prompt("Hi")).status == 200
        monkeypatch.setattr(TIMEOUT, 0.2)
        server.pause()
        assert client.request("GET", f"{S}/calls").status == 503  # sends the outcomes
        server.resume()
        until(lambda: get(replicas[0], "ready")[0] == 200)
    for each in replicas:
        _, calls = get(each, f"sessions/{DEFAULT_SESSION}/calls")
        assert [call["number"] for call in calls["calls"]] == [1, 2, 3]  # type: ignore[union-attr, index]
        assert calls["forgotten"] == 0


def test_a_lost_subscription_is_made_again(
    server: StateServer, replicas: tuple[Replica, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history has the calls of a server whose connections the state server has lost."""
    monkeypatch.setattr("bedtape_replayer.server.shared.histories._BATCH_SECONDS", 3600)
    server.stop()
    server.start()
    until(lambda: server.count_subscribers() == 2)
    add_rule(replicas[0])
    with Http1(replicas[1].url) as client:
        assert client.request("POST", path(), (), prompt("Hi")).status == 200
    _, calls = get(replicas[0], f"sessions/{DEFAULT_SESSION}/calls")
    assert calls["total"] == 1


def test_databases_do_not_wait_for_each_other(
    server: StateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel is the same in all databases of a state server."""
    monkeypatch.setattr("bedtape_replayer.server.shared.histories._FLUSH_SECONDS", 3600)
    with ExitStack() as stack:
        first, _ = (
            stack.enter_context(open_replicas(1, LIBRARY, f"{server.url}/{number}"))[0]
            for number in (1, 2)
        )
        add_rule(first)
        assert get(first, "sessions")[0] == 200


def test_a_reset_leaves_no_history(server: StateServer, replicas: tuple[Replica, ...]) -> None:
    add_rule(replicas[0])
    for each in replicas:
        with Http1(each.url) as client:
            assert client.request("POST", path(), (), prompt("Hi")).status == 200
    assert get(replicas[0], f"sessions/{DEFAULT_SESSION}/calls")[1]["total"] == 2
    with Http1(replicas[1].url) as client:
        assert client.request("POST", "/_bedtape/reset").status == 200
    assert server.send("KEYS bedtape:*:history:*") == b"*0\r\n"
