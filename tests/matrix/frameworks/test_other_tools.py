"""Tools that answer or block HTTP calls of tests: bedtape changes nothing for them, and the
fixture works beside them.

Each suite runs in a pytest of its own: without bedtape's plugin, with it, and with it
in a project that uses it.
"""

from pathlib import Path

import pytest

from support.suites import run_suite

URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse"
ANSWER = (
    '{"output":{"message":{"content":[{"text":"Hello!"}],"role":"assistant"}},"stopReason":"end_turn",'
    '"usage":{"inputTokens":4,"outputTokens":3,"totalTokens":7}}'
)
CASSETTE = f"""
interactions:
- request:
    body: '{{"messages": [{{"role": "user", "content": [{{"text": "Hello?"}}]}}]}}'
    headers: {{}}
    method: POST
    uri: {URL}
  response:
    body: {{string: '{ANSWER}'}}
    headers: {{Content-Type: [application/json]}}
    status: {{code: 200, message: OK}}
- request: {{body: null, headers: {{}}, method: GET, uri: 'https://weather.example/oslo'}}
  response: {{body: {{string: rain}}, headers: {{}}, status: {{code: 200, message: OK}}}}
version: 1
"""
# The code under test. The client is made at import, without credentials in the environment.
APP = f"""
import boto3
from botocore.config import Config

ONCE = Config(retries={{"total_max_attempts": 1}})
KEYS = dict(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y", config=ONCE)
client = boto3.client("bedrock-runtime", **KEYS)
URL, ANSWER = {URL!r}, {ANSWER!r}

def ask(bedrock=client, text="Hello?"):
    messages = [{{"role": "user", "content": [{{"text": text}}]}}]
    answer = bedrock.converse(modelId="us.amazon.nova-lite-v1:0", messages=messages)
    return answer["output"]["message"]["content"][0]["text"]
"""
# A test that fails in every suite, so that equal outcomes are not equal because nothing ran.
FAILS = "\n\ndef test_fails():\n    assert app.client.meta.endpoint_url == 'nowhere'\n"

