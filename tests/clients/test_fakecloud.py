"""Fakecloud's own published clients, sync and async, drive bedtape; boto3
gets what they configured.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from fakecloud import FakeCloud, FakeCloudSync
from fakecloud.client import FakeCloudError
from fakecloud.types import BedrockFaultRule, BedrockResponseRule

from bedtape_cassettes.failures import FAILURES
from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.server.loading import load
from support import authored
from support.balancer import balance, needs_nginx
from support.client import Answer, Http1
from support.folders import write
from support.replicas import StateServer, needs_redis, open_replicas

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"
UNKNOWN = "acme.model-1"
OPERATIONS = ("Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream")
ONCE = Config(retries={"total_max_attempts": 1})
TOOL_USE = {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"city": "Lyon"}}
WHOLE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [{"text": "Let me look."}, {"toolUse": TOOL_USE}],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
    "metrics": {"latencyMs": 1},
}
NATIVE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "tooluse_1", "name": "get_weather", "input": {"city": "Lyon"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 7},
}

# Calls one of the published clients, and gives what its method gave.
Ask = Callable[[str, Callable[[Any], Any]], Any]


def _sync(url: str, call: Callable[[Any], Any]) -> Any:
    with FakeCloudSync(url) as fakecloud:
        return call(fakecloud)


def _async(url: str, call: Callable[[Any], Any]) -> Any:
    async def run() -> Any:
        async with FakeCloud(url) as fakecloud:
            return await call(fakecloud)

    return asyncio.run(run())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    asker: Ask = request.param
    return asker


_NUMBERS = count(1)


class Balanced:
    """A session of two servers behind a load balancer, with what these tests use of a Replayer."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._name = f"test-{next(_NUMBERS)}"
        self.url = f"{address}/s/{self._name}"

    def session_url(self, session: str) -> str:
        return f"{self._address}/s/{quote(f'{self._name}/{session}', safe='')}"

    def respond(self, prompt: str, *, text: str) -> None:
        self._add("rules", {"when": {"prompt_contains": prompt}, "answer": {"text": text}})

    def fail(self, error: str, *, prompt_contains: str) -> None:
        when = {"prompt_contains": prompt_contains}
        self._add("faults", {"error": error, "when": when, "times": 1})

    def _add(self, kind: str, layer: dict[str, Any]) -> None:
        path = f"/_bedtape/sessions/{self._name}/{kind}"
        with Http1(self._address) as http:
            assert http.request("POST", path, (), json.dumps(layer).encode()).status == 200


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one recording."""
    folder = tmp_path_factory.mktemp("recorded")
    hello = authored.converse(CLAUDE, "Hello", "from the cassette")
    write(folder, Cassette("recorded", (hello,)))
    return folder


@pytest.fixture(scope="module")
def address(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A load balancer before two servers with one recording."""
    folder = tmp_path_factory.mktemp("balanced")
    with (
        StateServer(folder) as state,
        open_replicas(2, load([recorded]), state.url) as replicas,
        balance([each.url for each in replicas], folder) as url,
    ):
        yield url


@pytest.fixture(
    params=["one server", pytest.param("two servers", marks=[needs_redis, needs_nginx])]
)
def bedrock(recorded: Path, request: pytest.FixtureRequest) -> Iterator[Replayer | Balanced]:
    if request.param == "one server":
        with Replayer(recorded) as running:
            yield running
    else:
        yield Balanced(request.getfixturevalue("address"))


@pytest.fixture
def client(aws: boto3.Session, bedrock: Replayer) -> Iterator[Any]:
    with closing(aws.client("bedrock-runtime", endpoint_url=bedrock.url, config=ONCE)) as runtime:
        yield runtime


# -- boto3 -----------------------------------------------------------------------------------------


def _converse(client: Any, prompt: str = "Hello", model: str = CLAUDE, **more: Any) -> str:
    answer = client.converse(modelId=model, **authored.ask(prompt), **more)
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


def _body(prompt: str) -> bytes:
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", **authored.say(prompt)}).encode()


