"""The compose file and the manifest of docs/how-to/team-server.md, run without containers."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bedtape_cassettes.model import Cassette
from support import WAIT, folders
from support.boto import boto3_client
from support.client import Http1, until
from support.deployment import TOKEN, Compose, Deployment, needs_nginx, read_block, read_entrypoint
from support.recordings import MODEL, converse
from support.recordings import stream as record_stream
from support.replicas import needs_redis

pytestmark = [needs_nginx, needs_redis, pytest.mark.slow]

PAGE = "how-to/team-server.md"
(COMPOSE,) = read_block(PAGE, "compose.yaml")
MANIFEST = read_block(PAGE, "bedtape.yaml")
CONTROL = (("x-bedtape-token", TOKEN),)
CLIENTS: list[Any] = []
S = "/_bedtape/sessions/{}"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    tapes = (converse("a", "one"), record_stream("s", ["one", "two"]))
    folders.write(tmp_path / "cassettes", Cassette("suite", tapes))
    return tmp_path


@pytest.fixture
def compose(work: Path) -> Iterator[Compose]:
    with Compose(COMPOSE, work) as compose:
        compose.start_all()
        yield compose


@pytest.fixture(autouse=True)
def clients() -> Iterator[list[Any]]:
    """The clients of a test, which are closed."""
    CLIENTS.clear()
    yield CLIENTS
    for client in CLIENTS:
        client.close()


def connect(url: str) -> Any:
    """A client of boto3 that does not retry."""
    CLIENTS.append(boto3_client(url, retries={"total_max_attempts": 1}))
    return CLIENTS[-1]


def say(text: str) -> Any:
    return [{"role": "user", "content": [{"text": text}]}]


def control(url: str, method: str, path: str, value: object = None) -> Any:
    body = b"" if value is None else json.dumps(value).encode()
    with Http1(url) as client:
        answer = client.request(method, path, CONTROL, body)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def test_boto3_and_the_control_api_work_through_nginx(compose: Compose) -> None:
    url = compose.url("nginx")
    for session in ("team", "default"):
        rule = {"answer": {"text": "first"}, "times": 3}
        control(url, "POST", f"{S.format(session)}/rules", rule)
        client = connect(f"{url}/s/team" if session == "team" else url)
        texts = []
        for _ in range(5):
            answer = client.converse(modelId=MODEL, messages=say("a"))
            texts.append(answer["output"]["message"]["content"][0]["text"])
        assert texts == ["first"] * 3 + ["one"] * 2
        events = client.converse_stream(modelId=MODEL, messages=say("s"))["stream"]
        deltas = [each["contentBlockDelta"] for each in events if "contentBlockDelta" in each]
        assert [each["delta"]["text"] for each in deltas] == ["one", "two"]
        calls = control(url, "GET", f"{S.format(session)}/calls")
        assert [call["number"] for call in calls["calls"]] == [1, 2, 3, 4, 5, 6]
    with Http1(url) as http:
        assert http.request("GET", "/_bedtape/sessions").status == 401


def test_an_event_passes_nginx_before_the_next_one_is_sent(compose: Compose) -> None:
    """A stream that stalls after its first event: a proxy that buffers sends nothing."""
    url = compose.url("nginx")
    control(url, "POST", f"{S.format('default')}/faults", {"stall": {"after_events": 1}})
    stream = connect(url).converse_stream(modelId=MODEL, messages=say("s"))["stream"]
    with closing(stream):
        assert "messageStart" in next(iter(stream))


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_call_fails_while_one_server_ends_and_comes_back(
    compose: Compose, ending: signal.Signals
) -> None:
    """The clients do not retry: nginx uses the other server."""
    url = compose.url("nginx")
    control(url, "POST", f"{S.format('default')}/rules", {"answer": {"text": "x"}, "times": 40})
    over = Event()

    def call(_: int) -> list[str]:
        client = connect(url)
        texts = []
        while not over.is_set():
            answer = client.converse(modelId=MODEL, messages=say("a"))
            texts.append(answer["output"]["message"]["content"][0]["text"])
        return texts

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(call, number) for number in range(4)]
        try:
            wait_for_calls(compose, "bedtape-1", 30)
            compose.processes["bedtape-1"].send_signal(ending)
            if ending == signal.SIGTERM:
                compose.wait_until("bedtape-1", "/_bedtape/ready", 503)
            code = compose.processes["bedtape-1"].wait(WAIT)
            assert code == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
            before = count_calls(compose, "bedtape-2")
            wait_for_calls(compose, "bedtape-2", before + 30)
            compose.start_service("bedtape-1")
            wait_for_calls(compose, "bedtape-1", 10)
        finally:
            over.set()
        texts = [text for each in running for text in each.result(WAIT)]
    assert texts.count("x") + texts.count("one") == len(texts)
    calls = control(url, "GET", f"{S.format('default')}/calls?limit=1")
    if ending == signal.SIGTERM:  # nothing is lost
        assert texts.count("x") == 40
        assert calls["total"] == len(texts)
    else:  # a call whose answer was lost was counted, and nginx has sent it again
        assert 36 <= texts.count("x") <= 40


def count_calls(compose: Compose, service: str) -> int:
    """The number of calls that a server has answered."""
    with Http1(compose.url(service)) as client:
        text = client.request("GET", "/_bedtape/metrics", CONTROL).body.decode()
    counts = [line for line in text.splitlines() if line.startswith("bedtape_calls_total{")]
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)


def wait_for_calls(compose: Compose, service: str, count: int) -> None:
    until(lambda: count_calls(compose, service) >= count)


def test_the_manifest_starts_ready_servers_that_end_in_time(work: Path) -> None:
    """The kubelet's part: it asks the probes by address, without a token."""
    pods = {doc["metadata"]["name"]: doc for doc in MANIFEST if doc["kind"] == "Deployment"}
    services = {doc["metadata"]["name"]: doc for doc in MANIFEST if doc["kind"] == "Service"}
    assert pods.keys() == services.keys() == {"bedtape", "valkey"}
    for name, service in services.items():
        labels = pods[name]["spec"]["template"]["metadata"]["labels"]
        assert (
            service["spec"]["selector"] == labels == pods[name]["spec"]["selector"]["matchLabels"]
        )
    (bedtape,), (valkey,) = (
        pods[name]["spec"]["template"]["spec"]["containers"] for name in ("bedtape", "valkey")
    )
    replicas = [f"bedtape-{n}" for n in range(pods["bedtape"]["spec"]["replicas"])]
    assert bedtape["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "bedtape", "key": "token"}
    with Deployment(work, ["valkey", *replicas]) as deployment:
        deployment.start("valkey", valkey["args"])
        command = [*read_entrypoint(), *bedtape["args"], "/cassettes"]
        for name in replicas:
            # a container that starts before Valkey ends, and the kubelet starts it again
            deployment.start(name, command, {bedtape["env"][0]["name"]: TOKEN})
            until(lambda name=name: started(deployment, name, command, bedtape))
        for name in replicas:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                get = bedtape[probe]["httpGet"]
                assert deployment.get_status(name, get["path"], get["port"]) == 200
        first = deployment.url(replicas[0])
        control(first, "POST", f"{S.format('default')}/rules", {"answer": {"text": "x"}})
        answer = connect(deployment.url(replicas[1])).converse(modelId=MODEL, messages=say("z"))
        assert answer["output"]["message"]["content"][0]["text"] == "x"

        deployment.processes["valkey"].kill()
        ready = bedtape["readinessProbe"]["httpGet"]["path"]
        deployment.wait_until(replicas[0], ready, 503)
        assert (
            deployment.get_status(replicas[0], bedtape["livenessProbe"]["httpGet"]["path"]) == 200
        )
        for name in replicas:
            deployment.processes[name].terminate()
        assert [deployment.processes[name].wait(WAIT) for name in replicas] == [0, 0]


def started(
    deployment: Deployment, name: str, command: list[str], container: dict[str, Any]
) -> bool:
    """Whether the startup probe succeeds. A container that has ended is started again."""
    if deployment.processes[name].poll() is not None:
        deployment.start(name, command, {container["env"][0]["name"]: TOKEN})
    return deployment.get_status(name, container["startupProbe"]["httpGet"]["path"]) == 200


def test_a_container_has_the_time_that_its_options_ask_for() -> None:
    pod = MANIFEST[0]["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    times = [float(arguments[arguments.index(name) + 1]) for name in ("--drain", "--grace")]
    assert sum(times) < pod["terminationGracePeriodSeconds"]
    service = COMPOSE["services"]["bedtape-1"]
    words = service["command"].split()
    times = [float(words[words.index(name) + 1]) for name in ("--drain", "--grace")]
    assert sum(times) < float(service["stop_grace_period"].removesuffix("s"))
    assert service == COMPOSE["services"]["bedtape-2"]