SUITES = {
    "VCR.py": (
        """
import app, pytest, requests, vcr
from botocore.exceptions import HTTPClientError

def test_plays_in_order_and_no_more():
    with vcr.use_cassette("tape.yaml", record_mode="none") as cassette:
        assert app.ask(text="another question") == "Hello!"
        assert requests.get("https://weather.example/oslo").text == "rain"
        assert cassette.all_played
        with pytest.raises(HTTPClientError, match="record"):
            app.ask()

@vcr.use_cassette("tape.yaml", record_mode="none", match_on=["method", "uri", "body"])
def test_compares_bodies():
    assert app.ask() == "Hello!"
"""
    ),
    "pytest-recording": (
        """
import app, pytest, socket

@pytest.fixture(scope="module")
def vcr_cassette_dir():
    return "."

@pytest.mark.vcr("tape.yaml")
@pytest.mark.block_network
def test_plays(vcr):
    assert app.ask() == "Hello!"
    assert vcr.play_count == 1

@pytest.mark.block_network
def test_is_blocked():
    with pytest.raises(RuntimeError, match="Network is disabled"):
        socket.create_connection(("192.0.2.1", 80))

class TestBedrock:
    @pytest.mark.default_cassette("tape.yaml")
    @pytest.mark.vcr
    def test_named(self):
        assert app.ask() == "Hello!"
"""
    ),
    "aioresponses": (
        """
import app, asyncio, aiohttp, pytest
from aioresponses import aioresponses

async def ask():
    async with aiohttp.ClientSession() as session, session.post(app.URL, json={}) as answer:
        return await answer.text()

def test_answers():
    with aioresponses() as mocked:
        # It cannot make an answer for this version of aiohttp.
        mocked.post(app.URL, exception=aiohttp.ClientConnectionError("answered"))
        with pytest.raises(aiohttp.ClientConnectionError, match="answered"):
            asyncio.run(ask())
        mocked.assert_called_once()
"""
    ),
    "respx": (
        """
import app, httpx, pytest, respx

@respx.mock
def test_answers():
    route = respx.post(app.URL).respond(text=app.ANSWER)
    assert httpx.post(app.URL, json={}).text == app.ANSWER
    assert route.call_count == 1
    with pytest.raises(AssertionError):
        httpx.get("https://weather.example/oslo")
"""
    ),
    "responses": (
        """
import app, pytest, requests, responses

@responses.activate
def test_answers():
    responses.post(app.URL, body=app.ANSWER)
    assert requests.post(app.URL, json={}).text == app.ANSWER
    with pytest.raises(requests.ConnectionError):
        requests.get("https://weather.example/oslo")
"""
    ),
    "pytest-httpx": (
        """
import app, httpx, pytest

def test_answers(httpx_mock):
    httpx_mock.add_response(url=app.URL, text=app.ANSWER)
    assert httpx.post(app.URL, json={}).text == app.ANSWER

def test_a_missing_answer(httpx_mock):
    with pytest.raises(httpx.TimeoutException):
        httpx.get("https://weather.example/oslo")
    httpx_mock.reset()
"""
    ),
    "moto": (
        """
import app, boto3
from moto import mock_aws

@mock_aws
def test_answers():
    store = boto3.client("s3", **app.KEYS)
    store.create_bucket(Bucket="some-bucket")
    assert [each["Name"] for each in store.list_buckets()["Buckets"]] == ["some-bucket"]
    assert boto3.client("bedrock", **app.KEYS).list_custom_models()["modelSummaries"] == []
"""
    ),
    "Stubber": (
        """
import app, json, pytest
from botocore.stub import Stubber
from botocore.exceptions import ClientError, UnStubbedResponseError

def test_answers():
    with Stubber(app.client) as stubber:
        stubber.add_response("converse", json.loads(app.ANSWER) | {"metrics": {"latencyMs": 1}})
        stubber.add_client_error("converse", "ThrottlingException")
        assert app.ask() == "Hello!"
        with pytest.raises(ClientError, match="Throttling"):
            app.ask()
        with pytest.raises(UnStubbedResponseError):
            app.ask()
"""
    ),
    "pytest-socket": (
        """
import app, pytest, socket
from pytest_socket import SocketBlockedError

def test_is_blocked(socket_disabled):
    with pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 1))
"""
    ),
}


def run_pytest(folder: Path, *options: str) -> dict[str, str]:
    """Returns the outcomes of the tests in the folder by name."""
    outcomes = {}
    for name, case in run_suite(folder, *options, ".")[0].items():
        outcome = "".join(
            f"{child.tag}: {child.get('message')}" for child in case if child.tag != "properties"
        )
        outcomes[name] = outcome or "passed"
    return outcomes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = strict\n")
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "tape.yaml").write_text(CASSETTE)
    (tmp_path / "conftest.py").write_text(FORKING)
    return tmp_path


@pytest.mark.parametrize("tool", SUITES)
def test_installing_changes_nothing(tool: str, project: Path) -> None:
    (project / "test_suite.py").write_text(SUITES[tool] + FAILS)
    without = run_pytest(project, "-p", "no:bedtape")
    failed = [name for name, outcome in without.items() if outcome != "passed"]
    assert failed == ["test_suite.test_fails"], without
    assert run_pytest(project) == without
    (project / "test_uses.py").write_text(
        "def test_uses(bedrock):\n    bedrock.respond(text='ok')\n"
    )
    assert run_pytest(project) == {**without, "test_uses.test_uses": "passed"}


# -- the fixture beside other tools ----------------------------------------------------------------

