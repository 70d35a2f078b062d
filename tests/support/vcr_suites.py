"""The code of small suites with VCR.py's cassettes, and the cassettes that VCR.py would
have recorded of the corpus.
"""

from collections import defaultdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name

from support.corpus import Exchange, every
from support.sdk import arguments, of_exchange, service_of

# Sends the requests of a cassette again, and returns all that a program sees of the answers.
APP = r"""
import gzip, json, yaml
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

KEYS = dict(aws_access_key_id="x", aws_secret_access_key="y", config=Config(retries={"total_max_attempts": 1}))
OPERATIONS = {
    "converse": "converse", "converse-stream": "converse_stream", "invoke": "invoke_model",
    "invoke-with-response-stream": "invoke_model_with_response_stream",
}

def read(path):
    data = Path(path).read_bytes()
    return yaml.load(gzip.decompress(data) if str(path).endswith(".gz") else data, yaml.CLoader)["interactions"]

def see(answer):
    for name, value in list(answer.items()):
        if hasattr(value, "read"):
            answer[name] = value.read().decode()
        elif name in ("stream", "body", "completion"):
            try:
                answer[name] = [str(event) for event in value]
            except EventStreamError as error:
                answer[name] = repr(error)
    headers = answer["ResponseMetadata"]["HTTPHeaders"].items()
    # The server sends its own framing. VCR.py plays the first letter of a cookie that a recording has as plain text.
    differ = ("date", "content-length", "transfer-encoding", "set-cookie")
    answer["ResponseMetadata"]["HTTPHeaders"] = sorted(pair for pair in headers if pair[0] not in differ)
    return answer

def send(path, region="us-east-1", change=lambda body: body):
    for entry in read(path):
        request = entry["request"]
        url = urlsplit(request["uri"])
        if "bedrock" not in url.netloc:
            yield urlopen(request["uri"]).read().decode()
            continue
        service = url.netloc.split(".")[0]
        client = boto3.client(service, region_name=region, **KEYS)
        assert client.meta.endpoint_url == f"https://{service}.{region}.amazonaws.com"
        body = request["body"]
        body = body.decode() if isinstance(body, bytes) else body
        try:
            if service == "bedrock-runtime":
                _, _, model, operation = url.path.split("/")
                arguments = {"body": change(body)} if "invoke" in operation else json.loads(change(body))
                headers = ((name.lower(), values[0]) for name, values in request["headers"].items())
                guards = {name: each.decode() if isinstance(each, bytes) else each for name, each in headers}
                if "invoke" in operation and "x-amzn-bedrock-guardrailidentifier" in guards:
                    arguments["guardrailIdentifier"] = guards["x-amzn-bedrock-guardrailidentifier"]
                    arguments["guardrailVersion"] = guards["x-amzn-bedrock-guardrailversion"]
                    arguments["trace"] = guards["x-amzn-bedrock-trace"]
                yield see(getattr(client, OPERATIONS[operation])(modelId=unquote(model), **arguments))
            else:
                _, _, agent, _, alias, _, session, _ = url.path.split("/")
                names = dict(agentId=agent, agentAliasId=alias, sessionId=session)
                yield see(client.invoke_agent(**names, **json.loads(body)))
        except ClientError as error:
            yield repr(error)

def check(path, request, **options):
    seen = [str(each) for each in send(path, **options)]
    assert "sunny" in seen
    keep(request, seen)

def keep(request, seen):
    with open("seen.jsonl", "a") as file:
        file.write(json.dumps([request.node.nodeid, seen]) + "\n")
"""
OTHER: Any = {
    "request": {
        "method": "GET",
        "uri": "https://weather.example/oslo",
        "body": None,
        "headers": {},
    },
    "response": {
        "status": {"code": 200, "message": "OK"},
        "headers": {},
        "body": {"string": "sunny"},
    },
}

