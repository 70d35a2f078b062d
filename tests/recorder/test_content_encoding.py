"""Answers that come compressed, as clients in forward mode may ask: kept as if they had not
been, passed on as they came.
"""

import gzip
import http.client
import json
import logging
import re
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bedtape_cassettes.format import bodies, journal
from bedtape_cassettes.model import Body, Headers, Interaction
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_cassettes.storage import store
from bedtape_recorder.content_encoding import make_receiver
from bedtape_replayer import Replayer
from bedtape_replayer.answering.reply import build_reply
from support.capturing import CaptureRun, cut
from support.client import Http1
from support.recorder import Running
from support.recordings import answer, path, prompt, stream
from support.upstream import Answer, Upstream, frames_of
from support.upstream.clients import RUNTIME, sign_headers

Start = Callable[..., Running]
JSON = ("Content-Type", "application/json")
EVENTS = ("Content-Type", bodies.EVENT_STREAM)
WORDS = bodies.compact(answer("several words"))
SECRET = bodies.compact(answer("key AKIAQWERTYUIOPASDFGH"))
REFUSED = bodies.compact(answer("ghp_" + "a1" * 18))


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _no_unpack(body: bytes, coding: str) -> bytes:
    raise ValueError(f"unknown: {coding}")


def taken(
    headers: Headers,
    pieces: Iterable[bytes],
    *,
    error: str | None = None,
    path: str = path(),
    exact: bool = False,
    redaction: Redaction = ALWAYS,
) -> CaptureRun:
    """What is in the journal of an answer with these headers and pieces."""
    taken = CaptureRun(exact=exact, redaction=redaction)
    number = taken.capture.add_request("default", "POST", path, (JSON,), prompt("a"))
    answer = make_receiver(taken.capture, number, 200, headers, _no_unpack)
    for piece in pieces:
        answer.feed(piece)
    answer.end(error)
    assert taken.capture.live == 0
    return taken


def encoded(coding: str, *more: tuple[str, str]) -> Headers:
    return (JSON, ("content-Encoding", coding), *more)


def end_of(taken: CaptureRun) -> str | None:
    (end,) = (record for record in taken.records if isinstance(record, journal.End))
    return end.error


def head_of(taken: CaptureRun) -> Headers | None:
    return next(
        (record.headers for record in taken.records if isinstance(record, journal.Head)), None
    )


PACKED = [
    ("gzip", _gzip(WORDS)),
    ("GZip", _gzip(WORDS)),
    ("x-gzip", _gzip(WORDS)),
    ("deflate", zlib.compress(WORDS)),
    ("deflate", zlib.compress(WORDS, 1)),
    ("deflate", _raw_deflate(WORDS)),
    ("identity", WORDS),
    ("", WORDS),
]


