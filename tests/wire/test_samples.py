"""The cassettes that ship: they cover every operation, and each is answered over
both HTTPs as its file says.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes.format import document
from bedtape_cassettes.format.bodies import read_chunk
from bedtape_cassettes.model import Body, Event, Events, Interaction
from bedtape_cassettes.operations import DUPLEX
from bedtape_cassettes.storage import file_names, store
from bedtape_replayer import Replayer
from support.client import Answer, Http1, Http2, until
from support.duplex import Duplex

SAMPLES = [i for cassette in store.read([store.samples()]) for i in cassette.interactions]
# What real recordings hold: every operation of the corpus.
OPERATIONS = {
    "Converse",
    "ConverseStream",
    "InvokeModel",
    "InvokeModelWithResponseStream",
    "CountTokens",
    "ApplyGuardrail",
    "InvokeAgent",
    "Retrieve",
    "RetrieveAndGenerate",
    "Rerank",
    "InvokeFlow",
    "InvokeAgentRuntime",
    "ListFoundationModels",
    "GetInferenceProfile",
    "ChatCompletions",
    "Responses",
    "Messages",
    *DUPLEX,
}
ONE_WAY = [sample for sample in SAMPLES if sample.request.events is None]
CONVERSATIONS = [sample for sample in SAMPLES if sample.request.events is not None]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Replayer(store.samples()) as bedrock:
        yield bedrock.url


def _cassette(interaction: Interaction) -> str:
    return interaction.file.rpartition("/")[0]


def _ask(client: Http1 | Http2, sample: Interaction) -> Answer:
    request = sample.request
    return client.request(
        request.method, request.path, request.headers, request.body.data, _cassette(sample)
    )


def _says(answer: Answer, sample: Interaction) -> bool:
    body = sample.response.body
    if isinstance(body, Body):
        return answer.body == body.data
    if any(not event.headers for event in body.events):
        return answer.body == b"".join(event.payload for event in body.events)
    return _events(answer.body) == [_expected(event, body) for event in body.events]


def _events(data: bytes) -> list[tuple[dict[str, str], object]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    events = []
    for event in buffer:
        payload = json.loads(event.payload)
        payload.pop("p", None)
        events.append((dict(event.headers), payload))
    return events


def _expected(event: Event, _body: Events) -> tuple[dict[str, str], object]:
    return dict(event.headers), json.loads(event.payload)


def test_every_operation_of_the_corpus_has_a_sample() -> None:
    assert {sample.operation for sample in SAMPLES} >= OPERATIONS


def test_the_page_lists_every_sample() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/cassettes.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \|", page.partition("## Samples")[2], re.MULTILINE)
    assert sorted(rows) == sorted({_cassette(sample) for sample in SAMPLES})


@pytest.mark.parametrize("client", [Http1, Http2])
def test_every_sample_is_answered_as_its_file_says(client: type[Http1 | Http2]) -> None:
    with Replayer(store.samples()) as bedrock, client(bedrock.url) as connection:
        for sample in ONE_WAY:
            answer = _ask(connection, sample)
            assert answer.status == sample.response.status, sample.file
            assert _says(answer, sample), sample.file


@pytest.mark.parametrize("http2", [True, False], ids=["http2", "http1"])
@pytest.mark.parametrize("sample", CONVERSATIONS, ids=lambda sample: sample.file)
def test_every_conversation_is_played_as_its_file_says(sample: Interaction, http2: bool) -> None:
    """The client sends each event when it has all events of the model before it."""
    sent, answered = sample.request.events, sample.response.body
    assert sent is not None
    assert isinstance(answered, Events)
    with Replayer(store.samples()) as bedrock:
        with Duplex(bedrock.port, http2=http2, path=sample.request.path) as client:
            for event in sent.events:
                client.read_until(sum(each.at_ms < event.at_ms for each in answered.events))
                client.send(read_chunk(event.payload)["event"])  # type: ignore[call-overload, index]
            client.end()
            assert client.read_all() == [read_chunk(event.payload) for event in answered.events]
        until(lambda: len(bedrock.calls) == 1)
        assert bedrock.calls[0].by == sample.file


def test_each_is_the_only_one_its_session_needs(url: str) -> None:
    """Without a session, all cassettes play as one; samples must not shadow
    each other but on purpose.
    """
    with Http1(url) as connection:
        for sample in ONE_WAY:
            request = sample.request
            if sample.file != "errors/0005-converse-a2a800c3.yaml":
                answer = connection.request(
                    request.method, request.path, request.headers, request.body.data
                )
                assert answer.status == sample.response.status, sample.file


def test_samples_are_written_as_bedtape_writes_them() -> None:
    for sample in SAMPLES:
        written = (store.samples() / sample.file).read_bytes()
        assert document.write(sample) == written, sample.file
        assert sample.file.rpartition("/")[2] == file_names.name_file(
            int(sample.file.split("/")[-1][:4]), sample
        )


def test_samples_have_times() -> None:
    """Answers that have times can be paced; the demo of `--speed` needs some."""
    timed = [
        s
        for s in SAMPLES
        if isinstance(s.response.body, Events) and s.response.body.events[-1].at_ms
    ]
    assert len(timed) >= 8
    assert all(sample.response.after_ms for sample in SAMPLES)