def _told(
    client: Any, operation: str, prompt: str = "Hello", model: str = CLAUDE
) -> tuple[str, Any, str, int]:
    """What any of the four operations says: its text, the arguments of the tool it calls,
    stop reason, output tokens.
    """
    match operation:
        case "Converse":
            answer = client.converse(modelId=model, **authored.ask(prompt))
            blocks = answer["output"]["message"]["content"]
            tools = [block["toolUse"]["input"] for block in blocks if "toolUse" in block]
            text = "".join(block.get("text", "") for block in blocks)
            return (
                text,
                tools[0] if tools else None,
                answer["stopReason"],
                answer["usage"]["outputTokens"],
            )
        case "ConverseStream":
            with closing(
                client.converse_stream(modelId=model, **authored.ask(prompt))["stream"]
            ) as stream:
                events = list(stream)
            deltas = [
                event["contentBlockDelta"]["delta"]
                for event in events
                if "contentBlockDelta" in event
            ]
            arguments = "".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)
            stop, usage = (_one(events, name) for name in ("messageStop", "metadata"))
            text = "".join(delta.get("text", "") for delta in deltas)
            return text, _parsed(arguments), stop["stopReason"], usage["usage"]["outputTokens"]
        case "InvokeModel":
            body = json.loads(client.invoke_model(modelId=model, body=_body(prompt))["body"].read())
            text = "".join(block.get("text", "") for block in body["content"])
            tools = [block["input"] for block in body["content"] if block["type"] == "tool_use"]
            return (
                text,
                tools[0] if tools else None,
                body["stop_reason"],
                body["usage"]["output_tokens"],
            )
    sent = client.invoke_model_with_response_stream(modelId=model, body=_body(prompt))
    with closing(sent["body"]) as stream:
        chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
    deltas = [chunk["delta"] for chunk in chunks if chunk["type"] == "content_block_delta"]
    last = next(chunk for chunk in chunks if chunk["type"] == "message_delta")
    text = "".join(delta.get("text", "") for delta in deltas)
    arguments = "".join(delta.get("partial_json", "") for delta in deltas)
    return text, _parsed(arguments), last["delta"]["stop_reason"], last["usage"]["output_tokens"]


def _one(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    member: dict[str, Any] = next(event[name] for event in events if name in event)
    return member


def _parsed(text: str) -> Any:
    return json.loads(text) if text else None


def _refused(call: Callable[[], Any]) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as raised:
        call()
    told = raised.value.response
    return (
        told["Error"]["Code"],
        told["Error"]["Message"],
        told["ResponseMetadata"]["HTTPStatusCode"],
    )


# -- responses -------------------------------------------------------------------------------------


def test_health(ask: Ask, bedrock: Replayer) -> None:
    health = ask(bedrock.url, lambda fakecloud: fakecloud.health())
    assert (health.status, health.version) == ("ok", version("bedtape"))
    assert {"bedrock", "bedrock-runtime"} <= set(health.services)


@pytest.mark.parametrize("model", [CLAUDE, PROFILE])
def test_a_text_answers_all_four_operations(
    model: str, ask: Ask, bedrock: Replayer, client: Any
) -> None:
    told = ask(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.set_model_response(model, '{"label":"späm"}'),
    )
    assert (told.status, told.model_id) == ("ok", model)
    for operation in OPERATIONS:
        assert _told(client, operation, model=model)[:3] == ('{"label":"späm"}', None, "end_turn")


@pytest.mark.parametrize("whole", [WHOLE, NATIVE], ids=["Converse", "native"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_whole_answer_is_honoured_whole(
    whole: dict[str, Any], operation: str, ask: Ask, bedrock: Replayer, client: Any
) -> None:
    ask(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, json.dumps(whole)),
    )
    assert _told(client, operation) == ("Let me look.", {"city": "Lyon"}, "tool_use", 7)


def test_the_ids_of_tools_are_kept(bedrock: Replayer, client: Any) -> None:
    _sync(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, json.dumps(NATIVE)),
    )
    answer = client.converse(modelId=CLAUDE, **authored.ask("Hello"))
    assert answer["output"]["message"]["content"][1] == {"toolUse": TOOL_USE}
    assert answer["usage"]["inputTokens"] == 11


def test_a_model_of_no_known_family_says_the_text_as_it_stands(
    bedrock: Replayer, client: Any
) -> None:
    _sync(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.set_model_response(UNKNOWN, '{"any": "thing"}'),
    )
    answer = client.invoke_model(modelId=UNKNOWN, body=b'{"prompt":"Hello"}')
    assert answer["body"].read() == b'{"any": "thing"}'
    assert _converse(client, model=UNKNOWN) == '{"any": "thing"}'


def test_fault_then_rules_then_the_single_response_then_the_cassette(
    ask: Ask, bedrock: Replayer, client: Any
) -> None:
    rules = [
        BedrockResponseRule(prompt_contains="Hell", response="the first"),
        BedrockResponseRule(prompt_contains="Hello", response="the second"),
    ]
    assert _converse(client) == "from the cassette"
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "single"))
    assert _converse(client) == "single"
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_response_rules(CLAUDE, rules))
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "single again"))
    assert _converse(client) == "the first"
    ask(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.queue_fault(
            BedrockFaultRule("ThrottlingException", "Slow.")
        ),
    )
    assert _refused(lambda: _converse(client)) == ("ThrottlingException", "Slow.", 429)
    assert _converse(client) == "the first"
    told = ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.clear_response_rules(CLAUDE))
    assert (told.status, told.model_id) == ("ok", CLAUDE)
    assert _converse(client) == "single again"