@pytest.mark.parametrize(("coding", "data"), PACKED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_body_is_kept_as_it_was_before(coding: str, data: bytes, size: int) -> None:
    for length in ((), (("Content-Length", str(len(data))),)):
        recorded_body = taken(encoded(coding, *length), cut(data, range(0, len(data), size)))
        assert (recorded_body.body, end_of(recorded_body)) == (WORDS, None)


def test_nothing_of_the_compression_is_kept() -> None:
    data = _gzip(WORDS)
    recorded_body = taken(
        encoded("gzip", ("Content-Length", str(len(data))), ("x-other", "b")), [data], exact=True
    )
    assert head_of(recorded_body) == (JSON, ("x-other", "b"))


def test_a_secret_in_it_is_scrubbed() -> None:
    recorded_body = taken(encoded("gzip"), cut(_gzip(SECRET), range(0, 200, 3)))
    assert recorded_body.body == SECRET.replace(b"AKIAQWERTYUIOPASDFGH", b"AKIAIOSFODNN7EXAMPLE")


def test_a_client_that_hangs_up_on_the_last_byte_had_it_all() -> None:
    data = _gzip(WORDS)
    recorded_body = taken(
        encoded("gzip", ("Content-Length", str(len(data)))), [data], error="Client disconnected."
    )
    assert (recorded_body.body, end_of(recorded_body)) == (WORDS, None)


def test_a_body_that_is_cut_is_not_recorded() -> None:
    recorded_body = taken(encoded("gzip"), [_gzip(WORDS)[:-9]], error="Client disconnected.")
    assert (head_of(recorded_body), recorded_body.body, end_of(recorded_body)) == (
        None,
        b"",
        "Client disconnected.",
    )


def test_an_empty_body() -> None:
    recorded_body = taken(encoded("gzip"), [])
    assert (head_of(recorded_body), recorded_body.body, end_of(recorded_body)) == (
        (JSON,),
        b"",
        None,
    )


# -- damaged ---------------------------------------------------------------------------------------


def _bad_checksum(data: bytes) -> bytes:
    packed = bytearray(_gzip(data))
    packed[-6] ^= 1
    return bytes(packed)


def _damaged_inside(data: bytes) -> bytes:
    packed = bytearray(_gzip(data))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    return bytes(packed)


@pytest.mark.parametrize(
    "data", [WORDS, _bad_checksum(WORDS)], ids=["not compressed at all", "a wrong checksum"]
)
def test_what_is_damaged_is_kept_as_it_came_where_all_of_it_can_be_searched(data: bytes) -> None:
    recorded_body = taken(encoded("gzip"), cut(data, range(0, 200, 7)))
    assert (recorded_body.body, end_of(recorded_body)) == (data, None)
    assert head_of(recorded_body) == encoded("gzip")


@pytest.mark.parametrize(
    "data",
    [
        SECRET,
        REFUSED,
        _bad_checksum(SECRET),
        _bad_checksum(REFUSED),
        _damaged_inside(WORDS),
        _gzip(WORDS)[:-3],
        _gzip(WORDS) + b"more",
        b"\xff",
    ],
)
def test_else_nothing_of_it_is_and_that_is_said(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    recorded_body = taken(encoded("gzip"), [data])
    assert (head_of(recorded_body), recorded_body.body) == (None, b"")
    assert str(end_of(recorded_body)).startswith("its gzip is damaged: ")
    ((_, level, said),) = caplog.record_tuples
    assert level == logging.ERROR
    assert said.startswith("an answer was not recorded: its gzip is damaged: ")


@pytest.mark.parametrize("data", [WORDS, _bad_checksum(WORDS)])
def test_a_users_own_pattern_is_a_secret_too(data: bytes) -> None:
    recorded_body = taken(encoded("gzip"), [data], redaction=Redaction((re.compile("several"),)))
    assert (head_of(recorded_body), recorded_body.body) == (None, b"")


def test_a_coding_that_nobody_knows_is_not_recorded(caplog: pytest.LogCaptureFixture) -> None:
    recorded_body = taken(encoded("lzma"), [b"\xfd7zXZ"])
    assert (head_of(recorded_body), recorded_body.body) == (None, b"")
    assert "its lzma is damaged: unknown: lzma" in caplog.text


# -- streams ---------------------------------------------------------------------------------------


def _events(*texts: str) -> list[bytes]:
    return list(frames_of(bodies.EVENT_STREAM, _body(stream("a", list(texts)))))


def _body(interaction: Interaction) -> bytes:
    return b"".join(piece.data for piece in build_reply(interaction, bytes(16), 0).pieces)


def _packed(events: Iterable[bytes], wbits: int = 31) -> list[bytes]:
    """Each event flushed, as a server sends it; the trailer last."""
    packer = zlib.compressobj(wbits=wbits)
    return [
        *(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events),
        packer.flush(),
    ]


@pytest.mark.parametrize("wbits", [31, 15, -15], ids=["gzip", "zlib", "raw"])
def test_each_event_of_a_stream_is_in_the_journal_when_it_has_come(wbits: int) -> None:
    events = _events("1", "2", "3")
    taken = CaptureRun()
    number = taken.capture.add_request(
        "default", "POST", path("converse-stream"), (JSON,), prompt("a")
    )
    coding = "gzip" if wbits == 31 else "deflate"
    answer = make_receiver(
        taken.capture, number, 200, (EVENTS, ("Content-Encoding", coding)), _no_unpack
    )
    for count, piece in enumerate(_packed(events, wbits), 1):
        taken.now += 1
        for at in range(len(piece)):
            answer.feed(piece[at : at + 1])
        assert taken.body == b"".join(events[:count])
    answer.end(None)
    times = [record.at for record in taken.records if isinstance(record, journal.Chunk)]
    assert times == [101.0 + number for number in range(len(events))]
    assert (head_of(taken), end_of(taken)) == ((EVENTS,), None)


@pytest.mark.parametrize(
    "wrong",
    [lambda pieces: [*pieces[:3], b"\xff" * 99], lambda pieces: pieces[:3]],
    ids=["damaged", "too short"],
)
def test_a_stream_that_is_damaged_is_cut_there(
    wrong: Callable[[list[bytes]], list[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    events = _events("1", "2", "3")
    pieces = [*wrong(_packed(events))]
    headers = (EVENTS, ("Content-Encoding", "gzip"))
    recorded_body = taken(headers, [*pieces, b""], path=path("converse-stream"))
    assert recorded_body.body == b"".join(events[:3])
    assert str(end_of(recorded_body)).startswith("its gzip is damaged: ")
    assert len(caplog.records) == 1


# -- through the proxy -----------------------------------------------------------------------------


@contextmanager
def _ask(running: Running, url: str, body: bytes) -> Iterator[http.client.HTTPResponse]:
    with closing(running.tunnel(RUNTIME)) as client:
        client.request("POST", url, body, dict(sign_headers(url, body)))
        with client.getresponse() as response:
            yield response


def _encode(recorder: Path, coding: str, data: bytes) -> bytes:
    """By the libraries that mitmproxy comes with: they are no dependency of the tests."""
    code = (
        "import sys; from mitmproxy.net import encoding as e;"
        f" sys.stdout.buffer.write(e.encode(sys.stdin.buffer.read(), {coding!r}))"
    )
    return subprocess.run(
        [recorder / "python", "-c", code], input=data, capture_output=True, check=True
    ).stdout


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_recorded_in_forward_mode_and_replayed(
    coding: str, recorder: Path, upstream: Upstream, start: Start
) -> None:
    data = _encode(recorder, coding, SECRET)
    assert data != SECRET
    upstream.add(Answer(path(), prompt("a"), headers=encoded(coding), frames=(data,)))
    running = start("--mode", "forward")
    with _ask(running, path(), prompt("a")) as response:
        assert (response.getheader("content-encoding"), response.read()) == (coding, data)
    assert not upstream.failures
    assert "recorded 1 interaction" in running.stop()
    clean = SECRET.replace(b"AKIAQWERTYUIOPASDFGH", b"AKIAIOSFODNN7EXAMPLE")
    (interaction,) = store.read([running.to])[0].interactions
    assert isinstance(interaction.response.body, Body)
    assert interaction.response.body.form == "json"
    with Replayer(running.to) as bedrock, Http1(bedrock.url) as client:
        again = client.request("POST", path(), (JSON,), prompt("a"))
    assert (again.status, json.loads(again.body)) == (200, json.loads(clean))
    assert again.header("content-encoding") is None


def test_a_stream_in_gzip_outlives_a_killed_recorder(upstream: Upstream, start: Start) -> None:
    events = _events("1", "2", "3")
    pieces = _packed(events)
    headers = (EVENTS, ("Content-Encoding", "gzip"))
    url = path("converse-stream")
    upstream.add(
        Answer(
            url, prompt("a"), headers=headers, frames=tuple(pieces), streamed=True, stall_after=(2,)
        ),
        Answer(url, prompt("b"), headers=headers, frames=tuple(pieces), streamed=True),
    )
    running = start("--mode", "forward")
    with _ask(running, url, prompt("b")) as response:
        assert response.read() == b"".join(pieces)
    with _ask(running, url, prompt("a")) as response:
        had = len(b"".join(pieces[:2]))
        assert response.read(had) == b"".join(pieces[:2])
        running.kill()
    assert "1 answer was cut" in running.recover()
    whole, cut = store.read([running.to])[0].interactions
    assert (whole.partial, cut.partial) == (False, True)
    assert not isinstance(whole.response.body, Body)
    assert not isinstance(cut.response.body, Body)
    assert (len(whole.response.body.events), len(cut.response.body.events)) == (len(events), 2)


def test_what_cannot_be_read_is_said_and_not_recorded(upstream: Upstream, start: Start) -> None:
    data = _damaged_inside(SECRET)
    upstream.add(Answer(path(), prompt("a"), headers=encoded("gzip"), frames=(data,)))
    upstream.add(
        Answer(path(), prompt("b"), headers=encoded("gzip"), frames=(_bad_checksum(WORDS),))
    )
    running = start("--mode", "forward")
    for text, body in (("a", data), ("b", _bad_checksum(WORDS))):
        with _ask(running, path(), prompt(text)) as response:
            assert response.read() == body
    said = running.stop()
    assert "bedtape: an answer was not recorded: its gzip is damaged: " in said
    assert "recorded 1 interaction" in said
    with Replayer(running.to) as bedrock, Http1(bedrock.url) as client:
        again = client.request("POST", path(), (JSON,), prompt("b"))
    assert (again.body, again.header("content-encoding")) == (_bad_checksum(WORDS), "gzip")
