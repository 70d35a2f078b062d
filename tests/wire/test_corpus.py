"""Every real exchange of the corpus, written as a cassette, loaded, served,
asked for again and compared.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from botocore.eventstream import EventStreamBuffer

from bedtape_cassettes.format.bodies import EVENT_STREAM, PADDING, SERVER_SENT
from bedtape_cassettes.redaction.kinds import REDACTED
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_replayer import Replayer
from support import folders
from support.client import Answer, Http1, Http2
from support.corpus import Exchange, cassettes, every, exchanges, needs_corpus, parts

pytestmark = [pytest.mark.corpus, needs_corpus]

# Written by the recorder, not by Bedrock (see the corpus' README, section 0).
_FAKE_HEADERS = {"set-cookie"}
# What some recorders throw away, and replay rightly puts back.
_DROPPED_BY_RECORDERS = {
    "date",
    "connection",
    "content-length",
    "transfer-encoding",
    "x-amzn-requestid",
    "x-request-id",
}

_COUNTING_PREFIXES = ("x-amzn-bedrock-", "x-amzn-errortype", "x-amz-bedrock-")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Writes exchanges as cassettes and serves them; gives the url."""
    running: list[Replayer] = []

    def start(rows: tuple[Exchange, ...], *, exact: bool = False) -> str:
        folders.write_all(tmp_path, cassettes(rows, exact=exact))
        running.append(Replayer(tmp_path).start())
        return running[-1].url

    yield start
    for replayer in running:
        replayer.stop()


def _ask(client: Http1 | Http2, row: Exchange) -> Answer:
    headers = [(name, value) for name, value in row.request_headers if value.isascii()]
    return client.request(row.method, row.path, headers, row.request_body, row.cassette)


def _parsed(content_type: str, data: bytes) -> object:
    """A body as a client understands it: botocore's own frame decoder for
    streams, JSON, else the bytes.
    """
    if content_type.startswith(EVENT_STREAM):
        buffer = EventStreamBuffer()
        buffer.add_data(data)
        return [
            (dict(event.headers), _unpadded(json.loads(scrub(event.payload)))) for event in buffer
        ]
    try:
        return json.loads(scrub(data))
    except ValueError:
        return data


def _content_type(row: Exchange) -> str:
    recorded = next((v for n, v in row.response_headers if n.lower() == "content-type"), "")
    return EVENT_STREAM if recorded == "**REDACTED**" and row.stream else recorded


def _unpadded(payload: dict[str, object]) -> dict[str, object]:
    padding = payload.get("p")
    if isinstance(padding, str) and PADDING.startswith(padding):
        payload.pop("p")
    return payload


def _differs(row: Exchange, answer: Answer) -> str | None:
    """What a client would see differently from what Bedrock answered, or None."""
    if answer.status != row.status:
        return f"status {answer.status}, recorded {row.status}: {answer.body[:500]!r}"
    content_type = _content_type(row)
    try:
        recorded = _parsed(content_type, row.response_body)
    except Exception:  # noqa: BLE001 -- what botocore cannot read must come back as it is
        return None if answer.body == row.response_body else "an unreadable body was changed"
    if _parsed(content_type, answer.body) != recorded:
        return f"body {answer.body[:200]!r}, recorded {row.response_body[:200]!r}"
    return _headers_differ(row, answer)


def _headers_differ(row: Exchange, answer: Answer) -> str | None:
    recorded = [name for name, _ in row.response_headers if name.lower() not in _FAKE_HEADERS]
    sent = [name for name, _ in answer.headers]
    kept = _kept(row)
    if kept == "case and order" and sent != recorded:
        return f"headers {sent}, recorded {recorded}"
    lowered = ([name.lower() for name in sent], [name.lower() for name in recorded])
    if kept == "order" and lowered[0] != lowered[1]:
        return f"header order {lowered[0]}, recorded {lowered[1]}"
    missing = set(lowered[1]) - set(lowered[0])
    extra = set(lowered[0]) - set(lowered[1])
    if missing or extra - _DROPPED_BY_RECORDERS:
        return f"headers missing {sorted(missing)}, added {sorted(extra)}"
    return _values_differ(row, answer)


def _kept(row: Exchange) -> str:
    """What the recorder kept of the headers (the corpus' README, section 0)."""
    names = [name for name, _ in row.response_headers]
    source = row.source.split(".")[0]
    if source in ("openinference", "opentelemetry-js-contrib", "dd-trace-js") and names[:1] == [
        "Date"
    ]:
        return "case and order"
    return "order" if source == "ruby_llm" else "names"


def _values_differ(row: Exchange, answer: Answer) -> str | None:
    for name, value in row.response_headers:
        lowered = name.lower()
        counts = lowered == "content-type" or lowered.startswith(_COUNTING_PREFIXES)
        if counts and answer.header(name) != value:
            return f"header {name}: {answer.header(name)}, recorded {value}"
    return None