def test_rules_look_at_system_and_all_messages_and_at_case(
    ask: Ask, bedrock: Replayer, client: Any
) -> None:
    rules = [
        BedrockResponseRule(prompt_contains="Latin", response="by the system prompt"),
        BedrockResponseRule(prompt_contains="Earlier", response="by an earlier message"),
        BedrockResponseRule(prompt_contains=None, response="by nothing"),
    ]
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_response_rules(CLAUDE, rules))
    assert _converse(client, system=[{"text": "Answer in Latin."}]) == "by the system prompt"
    assert _converse(client, "in latin, earlier") == "by nothing"
    turns = [("user", "Earlier."), ("assistant", "Yes?"), ("user", "Now.")]
    messages = [{"role": role, "content": [{"text": text}]} for role, text in turns]
    answer = client.converse(modelId=CLAUDE, messages=messages)
    assert answer["output"]["message"]["content"][0]["text"] == "by an earlier message"


def test_rules_are_replaced_and_are_of_one_model(ask: Ask, bedrock: Replayer, client: Any) -> None:
    def rule(model: str, text: str) -> None:
        ask(
            bedrock.url,
            lambda fc: fc.bedrock.set_response_rules(model, [BedrockResponseRule(response=text)]),
        )

    rule(CLAUDE, "one")
    rule(PROFILE, "of the profile")
    rule(CLAUDE, "two")
    assert (_converse(client), _converse(client, model=PROFILE)) == ("two", "of the profile")


def test_a_model_is_named_exactly_as_it_is_called(bedrock: Replayer, client: Any) -> None:
    _sync(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "on demand"))
    assert _converse(client) == "on demand"
    assert _refused(lambda: _converse(client, model=f"us.{CLAUDE}"))[0] == "CassetteMissException"


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_of_an_operation(operation: str, ask: Ask, bedrock: Replayer, client: Any) -> None:
    fault = BedrockFaultRule("ModelTimeoutException", "Too long.", 503, 2, CLAUDE, operation)
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "fine"))
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(PROFILE, "other"))
    assert ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.queue_fault(fault)).status == "ok"
    for other in OPERATIONS:
        if other != operation:
            assert _told(client, other)[0] == "fine"
    assert _told(client, operation, model=PROFILE)[0] == "other"
    for left in (2, 1):
        (listed,) = ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.get_faults()).faults
        assert (listed.error_type, listed.message, listed.http_status) == (
            "ModelTimeoutException",
            "Too long.",
            503,
        )
        assert (listed.remaining, listed.model_id, listed.operation) == (left, CLAUDE, operation)
        assert _refused(lambda: _told(client, operation)) == (
            "ModelTimeoutException",
            "Too long.",
            503,
        )
    assert ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.get_faults()).faults == []
    assert _told(client, operation)[0] == "fine"


