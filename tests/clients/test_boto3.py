"""boto3 gets from a replay what botocore's own parser makes of the recorded response."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.operations import DUPLEX
from bedtape_cassettes.storage.store import samples
from bedtape_replayer import Replayer
from bedtape_replayer.server.server import Outcome
from support import authored, corpus, sdk
from support.folders import write
from support.sdk import RecordedCall

MODELS = (
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "us.amazon.nova-lite-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-text-lite-v1",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
)
# The last in name order is asked first: without a session, the first would answer.
NAMES = ("two/of two", "one")
THE_FOUR = {"Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"}
# A recorded error that is worth a retry would otherwise be asked for again, after a pause.
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def corpus_replayed(corpus_tape: Path) -> Iterator[Replayer]:
    """One server for all sources: each has its own cassettes, thus sessions."""
    with Replayer(corpus_tape) as bedrock:
        yield bedrock


def replayed(
    aws: boto3.Session, bedrock: Replayer, rows: Iterable[RecordedCall]
) -> Iterator[tuple[RecordedCall, sdk.Outcome]]:
    """What boto3 gives for each exchange, with a client of its own for each run
    of a service in a session.
    """
    for (service, session), run in groupby(
        rows, lambda row: (str(sdk.service_of(row.operation)), row.session)
    ):
        with closing(
            aws.client(service, endpoint_url=sdk.endpoint(bedrock, session), config=ONCE)
        ) as client:
            for row in run:
                yield row, called(client, row.operation, sdk.arguments(row))


def called(client: Any, operation: str, arguments: dict[str, Any]) -> sdk.Outcome:
    return sdk.collect(
        operation, lambda: typed(client, getattr(client, xform_name(operation)), arguments)
    )


def typed(
    client: Any, call: Callable[..., dict[str, Any]], arguments: dict[str, Any]
) -> dict[str, Any]:
    """Calls, and checks that an error is of the class that the service model has for its code."""
    try:
        return call(**arguments)
    except ClientError as error:
        modelled = client.exceptions.from_code(error.response["Error"]["Code"])
        if type(error) is not modelled:
            raise AssertionError(f"expected {modelled}") from error
        raise


def assert_replayed(aws: boto3.Session, bedrock: Replayer, rows: list[RecordedCall]) -> None:
    differing = [
        str(row) for row, got in replayed(aws, bedrock, rows) if got != sdk.parse_recorded(row)
    ]
    assert not differing, f"{len(differing)} of {len(rows)} differ"


@pytest.mark.slow
@corpus.needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("source", corpus.sources())
def test_the_corpus(
    source: str,
    aws: boto3.Session,
    corpus_replayed: Replayer,
    record_property: Callable[[str, object], None],
) -> None:
    every = [sdk.of_exchange(exchange) for exchange in corpus.exchanges(source)]
    rows = [row for row in every if sdk.service_of(row.operation) is not None]
    left = Counter(row.operation for row in every if sdk.service_of(row.operation) is None)
    assert_replayed(aws, corpus_replayed, rows)
    reasons = "".join(
        f"; {n} {name} left out: in no service model of botocore"
        for name, n in sorted(left.items())
    )
    record_property("counted", f"boto3, {source}: {len(rows)} exchanges sent and compared{reasons}")


def test_the_samples(aws: boto3.Session) -> None:
    """Except the conversation: boto3 has no bidirectional streams."""
    rows = [
        row
        for row in sdk.of_samples()
        if row.operation not in DUPLEX and sdk.service_of(row.operation) is not None
    ]
    assert {row.operation for row in rows} >= THE_FOUR
    with Replayer(samples()) as bedrock:
        assert_replayed(aws, bedrock, rows)


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_a_miss_is_an_error_after_one_attempt(
    operation: str, aws: boto3.Session, tmp_path: Path
) -> None:
    write(tmp_path, Cassette("hello", (authored.converse("model", "Hello", "Hi"),)))
    seen: list[Outcome] = []
    with (
        Replayer(tmp_path, observer=seen.append) as bedrock,
        closing(aws.client("bedrock-runtime", endpoint_url=bedrock.url)) as client,
        pytest.raises(ClientError, match="No recording answers") as raised,
    ):
        getattr(client, operation)(modelId="model", **authored.ask("Something else"))
    assert raised.value.response["Error"]["Code"] == "CassetteMissException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert len(seen) == 1


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_endpoint_names_the_session(slash: str, aws: boto3.Session, tmp_path: Path) -> None:
    for name in NAMES:
        write(tmp_path, Cassette(name, (authored.converse("model", "Who?", name),)))
    with Replayer(tmp_path) as bedrock:
        for name in NAMES:
            url = sdk.endpoint(bedrock, name) + slash
            with closing(aws.client("bedrock-runtime", endpoint_url=url)) as client:
                answer = client.converse(modelId="model", **authored.ask("Who?"))
            assert answer["output"]["message"]["content"] == [{"text": name}]


def test_model_ids_with_colons_and_slashes(aws: boto3.Session, tmp_path: Path) -> None:
    write(
        tmp_path,
        Cassette("models", tuple(authored.converse(model, "Who?", model) for model in MODELS)),
    )
    with (
        Replayer(tmp_path) as bedrock,
        closing(aws.client("bedrock-runtime", endpoint_url=bedrock.url)) as client,
    ):
        for model in MODELS:
            answer = client.converse(modelId=model, **authored.ask("Who?"))
            assert answer["output"]["message"]["content"] == [{"text": model}]


def test_a_bearer_token_is_sent_over_https_only(
    aws: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/how-to/corporate-proxies.md states this about boto3."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "secret")
    client = aws.client("bedrock-runtime", endpoint_url="http://127.0.0.1:9", config=ONCE)
    with closing(client), pytest.raises(BotoCoreError, match="requires an HTTPS endpoint"):
        client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