@pytest.mark.parametrize("source", parts())
def test_replayed_as_recorded(
    source: str, serve: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    rows = exchanges(source)
    with Http1(serve(rows)) as client:
        wrong = [
            f"{row}: {difference}"
            for row in rows
            if (difference := _differs(row, _ask(client, row)))
        ]
    assert not wrong, "\n".join(wrong)
    record_property(
        "counted", f"corpus, normalised, HTTP/1.1: {source}: {len(rows)} exchanges equal"
    )


@pytest.mark.parametrize("source", parts())
def test_exact_cassettes_replay_every_byte(
    source: str, serve: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    """Status, header names in their case and order, header values, and the body where
    the corpus has it exactly.
    """
    rows = exchanges(source)
    counts: Counter[str] = Counter()
    wrong = []
    with Http1(serve(rows, exact=True)) as client:
        for row in rows:
            outcome, difference = _exactly(row, _ask(client, row))
            counts[outcome] += 1
            wrong += [f"{row}: {difference}"] if difference else []
    assert not wrong, "\n".join(wrong)
    record_property(
        "counted",
        f"corpus, exact, HTTP/1.1: {source}: " + ", ".join(f"{n} {w}" for w, n in counts.items()),
    )


def _exactly(row: Exchange, answer: Answer) -> tuple[str, str | None]:
    if answer.status != row.status:
        return "wrong", f"status {answer.status}, recorded {row.status}"
    if difference := _exact_headers_differ(row, answer):
        return "wrong", difference
    clean = scrub(row.response_body)
    if clean != row.response_body:
        return "left out (holds an account id, which is redacted)", _differs(row, answer)
    if answer.body != row.response_body:
        return "wrong", f"body {answer.body[:200]!r}, recorded {row.response_body[:200]!r}"
    known = (
        "byte for byte"
        if row.fidelity == "exact"
        else "byte for byte with what the recorder made of it"
    )
    return known, None


def _exact_headers_differ(row: Exchange, answer: Answer) -> str | None:
    framing = {"content-length", "transfer-encoding"}
    recorded = [
        (name, value) for name, value in row.response_headers if name.lower() not in framing
    ]
    sent = [(name, value) for name, value in answer.headers if name.lower() not in framing]
    if [name for name, _ in sent] != [name for name, _ in recorded]:
        return f"headers {sent}, recorded {recorded}"
    for (name, value), (_, theirs) in zip(sent, recorded, strict=True):
        if name.lower() == "date":
            continue
        if value not in (theirs, REDACTED):
            return f"header {name}: {value}, recorded {theirs}"
    return None


@pytest.mark.slow
def test_http2_answers_the_same(
    serve: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    """A spread sample over HTTP/2; what it has in common with HTTP/1.1 is equal, and
    hop-by-hop headers are gone.
    """
    rows = tuple(row for row in every() if row.index == 0)
    sample = tuple(Random(7).sample(rows, min(200, len(rows))))
    url = serve(sample)
    wrong = []
    with Http1(url) as one, Http2(url) as two:
        for row in sample:
            first, second = _ask(one, row), _ask(two, row)
            hops = {"connection", "transfer-encoding", "date"}
            expected = [(n.lower(), v) for n, v in first.headers if n.lower() not in hops]
            headers = [(n, v) for n, v in second.headers if n != "date"]
            if (first.status, first.body, expected) != (second.status, second.body, headers):
                wrong.append(
                    f"{row}: {second.status} {headers}, over HTTP/1.1 {first.status} {expected}"
                )
    assert not wrong, "\n".join(wrong)
    record_property(
        "counted", f"corpus, normalised, HTTP/2: {len(sample)} exchanges equal to HTTP/1.1"
    )


def _bytes_of(answer: Answer) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    return (
        answer.status,
        tuple(pair for pair in answer.headers if pair[0].lower() != "date"),
        answer.body,
    )


def _play(url: str, rows: tuple[Exchange, ...]) -> dict[tuple[str, int], object]:
    with Http1(url) as client:
        return {(row.file, row.index): _bytes_of(_ask(client, row)) for row in rows}


@pytest.mark.slow
def test_two_runs_and_sixteen_shuffled_clients_get_the_same_bytes(tmp_path: Path) -> None:
    """Each cassette's requests go in their order, for repeated ones have different
    answers; cassettes are shuffled.
    """
    rows = tuple(every())
    folders.write_all(tmp_path, cassettes(rows))
    by_cassette: dict[str, list[Exchange]] = {}
    for row in rows:
        by_cassette.setdefault(row.cassette, []).append(row)
    with Replayer(tmp_path) as bedrock:
        first = _play(bedrock.url, rows)
    with Replayer(tmp_path) as bedrock:
        assert _play(bedrock.url, rows) == first
    groups = [tuple(group) for group in by_cassette.values()]
    Random(16).shuffle(groups)
    shares = [tuple(row for group in groups[start::16] for row in group) for start in range(16)]
    with Replayer(tmp_path) as bedrock, ThreadPoolExecutor(16) as pool:
        concurrent = pool.map(lambda share: _play(bedrock.url, share), shares)
        assert {key: value for part in concurrent for key, value in part.items()} == first


def test_repeated_requests_get_their_answers_in_recorded_order() -> None:
    """The corpus has such groups; without them, the tests above would not have shown it."""
    repeated = Counter((row.cassette, row.path, row.request_body) for row in every())
    assert sum(1 for count in repeated.values() if count > 1) >= 19


def test_server_sent_events_are_in_the_corpus() -> None:
    kinds = {v for row in every() for n, v in row.response_headers if n.lower() == "content-type"}
    assert {EVENT_STREAM, SERVER_SENT, "application/json"} <= kinds