@pytest.mark.parametrize("error", FAILURES)
def test_a_fault_has_the_status_that_bedrock_has_for_it(
    error: str, bedrock: Replayer, client: Any
) -> None:
    _sync(bedrock.url, lambda fakecloud: fakecloud.bedrock.queue_fault(BedrockFaultRule(error)))
    (listed,) = _sync(bedrock.url, lambda fakecloud: fakecloud.bedrock.get_faults()).faults
    assert (listed.message, listed.remaining, listed.model_id, listed.operation) == (
        "",
        1,
        None,
        None,
    )
    modelled = (
        client.meta.service_model.shape_for(error)
        if error in client.meta.service_model.shape_names
        else None
    )
    code, _, status = _refused(lambda: _converse(client))
    assert (code, status) == (error, listed.http_status)
    if modelled is not None:
        assert status == modelled.metadata["error"]["httpStatusCode"]
    assert _converse(client) == "from the cassette"


def test_faults_happen_in_the_order_in_which_they_were_queued(
    ask: Ask, bedrock: Replayer, client: Any
) -> None:
    for error, status in (("ThrottlingException", None), ("AcmeException", 599)):
        fault = BedrockFaultRule(error, http_status=status)
        ask(bedrock.url, lambda fakecloud, fault=fault: fakecloud.bedrock.queue_fault(fault))
    assert [_refused(lambda: _converse(client))[::2] for _ in range(2)] == [
        ("ThrottlingException", 429),
        ("AcmeException", 599),
    ]
    ask(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.queue_fault(BedrockFaultRule("ThrottlingException")),
    )
    assert ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.clear_faults()).status == "ok"
    assert _converse(client) == "from the cassette"


def test_layers_of_others_stay(ask: Ask, bedrock: Replayer, client: Any) -> None:
    bedrock.respond("Bonjour", text="by bedtape")
    bedrock.fail("ThrottlingException", prompt_contains="Bonjour")
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_response_rules(CLAUDE, []))
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.clear_response_rules(CLAUDE))
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.clear_faults())
    assert ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.get_faults()).faults == []
    assert _refused(lambda: _converse(client, "Bonjour"))[0] == "ThrottlingException"
    assert _converse(client, "Bonjour") == "by bedtape"


# -- invocations -----------------------------------------------------------------------------------


def test_invocations_are_listed_oldest_first(ask: Ask, bedrock: Replayer, client: Any) -> None:
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "ham"))
    ask(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.queue_fault(
            BedrockFaultRule("ThrottlingException", "Slow.")
        ),
    )
    _refused(lambda: _converse(client, "faulted"))
    for operation in OPERATIONS:
        _told(client, operation, operation)
    _refused(lambda: _converse(client, model="missing"))
    count = {"converse": authored.ask("counted, not invoked")}
    _refused(lambda: client.count_tokens(modelId=CLAUDE, input=count))
    invocations = ask(
        bedrock.url, lambda fakecloud: fakecloud.bedrock.get_invocations()
    ).invocations
    assert [call.model_id for call in invocations] == [CLAUDE] * 5 + ["missing"]
    assert [
        prompt in call.input
        for call, prompt in zip(invocations, ("faulted", *OPERATIONS), strict=False)
    ] == [True] * 5
    assert json.loads(invocations[1].input) == authored.ask("Converse")
    assert (invocations[0].output, invocations[0].error) == ("", "ThrottlingException: Slow.")
    assert json.loads(invocations[1].output)["output"]["message"]["content"] == [{"text": "ham"}]
    assert json.loads(invocations[3].output)["content"] == [{"type": "text", "text": "ham"}]
    assert (invocations[2].output, invocations[4].output) == ("ham", "ham")
    assert [call.error for call in invocations[1:5]] == [None] * 4
    assert invocations[5].error.startswith("CassetteMissException: ")
    times = [datetime.fromisoformat(call.timestamp) for call in invocations]
    assert times == sorted(times)
    assert {time.utcoffset() for time in times} == {timedelta(0)}


