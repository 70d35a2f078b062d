"""Several servers that share their sessions answer as one server does."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.library import Library
from bedtape_replayer.server.loading import load
from bedtape_replayer.server.shared.client import StateClient
from support.client import Answer, Http1
from support.examples import examples
from support.replicas import Replica, StateServer, needs_redis, open_replicas
from support.waits import until

pytestmark = needs_redis

NOVA = "/model/amazon.nova-lite-v1%3A0/converse"
S = "/_bedtape/sessions/team"
FAKECLOUD = "/s/team/_fakecloud/bedrock"
MODEL = f"{FAKECLOUD}/models/amazon.nova-lite-v1:0"
Step = tuple[str, str, Any]


@pytest.fixture(scope="module")
def library() -> Library:
    return SAMPLES


def say(text: str) -> Step:
    return ("POST", NOVA, {"messages": [{"role": "user", "content": [{"text": text}]}]})


def stream(text: str) -> Step:
    return ("POST", f"{NOVA}-stream", say(text)[2])


def ask(text: str, **more: Any) -> Step:
    return ("POST", "/v1/responses", {"model": "openai.gpt-oss-20b", "input": text, **more})


def rule(**rule: Any) -> Step:
    return ("POST", f"{S}/rules", rule)


def fault(**fault: Any) -> Step:
    return ("POST", f"{S}/faults", fault)


SAMPLES = load([store.samples()])
RECORDED: Step = next(
    (each.request.method, each.request.path, json.loads(each.request.body.data))
    for cassette in SAMPLES.cassettes
    for each in cassette.interactions
    if each.operation == "Converse" and each.response.status == 200
)
CALLS = ("GET", f"{S}/calls", None)
OVERLAY = ("GET", f"{S}/overlay", None)
CACHED = {
    "system": [{"text": "word " * 6000}, {"cachePoint": {"type": "default"}}],
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
}

ONCE = {"bedtape-overlay": 1, "rules": [{"answer": {"text": "a"}, "times": 1}]}
BLOCKED = {"blockedInputMessaging": "no", "blockedOutputsMessaging": "no"}

# What a session remembers, each with the calls by which a client sees it.
SCRIPTS: dict[str, list[Step]] = {
    "a rule that answers twice": [rule(answer={"text": "a"}, times=2), *[say("x")] * 3, OVERLAY],
    "the same layers again": [*[("PUT", f"{S}/overlay", ONCE), say("x")] * 2, OVERLAY],
    "a layer removed and added again": [
        *[rule(name="r", answer={"text": "a"}, times=1), say("x")],
        ("DELETE", f"{S}/layers/r", None),
        *[rule(name="r", answer={"text": "b"}, times=1), say("x"), OVERLAY],
    ],
    "paths below an underscore": [("GET", "/_other", None), say("x"), CALLS],
    "a reset that is refused": [
        *[rule(answer={"text": "a"}), ("DELETE", "/_bedtape/reset", None), say("x")]
    ],
    "a session of one server, dropped by another": [
        *[rule(answer={"text": "a"}), ("DELETE", S, None), say("x"), say("x")]
    ],
    "large bodies": [
        rule(answers=[{"text": "a"}, {"text": "b"}]),
        *[say("large " * 300_000)] * 3,
        OVERLAY,
    ],
    "answers in order": [rule(answers=[{"text": "a"}, {"text": "b"}]), *[say("x")] * 3],
    "answers by match key": [
        rule(answers=[{"text": "a"}, {"text": "b"}]),
        *(say("x"), say("y"), say("x"), say("y")),
    ],
    "every second call": [
        rule(answer={"text": "a"}),
        fault(error="ThrottlingException", every=2, after=1),
        *[say("x")] * 5,
        OVERLAY,
    ],
    "probability": [
        rule(answer={"text": "a"}),
        fault(error="ThrottlingException", probability=0.5),
        *[say("x")] * 8,
    ],
    "unique ids": [
        ("PUT", f"{S}/overlay", {"bedtape-overlay": 1, "ids": "unique", "rules": []}),
        rule(answer={"tool": {"name": "t", "input": {}}}, allow_unoffered_tools=True),
        *[say("x")] * 3,
    ],
    "a quota on the virtual clock": [
        rule(answer={"text": "a"}),
        fault(quota={"requests_per_minute": 2}),
        *[say("x")] * 3,
        ("POST", "/_bedtape/clock", {"advance": 61}),
        *[say("x")] * 3,
        ("GET", "/_bedtape/clock", None),
    ],
    "faults in streams": [
        rule(answer={"text": "one two three four"}),
        fault(truncate={"after_events": 2}, times=1),
        *[stream("x")] * 2,
        CALLS,
    ],
    "a removed layer": [
        rule(answer={"text": "a"}, name="first"),
        rule(answer={"text": "b"}),
        say("x"),
        ("DELETE", f"{S}/layers/first", None),
        say("x"),
        OVERLAY,
    ],
    "a rule that no answer fits": [
        rule(answer={"embedding": [0.1, 0.2]}),
        say("x"),
        ("GET", f"{S}/unused", None),
        CALLS,
    ],
    "a misspelt rule": [rule(answer={"txt": "a"}), say("x"), ("GET", S, None)],
    "a name twice": [rule(name="a", answer={"text": "a"}), rule(name="a", answer={"text": "b"})],
    "calls and assertions": [
        rule(answer={"text": "a"}),
        *(say("x"), stream("y"), say("x")),
        CALLS,
        ("GET", f"{S}/calls?prompt_contains=y", None),
        ("GET", f"{S}/calls/2", None),
        ("POST", f"{S}/assert", {"times": 2, "where": {"prompt_contains": "x"}}),
        ("GET", f"{S}/verdict", None),
        ("GET", f"{S}/summary", None),
        ("DELETE", f"{S}/calls", None),
        CALLS,
        say("x"),
        CALLS,
    ],
    "a miss": [rule(when={"prompt_contains": "no"}, answer={"text": "a"}), say("yes"), CALLS],
    "recordings": [RECORDED, RECORDED, ("GET", f"{S}/unplayed", None), CALLS],
    "recordings that play once": [
        ("PUT", S, {"strict": True}),
        *[RECORDED] * 2,
        ("GET", f"{S}/unplayed", None),
        ("GET", S, None),
    ],
    "reset": [
        ("PUT", S, {"strict": True}),
        rule(answer={"text": "a"}, times=1),
        *(say("x"), ("POST", f"{S}/reset", None), say("x"), ("GET", S, None), CALLS),
    ],
    "dropped": [
        rule(answer={"text": "a"}),
        say("x"),
        ("DELETE", S, None),
        ("GET", "/_bedtape/sessions", None),
        say("x"),
        CALLS,
    ],
    "all sessions reset": [
        rule(answer={"text": "a"}),
        say("x"),
        ("POST", "/_bedtape/reset", None),
        ("GET", "/_bedtape/sessions", None),
        say("x"),
    ],
    "answers that are kept": [
        rule(answer={"text": "a"}),
        ask("x"),
        ask("y", background=True),
        *[("GET", "/v1/responses/{id}", None)] * 3,
        ask("z", previous_response_id="{id}"),
        ("GET", "/v1/responses/{id}/input_items", None),
        ("DELETE", "/v1/responses/{id}", None),
        ("GET", "/v1/responses/{id}", None),
        CALLS,
    ],
    "prompt caches": [
        ("PUT", f"{S}/simulate", {"caching": {}}),
        rule(answer={"text": "a"}),
        *[("POST", NOVA, CACHED)] * 2,
        ("POST", "/_bedtape/clock", {"advance": 301}),
        ("POST", NOVA, CACHED),
        CALLS,
    ],
    "guardrails": [
        ("PUT", f"{S}/simulate", {"guardrails": {}}),
        *[
            ("POST", "/guardrails", {"name": name, "clientRequestToken": name, **BLOCKED})
            for name in ("a", "b", "b", "a")
        ],
        ("POST", "/guardrails", {"name": "c", "clientRequestToken": "a", **BLOCKED}),
        *[("GET", "/guardrails", None)] * 2,
    ],
    "a template with the number of the call": [
        rule(answer={"text": "call {{ call }}"}),
        *[say("x")] * 3,
        CALLS,
    ],
    "a condition on the number of the call": [
        rule(when={"call": 3}, answer={"text": "third"}),
        rule(answer={"text": "another"}),
        *[say("x")] * 4,
    ],
    "fakecloud's responses": [
        ("POST", f"{MODEL}/response", "one"),
        ("POST", f"{MODEL}/responses", {"rules": [{"promptContains": "x", "response": "two"}]}),
        *(say("x"), say("y"), stream("x"), OVERLAY),
        ("POST", f"{FAKECLOUD}/models/acme.model-1/responses", {"rules": [{"response": "raw"}]}),
        ("POST", "/model/acme.model-1/invoke", {"a": 1}),
        ("GET", f"{FAKECLOUD}/invocations", None),
        ("DELETE", f"{MODEL}/responses", None),
        *(say("x"), say("y")),
        ("POST", "/s/team/_reset", None),
        say("x"),
    ],
    "fakecloud's faults": [
        rule(answer={"text": "a"}),
        ("POST", f"{FAKECLOUD}/faults", {"errorType": "ThrottlingException", "count": 2}),
        ("GET", f"{FAKECLOUD}/faults", None),
        *(say("x"), ("GET", f"{FAKECLOUD}/faults", None), say("x"), say("x")),
        ("GET", f"{FAKECLOUD}/faults", None),
        ("POST", f"{FAKECLOUD}/faults", {"errorType": "AccessDeniedException", "modelId": "b"}),
        *(say("x"), ("DELETE", f"{FAKECLOUD}/faults", None), say("x")),
    ],
    "quotas of a model": [
        ("PUT", f"{S}/simulate", {"quotas": {"requests_per_minute": 2}}),
        rule(answer={"text": "a"}),
        *[say("x")] * 3,
        ("POST", "/_bedtape/clock", {"advance": 61}),
        *[say("x")] * 2,
    ],
}


_TIMES = ("began", "seconds", "timestamp")
_PORT = re.compile(r"127\.0\.0\.1:[0-9]+")


class Clients:
    """A client that sends each request to the next server."""

    def __init__(self, stack: ExitStack, replicas: Sequence[Replica]) -> None:
        self._clients = [stack.enter_context(Http1(replica.url)) for replica in replicas]
        self._sent = 0
        self._id = ""

    def run(self, steps: Sequence[Step]) -> list[object]:
        return [self._send(*step) for step in steps]

    def _send(self, method: str, path: str, value: Any) -> object:
        client = self._clients[self._sent % len(self._clients)]
        self._sent += 1
        body = b"" if value is None else json.dumps(value).replace("{id}", self._id).encode()
        session = "" if path.startswith(("/_", "/s/")) else "team"
        answer = client.request(method, path.replace("{id}", self._id), (), body, session)
        if method == "POST" and path == "/v1/responses" and answer.status == 200:
            self._id = json.loads(answer.body)["id"]
        return answer.status, _list_headers(answer), _remove_times(_parse(answer.body))


def _list_headers(answer: Answer) -> list[tuple[str, str]]:
    return [each for each in answer.headers if each[0].lower() not in ("date", "content-length")]


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _remove_times(value: object) -> object:
    """The value without what differs in each run of one server too."""
    match value:
        case dict():
            return {k: _remove_times(v) for k, v in value.items() if k not in _TIMES}
        case list():
            return [_remove_times(each) for each in value]
        case str():
            return _PORT.sub("127.0.0.1", value)
    return value


@pytest.fixture(scope="module")
def pair(library: Library, state_server: StateServer) -> Iterator[Sequence[Replica]]:
    with open_replicas(2, library, f"{state_server.url}/1") as replicas:
        yield replicas


@pytest.fixture(scope="module")
def single(library: Library) -> Iterator[Sequence[Replica]]:
    with open_replicas(1, library, None) as replicas:
        yield replicas


def compare(single: Sequence[Replica], pair: Sequence[Replica], steps: Sequence[Step]) -> None:
    """Two servers, asked in turn, give the bytes of one server."""
    both = []
    for replicas in (single, pair):
        with ExitStack() as stack:
            clients = Clients(stack, replicas)
            clients.run([("POST", "/_bedtape/reset", None)])
            now = clients.run([("GET", "/_bedtape/clock", None)])[0]
            answers = clients.run(steps)
            both.append((answers, now))
    for step, one, two in zip(steps, both[0][0], both[1][0], strict=True):
        if step[1] != "/_bedtape/clock":  # a reset does not turn it back
            assert two == one, step


@pytest.mark.parametrize("name", SCRIPTS)
def test_two_servers_answer_as_one(
    single: Sequence[Replica], pair: Sequence[Replica], name: str
) -> None:
    compare(single, pair, SCRIPTS[name])


STEPS = st.sampled_from(
    [step for name, steps in SCRIPTS.items() if "kept" not in name for step in steps]
)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_two_servers_answer_as_one_whatever_is_sent(
    single: Sequence[Replica], pair: Sequence[Replica], steps: list[Step]
) -> None:
    compare(single, pair, steps)


def test_sixteen_clients_of_four_servers_get_exactly_a_hundred_answers(
    library: Library, state_server: StateServer
) -> None:
    with open_replicas(4, library, f"{state_server.url}/2") as replicas, ExitStack() as stack:
        first = Clients(stack, replicas)
        first.run([rule(answer={"text": "first"}, times=100), rule(answer={"text": "second"})])

        def work(number: int) -> Counter[str]:
            with Http1(replicas[number % 4].url) as client:
                path, body = NOVA, json.dumps(say("x")[2]).encode()
                texts = [client.request("POST", path, (), body, "team").body for _ in range(20)]
            return Counter("first" if b"first" in text else "second" for text in texts)

        with ThreadPoolExecutor(16) as pool:
            counted = sum(pool.map(work, range(16)), Counter[str]())
        assert counted == {"first": 100, "second": 220}
        ((_, _, calls),) = first.run([("GET", f"{S}/calls?limit=1000", None)])  # type: ignore[misc]
        assert sorted(call["number"] for call in calls["calls"]) == list(range(1, 321))
        ((_, _, overlay),) = first.run([OVERLAY])  # type: ignore[misc]
        assert [each["fired"] for each in overlay["rules"]] == [100, 220]


def test_attempts_to_two_servers_are_judged_as_those_to_one(pair: Sequence[Replica]) -> None:
    """A load balancer sends them over connections of its own, so the connections prove nothing."""
    with ExitStack() as stack:
        clients = Clients(stack, pair)
        reset = ("POST", "/_bedtape/reset", None)
        clients.run(
            [reset, fault(error="ValidationException", times=1), rule(answer={"text": "a"})]
        )
        body = json.dumps(say("x")[2]).encode()
        for attempt, replica in enumerate(pair, 1):
            sdk = (("amz-sdk-invocation-id", "1"), ("amz-sdk-request", f"attempt={attempt}; max=3"))
            stack.enter_context(Http1(replica.url)).request("POST", NOVA, sdk, body, "team")
        ((_, _, findings),) = clients.run([("GET", f"{S}/verdict", None)])  # type: ignore[misc]
    assert [finding["kind"] for finding in findings] == ["retried_what_it_must_not"]


def test_a_namespace_sees_nothing_of_another(library: Library, state_server: StateServer) -> None:
    replicas = []
    try:
        for name in ("a", "b"):
            replicas.append(Replica(library, f"{state_server.url}/3", namespace=name))
        with ExitStack() as stack:
            one, two = (Clients(stack, [replica]) for replica in replicas)
            one.run([rule(answer={"text": "a"}), say("x")])
            ((_, _, sessions),) = two.run([("GET", "/_bedtape/sessions", None)])  # type: ignore[misc]
            assert sessions == []
            ((status, *_),) = two.run([say("x")])  # type: ignore[misc]
            assert status == 400
    finally:
        for replica in replicas:
            replica.stop()


def test_a_reset_leaves_nothing_of_sessions_that_never_end(
    library: Library, state_server: StateServer
) -> None:
    """Without a lifetime, the state server would keep what nobody deletes."""
    client = Redis.from_url(f"redis://127.0.0.1:{state_server.port}/5")
    with open_replicas(2, library, f"{state_server.url}/5") as replicas, ExitStack() as stack:
        clients = Clients(stack, replicas)
        again = [say("x"), say("x"), CALLS]
        for end in (("POST", "/_bedtape/reset", None), ("DELETE", S, None)):
            clients.run([rule(answer={"text": "a"}), *again, ("DELETE", f"{S}/calls", None)])
            clients.run([*again, ("POST", f"{S}/reset", None), *again, end])
            keys = {key.decode().split(":")[2] for key in client.scan_iter()}
            assert keys <= {"namespace", "flushed"}
            assert client.hget("bedtape:default:namespace", "bytes") == b"0"


def test_a_cluster_is_refused(library: Library, tmp_path: Path) -> None:
    with (
        StateServer(tmp_path, "--cluster-enabled", "yes") as server,
        pytest.raises(CassetteError, match=r"expected one state server, .* found a cluster"),
    ):
        Replica(library, server.url)


def test_servers_of_two_versions_do_not_share(library: Library, state_server: StateServer) -> None:
    first = Replica(library, f"{state_server.url}/4", version="1.0")
    try:
        with pytest.raises(CassetteError, match=r"bedtape 1\.1, found those of bedtape 1\.0"):
            Replica(library, f"{state_server.url}/4", version="1.1")
    finally:
        first.stop()


def test_calls_get_503_while_the_state_server_is_away(
    library: Library, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with StateServer(tmp_path_factory.mktemp("state")) as server, ExitStack() as stack:
        (replica,) = stack.enter_context(open_replicas(1, library, server.url))
        client = Clients(stack, [replica])
        client.run([rule(answer={"text": "a"})])
        ((status, *_),) = client.run([say("x")])  # type: ignore[misc]
        assert status == 200
        server.stop()
        for path in (say("x"), stream("x"), CALLS):
            ((status, headers, body),) = client.run([path])  # type: ignore[misc]
            assert status == 503
            if path is CALLS:  # in the form of the control API
                assert body["error"].startswith(
                    "StateUnavailable: the state server does not answer"
                )
                continue
            assert "the state server does not answer" in body["message"]
            assert ("x-amzn-ErrorType", "StateUnavailable") in headers
        ((status, _, body),) = client.run([ask("x")])  # type: ignore[misc]
        assert (status, body["error"]["code"]) == (503, "StateUnavailable")
        server.start()  # without data, as redis-server without persistence
        ((status, *_),) = client.run([RECORDED])  # type: ignore[misc]
        assert status == 200
        ((_, _, calls),) = client.run([CALLS])  # type: ignore[misc]
        assert [call["number"] for call in calls["calls"]] == [1]


def test_a_state_server_that_lost_its_data_gets_the_version_again(
    library: Library, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Servers that run claim the namespace again, and stop to use one that another version has."""
    version = "HGET bedtape:default:namespace version"
    with StateServer(tmp_path_factory.mktemp("state")) as server, ExitStack() as stack:
        (replica,) = stack.enter_context(open_replicas(1, library, server.url))
        server.stop()
        server.start()
        until(lambda: b"1" in server.send(version).splitlines())
        server.send("HSET bedtape:default:namespace version 2")
        server.send("CLIENT KILL TYPE pubsub")
        client = Clients(stack, [replica])

        def is_refused() -> bool:
            ((status, _, body),) = client.run([say("x")])  # type: ignore[misc]
            return status == 503 and "bedtape 1, found those of bedtape 2" in body["message"]

        until(is_refused)
        with Http1(replica.url) as probe:
            ready = probe.request("GET", "/_bedtape/ready")
            assert (ready.status, b"bedtape 2" in ready.body) == (503, True)
            server.send("HDEL bedtape:default:namespace version")
            until(lambda: probe.request("GET", "/_bedtape/ready").status == 200)
        assert not is_refused()


URLS = [
    "http://localhost",
    "valkey://",
    "localhost:6379",
    "",
    "valky://me:secret@host",
    "me:secret@h",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(CassetteError, match="expected valkey://HOST") as caught:
        StateClient(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("database", ["abc", "-1", "1/2", "²"])
def test_a_database_is_a_number(database: str) -> None:
    with pytest.raises(CassetteError, match="expected the number of a database after the /"):
        StateClient(f"valkey://me:secret@host/{database}")