BESIDE = {
    "moto": (
        """
import app, boto3
from moto import mock_aws

def test_both(bedrock):
    bedrock.respond(text="ok")
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="some-bucket")
        assert app.ask() == app.ask(boto3.client("bedrock-runtime")) == "ok"
    bedrock.assert_called(times=2)
"""
    ),
    "VCR.py": (
        """
import app, boto3, requests, vcr

def test_both(bedrock):
    bedrock.respond(text="ok")
    with vcr.use_cassette("tape.yaml", record_mode="none") as cassette:
        assert requests.get("https://weather.example/oslo").text == "rain"
        assert app.ask() == app.ask(boto3.client("bedrock-runtime")) == "ok"
        assert cassette.play_count == 1
"""
    ),
    "pytest-recording": (
        """
import app, boto3, pytest, requests

@pytest.fixture(scope="module")
def vcr_cassette_dir():
    return "."

@pytest.mark.vcr("tape.yaml")
@pytest.mark.block_network
def test_both(bedrock):
    bedrock.respond(text="ok")
    assert requests.get("https://weather.example/oslo").text == "rain"
    assert app.ask() == app.ask(boto3.client("bedrock-runtime")) == "ok"
"""
    ),
    "pytest-socket": (
        """
import app, boto3, pytest, socket
from pytest_socket import SocketConnectBlockedError

@pytest.mark.allow_hosts(["127.0.0.1"])
def test_both(bedrock):
    bedrock.respond(text="ok")
    assert app.ask() == app.ask(boto3.client("bedrock-runtime")) == "ok"
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 1))
"""
    ),
    "freezegun": (
        """
import app, boto3
from freezegun import freeze_time

@freeze_time("2020-01-01")
def test_both(bedrock):
    bedrock.respond(text="ok")
    bedrock.fail("ThrottlingException", times=1)
    assert app.ask(boto3.client("bedrock-runtime")) == "ok"
    assert [call.status for call in bedrock.calls] == [429, 200]
"""
    ),
    "syrupy": (
        """
import app, boto3
from syrupy.extensions.amber.serializer import AmberDataSerializer

def test_both(bedrock):
    bedrock.respond(text="ok")
    app.ask(boto3.client("bedrock-runtime"), "Is 2026-11-29 a Sunday?")
    assert "'text': 'Is <date> a Sunday?'," in AmberDataSerializer.serialize(bedrock.calls.snapshot())
"""
    ),
    "inline-snapshot": (
        """
import app, boto3
from inline_snapshot import snapshot

def test_both(bedrock):
    bedrock.respond(text="ok")
    app.ask(boto3.client("bedrock-runtime"), "Is 2026-11-29 a Sunday?")
    messages = [{"content": [{"text": "Is <date> a Sunday?"}], "role": "user"}]
    expected = {"operation": "Converse", "model": "us.amazon.nova-lite-v1:0", "body": {"messages": messages}}
    assert bedrock.calls[-1].snapshot() == snapshot(expected)
"""
    ),
    "forks": (
        """
import app, boto3, pytest

@pytest.mark.forked
@pytest.mark.parametrize("turn", [1, 2])
def test_both(bedrock, turn):
    bedrock.respond(text="ok")
    assert app.ask() == app.ask(boto3.client("bedrock-runtime")) == "ok"

def test_in_the_same_process(bedrock):
    bedrock.respond(text="ok")
    assert app.ask() == "ok"

@pytest.mark.forked
def test_after_the_server_has_started(bedrock):
    bedrock.respond(text="ok")
    assert app.ask() == "ok"
"""
    ),
}


# Runs marked tests in forks, as pytest-forked does, which does not work with this
# version of pytest itself.
FORKING = """
import os, pickle, pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if item.get_closest_marker("forked") is None:
        return None
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.write(into, pickle.dumps([each.outcome for each in runtestprotocol(item, log=False)]))
        os._exit(0)
    os.close(into)
    outcomes = pickle.loads(os.fdopen(out, "rb").read())
    os.waitpid(child, 0)
    item.session._setupstate.teardown_exact(nextitem)
    for when, outcome in zip(("setup", "call", "teardown"), outcomes, strict=True):
        report = pytest.TestReport(item.nodeid, item.location, {}, outcome, None, when)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


@pytest.mark.parametrize("tool", BESIDE)
def test_the_fixture_works_beside(tool: str, project: Path) -> None:
    (project / "test_suite.py").write_text(BESIDE[tool])
    outcomes = run_pytest(project)
    assert outcomes
    assert set(outcomes.values()) == {"passed"}, outcomes


def test_all_of_them_in_one_suite(project: Path) -> None:
    for tool, suite in BESIDE.items():
        (project / f"test_{tool.replace('-', '_').replace('.', '')}.py").write_text(suite)
    outcomes = run_pytest(project)
    assert len(outcomes) == len(BESIDE) + 3
    assert set(outcomes.values()) == {"passed"}, outcomes