def test_invocations_tell_what_clients_say_about_their_requests(
    ask: Ask, bedrock: Replayer, client: Any
) -> None:
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "ham"))
    _converse(client, requestMetadata={"team-name": "tests"})
    client.invoke_model(modelId=CLAUDE, body=_body("Hello"), requestMetadata='{"costCenter":"7"}')
    _converse(client)
    invocations = ask(
        bedrock.url, lambda fakecloud: fakecloud.bedrock.get_invocations()
    ).invocations
    assert [call.request_metadata for call in invocations] == [
        {"team-name": "tests"},
        {"costCenter": "7"},
        None,
    ]


# -- reset and sessions ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", [None, "bedrock", "bedrock-runtime"])
def test_reset(service: str | None, ask: Ask, bedrock: Replayer, client: Any) -> None:
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "ham"))
    ask(
        bedrock.url,
        lambda fakecloud: fakecloud.bedrock.queue_fault(BedrockFaultRule("ThrottlingException")),
    )
    _refused(lambda: _converse(client))
    if service is None:
        assert ask(bedrock.url, lambda fakecloud: fakecloud.reset()).status == "ok"
    else:
        assert ask(bedrock.url, lambda fakecloud: fakecloud.reset_service(service)).reset == service
    assert ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.get_invocations()).invocations == []
    assert _converse(client) == "from the cassette"


def test_a_service_that_bedtape_has_not(ask: Ask, bedrock: Replayer) -> None:
    with pytest.raises(FakeCloudError, match="found 'sqs'") as raised:
        ask(bedrock.url, lambda fakecloud: fakecloud.reset_service("sqs"))
    assert raised.value.status == 404


def test_the_endpoint_names_the_session(
    ask: Ask, aws: boto3.Session, bedrock: Replayer, client: Any
) -> None:
    url = bedrock.session_url("one/of two")
    ask(url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "in the session"))
    ask(bedrock.url, lambda fakecloud: fakecloud.bedrock.set_model_response(CLAUDE, "outside"))
    with closing(aws.client("bedrock-runtime", endpoint_url=url, config=ONCE)) as inside:
        assert (_converse(inside), _converse(client)) == ("in the session", "outside")
        assert len(ask(url, lambda fakecloud: fakecloud.bedrock.get_invocations()).invocations) == 1
        ask(url, lambda fakecloud: fakecloud.reset())
        assert (_converse(inside), _converse(client)) == ("from the cassette", "outside")


# -- the wire --------------------------------------------------------------------------------------


def _raw(bedrock: Replayer, method: str, path: str, body: bytes = b"") -> Answer:
    with Http1(bedrock.url) as http:
        return http.request(method, path, body=body)


@pytest.mark.parametrize("model", [PROFILE, quote(PROFILE, safe=""), quote(PROFILE)])
def test_model_ids_have_raw_or_encoded_slashes(model: str, bedrock: Replayer, client: Any) -> None:
    for path, body in (
        ("response", b"single"),
        ("responses", b'{"rules":[{"promptContains":"x","response":"rule"}]}'),
    ):
        answer = _raw(bedrock, "POST", f"/_fakecloud/bedrock/models/{model}/{path}", body)
        assert json.loads(answer.body) == {"status": "ok", "modelId": PROFILE}
    assert [_converse(client, prompt, PROFILE) for prompt in ("Hello", "x")] == ["single", "rule"]
    answer = _raw(bedrock, "DELETE", f"/_fakecloud/bedrock/models/{model}/responses")
    assert json.loads(answer.body) == {"status": "ok", "modelId": PROFILE}
    assert _converse(client, "x", PROFILE) == "single"