# pydantic-ai: classes, a shared fixture, `vcr_config` of the module, headers that are filtered.
CLASSES = """
import app, pytest

pytestmark = pytest.mark.vcr

@pytest.fixture(scope="module")
def vcr_config():
    return {"filter_headers": ["authorization", "x-amz-date"], "decode_compressed_response": True}

@pytest.fixture
def path(vcr):
    return vcr._path

class TestBedrock:
    @pytest.mark.parametrize("number", range(COUNT))
    def test_it(self, path, request, number):
        app.check(path, request)

    def test_other_prompts(self, path, request):
        app.check(path, request, change=lambda body: body.replace('"text": "', '"text": "Oh: '))

def test_named(vcr, request):
    app.check("tests/cassettes/test_suite/TestBedrock.test_it[0].yaml", request)
test_named.pytestmark = [pytest.mark.vcr("TestBedrock.test_it[0].yaml")]

@pytest.mark.default_cassette("TestBedrock.test_it[0].yaml")
def test_default(path, request):
    app.check(path, request)

@pytest.mark.xfail(strict=True)
def test_no_cassette(vcr):
    list(app.send("tests/cassettes/test_suite/TestBedrock.test_it[0].yaml"))
"""
# openinference: arguments in the marks, headers that are emptied, repeated answers,
# cassettes opened by hand.
MARKS = """
import app, pytest, vcr as vcr_module

def empty(message):
    message.headers.clear()
    return message

def keep(message):
    return message

@pytest.mark.vcr(decode_compressed_response=True, before_record_request=empty, before_record_response=keep)
@pytest.mark.parametrize("number", range(COUNT))
def test_it(vcr, request, number):
    app.check(vcr._path, request)

@pytest.mark.default_cassette("test_it[0].yaml")
@pytest.mark.vcr(allow_playback_repeats=True)
def test_repeats(vcr, request):
    app.check(vcr._path, request)
    app.check(vcr._path, request)
    assert vcr.play_count == 2 * len(vcr)

def test_by_hand(request):
    path = "tests/cassettes/test_suite/test_it[0].yaml"
    with vcr_module.use_cassette(path, record_mode="none") as outer:
        with vcr_module.use_cassette(path.replace("[0]", "[1]"), record_mode="none"):
            app.check(path.replace("[0]", "[1]"), request)
        app.check(path, request)
        assert outer.all_played

@pytest.mark.default_cassette("test_it[0].yaml")
@pytest.mark.vcr
def test_another_region(vcr):
    with pytest.raises(Exception):
        list(app.send(vcr._path, region="eu-west-1"))
"""
# langchain-aws: compressed cassettes through a serializer and a persister of its own,
# bodies compared as JSON.
COMPRESSED = """
import app, gzip, json, pytest, yaml, vcr as vcr_module
from pathlib import Path
from vcr.persisters.filesystem import CassetteNotFoundError
from vcr.request import Request

class Serializer:
    @staticmethod
    def deserialize(data):
        entries = yaml.load(gzip.decompress(data), yaml.CLoader)["interactions"]
        for entry in entries:
            body = entry["response"]["body"]
            body["string"] = body["string"].encode() if isinstance(body["string"], str) else body["string"]
        return [Request(**entry["request"]) for entry in entries], [entry["response"] for entry in entries]

class Persister:
    @classmethod
    def load_cassette(cls, path, serializer):
        if not Path(path).exists():
            raise CassetteNotFoundError(path)
        return Serializer.deserialize(Path(path).read_bytes())

    @staticmethod
    def save_cassette(path, data, serializer):
        raise AssertionError("nothing is recorded")

def same_body(one, other):
    assert (one.body and json.loads(one.body)) == (other.body and json.loads(other.body))

@pytest.fixture
def tape(request):
    player = vcr_module.VCR(path_transformer=vcr_module.VCR.ensure_suffix(".yaml.gz"), record_mode="none")
    player.register_persister(Persister)
    player.register_matcher("json_body", same_body)
    name = f"{request.cls.__name__}_{request.node.name}"
    with player.use_cassette(f"tests/cassettes/{name}", match_on=["method", "uri", "json_body"]) as cassette:
        yield cassette

class TestStandard:
    @pytest.mark.parametrize("number", range(COUNT))
    def test_it(self, tape, request, number):
        app.check(tape._path, request)

class TestChanged:
    def test_body(self, tape):
        with pytest.raises(Exception):
            list(app.send(tape._path, change=lambda body: body.replace('"text": "', '"text": "Oh: ')))
"""
# The corpus: clients that all tests share, a class, a named mark, and a
# cassette of another host beside.
CORPUS_CLIENTS = """
import app, boto3, pytest

@pytest.fixture(scope="session")
def clients():
    services = ("bedrock", "bedrock-runtime", "bedrock-agent-runtime")
    return {name: boto3.client(name, region_name="us-east-1", **app.KEYS) for name in services}

@pytest.fixture(scope="module")
def vcr_config():
    return {"record_mode": "none", "filter_headers": ["authorization"]}
"""
CORPUS = """
import app, calls, pytest
from urllib.request import urlopen

def send(clients, number, request):
    seen = []
    for service, operation, arguments in calls.CALLS[number]:
        try:
            seen.append(str(app.see(getattr(clients[service], operation)(**arguments))))
        except app.ClientError as error:
            seen.append(repr(error))
    app.keep(request, seen)

@pytest.mark.vcr
class TestCorpus:
    @pytest.mark.parametrize("number", range(COUNT))
    def test_it(self, clients, request, number):
        send(clients, number, request)

@pytest.mark.vcr("TestCorpus.test_it[0].yaml")
def test_named(clients, request):
    send(clients, 0, request)

@pytest.mark.vcr
def test_weather(request):
    app.keep(request, [urlopen("https://weather.example/oslo").read().decode()])
"""


def choose_exchanges() -> list[list[Exchange]]:
    """Returns the smallest file of each recorder for each set of operations and
    statuses, the longest file first.
    """
    files: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in every():
        files[exchange.cassette].append(exchange)
    chosen: dict[object, list[Exchange]] = {}
    for rows in sorted(
        files.values(),
        key=lambda rows: sum(len(row.request_body + row.response_body) for row in rows),
    ):
        if all(service_of(row.operation) for row in rows):
            chosen.setdefault(
                (rows[0].source, frozenset((row.operation, row.status) for row in rows)), rows
            )
    return sorted(chosen.values(), key=len, reverse=True)


def write_corpus(folder: Path) -> list[list[Exchange]]:
    """Writes a suite and its cassettes, and returns the exchanges of each cassette.

    The cassettes contain requests and answers as recorded, with the addresses to which
    boto3 sends the requests.
    """
    # VCR.py is in the matrix' environment alone
    from vcr.persisters.filesystem import FilesystemPersister
    from vcr.request import Request
    from vcr.serializers import yamlserializer

    def save(name: str, requests: list[object], responses: list[object]) -> None:
        path = folder / "tests" / "cassettes" / "test_suite" / name
        FilesystemPersister.save_cassette(
            path, {"requests": requests, "responses": responses}, yamlserializer
        )

    chosen = choose_exchanges()
    calls = [[_call(exchange) for exchange in exchanges] for exchanges in chosen]
    clients = {
        name: boto3.client(name, **_SETTINGS)
        for name in {name for call in calls for name, _, _ in call}
    }
    for number, exchanges in enumerate(chosen):
        urls = (
            clients[name].generate_presigned_url(method, arguments)
            for name, method, arguments in calls[number]
        )
        requests = [
            Request(
                exchange.method,
                url.partition("?")[0],
                exchange.request_body,
                dict(exchange.request_headers),
            )
            for exchange, url in zip(exchanges, urls, strict=True)
        ]
        save(
            f"TestCorpus.test_it[{number}].yaml",
            requests,
            [_answer(exchange) for exchange in exchanges],
        )
    other = OTHER["request"]
    save(
        "test_weather.yaml",
        [Request(**other)],
        [{**OTHER["response"], "body": {"string": b"sunny"}}],
    )
    (folder / "app.py").write_text(APP)
    (folder / "calls.py").write_text(f"CALLS = {calls!r}\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "tests" / "conftest.py").write_text(CORPUS_CLIENTS)
    (folder / "tests" / "test_suite.py").write_text(CORPUS.replace("COUNT", str(len(chosen))))
    return chosen


_SETTINGS: Any = {
    "region_name": "us-east-1",
    "aws_access_key_id": "x",
    "aws_secret_access_key": "y",
}


def _call(exchange: Exchange) -> tuple[str, str, dict[str, Any]]:
    """Service, method and arguments of boto3."""
    return (
        str(service_of(exchange.operation)),
        xform_name(exchange.operation),
        arguments(of_exchange(exchange)),
    )


def _answer(exchange: Exchange) -> dict[str, Any]:
    headers: dict[str, list[str]] = defaultdict(list)
    for name, value in exchange.response_headers:
        headers[name].append(value)
    status = {"code": exchange.status, "message": HTTPStatus(exchange.status).phrase}
    return {"status": status, "headers": dict(headers), "body": {"string": exchange.response_body}}