def test_answers_have_exactly_their_keys(bedrock: Replayer, client: Any) -> None:
    def keys(method: str, path: str, body: bytes = b"") -> set[str]:
        answer = _raw(bedrock, method, path, body)
        assert (answer.status, answer.header("content-type")) == (200, "application/json")
        return set(json.loads(answer.body))

    faults = "/_fakecloud/bedrock/faults"
    assert keys("GET", "/_fakecloud/health") == {"status", "version", "services"}
    assert keys("POST", "/_reset") == {"status"}
    assert keys("POST", "/_fakecloud/reset/bedrock") == {"reset"}
    assert keys(
        "POST", faults, b'{"errorType":"ThrottlingException","modelId":null,"count":null}'
    ) == {"status"}
    assert json.loads(_raw(bedrock, "GET", faults).body) == {
        "faults": [
            {
                "errorType": "ThrottlingException",
                "message": "",
                "httpStatus": 429,
                "remaining": 1,
                "modelId": None,
                "operation": None,
            }
        ]
    }
    assert keys("DELETE", faults) == {"status"}
    assert keys("POST", f"/_fakecloud/bedrock/models/{CLAUDE}/response", b"ham") == {
        "status",
        "modelId",
    }
    _converse(client)
    _converse(client, requestMetadata={"a": "b"})
    plain, described = json.loads(_raw(bedrock, "GET", "/_fakecloud/bedrock/invocations").body)[
        "invocations"
    ]
    assert set(plain) == {"modelId", "input", "output", "timestamp", "error"}
    assert set(described) == {*plain, "requestMetadata"}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("bedrock/models/m/response", b"\xff", "UTF-8"),
        ("bedrock/models/m/responses", b"no JSON", "JSON"),
        ("bedrock/models/m/responses", b"{}", "rules"),
        ("bedrock/models/m/responses", b'{"rules":[{"promptContains":"x"}]}', "response"),
        (
            "bedrock/models/m/responses",
            b'{"rules":[{"response":"x","prompt":"y"}]}',
            "promptContains",
        ),
        ("bedrock/faults", b"{}", "errorType"),
        ("bedrock/faults", b'{"errorType":"AcmeException"}', "status"),
        ("bedrock/faults", b'{"errorType":"new\\nline","httpStatus":500}', "header"),
        ("bedrock/faults", b'{"errorType":"ThrottlingException","httpStatus":200}', "400"),
        ("bedrock/faults", b'{"errorType":"ThrottlingException","count":0}', "count"),
        (
            "bedrock/faults",
            b'{"errorType":"ThrottlingException","operation":"Convers"}',
            "did you mean Converse?",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    path: str, body: bytes, said: str, bedrock: Replayer
) -> None:
    answer = _raw(bedrock, "POST", f"/_fakecloud/{path}", body)
    told = json.loads(answer.body)
    assert (answer.status, set(told)) == (400, {"error"})
    assert said in told["error"]
    assert json.loads(_raw(bedrock, "GET", "/_fakecloud/bedrock/faults").body) == {"faults": []}


def test_half_a_character_does_no_harm(bedrock: Replayer, client: Any) -> None:
    """JSON can spell it, UTF-8 cannot."""
    half = b'{"rules":[{"response":"half: \\ud83d"}]}'
    refused = _raw(bedrock, "POST", f"/_fakecloud/bedrock/models/{CLAUDE}/responses", half)
    assert (refused.status, b"half of a surrogate pair" in refused.body) == (400, True)
    block = {"toolUse": {"toolUseId": "t", "name": "say", "input": {"word": "\ud83d"}}}
    inner = json.dumps({"output": {"message": {"content": [block]}}, "stopReason": "tool_use"})
    _sync(bedrock.url, lambda fc: fc.bedrock.set_model_response(CLAUDE, inner))
    assert _told(client, "Converse")[1] == {"word": "?"}
