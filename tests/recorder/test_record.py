"""`bedtape record` as its users run it: real clients, a real mitmproxy, and an upstream
that checks every signature.
"""

import json
import os
import pty
import re
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, ConnectionClosedError

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.model import Body, Cassette, Interaction
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.answering.reply import build_reply
from support import WAIT, folders
from support.client import Http1, add_prefix
from support.commands import run, run_program
from support.corpus import Exchange, every, needs_corpus
from support.recorder import Running, command, environment
from support.recordings import MODEL, answer, converse, path, prompt, stream
from support.upstream import BEARER_TOKEN, CREDENTIALS, Answer, Upstream, answer_of

Start = Callable[..., Running]
_STREAM = (("Content-Type", "application/vnd.amazon.eventstream"),)


def _client(url: str, region: str = "us-east-1", key: str = "any", **more: Any) -> Any:
    config = Config(
        retries={"total_max_attempts": 1}, signature_version="v4", read_timeout=WAIT, **more
    )
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="any", region_name=region)
    return session.client("bedrock-runtime", endpoint_url=url, config=config)


def _ask_for(text: str) -> dict[str, Any]:
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": text}]}]}


def _converse(url: str, text: str, **options: Any) -> str:
    with closing(_client(url, **options)) as client:
        return str(client.converse(**_ask_for(text))["output"]["message"]["content"][0]["text"])


def _stream_events(url: str, text: str) -> Iterator[Any]:
    with (
        closing(_client(url)) as client,
        closing(client.converse_stream(**_ask_for(text))["stream"]) as events,
    ):
        yield from events


def _says(text: str, said: str, **options: Any) -> Answer:
    return Answer(path(), prompt(text), frames=(json.dumps(answer(said)).encode(),), **options)


def _streams(text: str, pieces: list[str], **options: Any) -> Answer:
    body = _body(stream(text, pieces))
    recorded = answer_of(_Like(path("converse-stream"), prompt(text), 200, _STREAM, body))
    return Answer(**(vars(recorded) | options))


class _Like:
    """What `answer_of` takes."""

    def __init__(
        self, path: str, request_body: bytes, status: int, headers: Any, body: bytes
    ) -> None:
        self.path, self.request_body, self.status = path, request_body, status
        self.response_headers, self.response_body = headers, body


def _body(interaction: Interaction) -> bytes:
    return b"".join(piece.data for piece in build_reply(interaction, bytes(16), 0).pieces)


def _tapes(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.yaml"))
    }


# -- what passes -----------------------------------------------------------------------------------


def _spread(count: int) -> list[Exchange]:
    """Exchanges of every operation and status, then some more; one a recorder's file, so
    that none shadows another.
    """
    rows = [row for row in every() if row.index == 0]
    Random(3).shuffle(rows)
    kinds: dict[tuple[object, ...], Exchange] = {}
    for row in rows:
        kinds.setdefault((row.operation, row.status, row.stream, row.model.split(".")[0]), row)
    chosen = list(kinds.values())
    return chosen + [row for row in rows if row not in chosen][: max(0, count - len(chosen))]


_PREFIX = {
    "InvokeAgent": "/service/bedrock-agent-runtime",
    "Retrieve": "/service/bedrock-agent-runtime",
    "RetrieveAndGenerate": "/service/bedrock-agent-runtime",
    "GetInferenceProfile": "/service/bedrock",
    "ListFoundationModels": "/service/bedrock",
    "MantleResponses": "/service/bedrock-mantle",
    "MantleChatCompletions": "/service/bedrock-mantle",
}


@needs_corpus
def test_the_corpus_passes_unchanged_and_is_replayed_from_what_was_recorded(
    upstream: Upstream, start: Start, record_property: Callable[[str, object], None]
) -> None:
    rows = _spread(120)
    upstream.add(*rows)
    running = start("--exact")  # other recordings have other ids
    with Http1(running.url) as client:
        for row in rows:
            through = _ask(client, row, _PREFIX.get(row.operation, ""))
            assert (through.status, through.body) == (row.status, row.response_body), str(row)
    assert not upstream.failures
    said = running.stop()
    assert f"recorded {len(rows)} interactions" in said
    with Replayer(running.to) as bedrock, Http1(bedrock.url) as client:
        for row in rows:
            again = _ask(client, row, "")
            assert again.status == row.status, str(row)
            assert _steady(again.body) == _steady(row.response_body), str(row)
    record_property(
        "counted",
        f"recorded and replayed: {len(rows)} exchanges of {len({r.operation for r in rows})}"
        " operations",
    )


def _ask(client: Http1, row: Exchange, prefix: str) -> Any:
    kept = [
        (n, v)
        for n, v in row.request_headers
        if n.lower() in ("content-type", "accept") or "bedrock" in n.lower()
    ]
    session = f"{row.source}/{row.cassette.rpartition('/')[2]}"
    return client.request(
        row.method, prefix + add_prefix(row.path, session), kept, row.request_body
    )


def _steady(body: bytes) -> object:
    """A body as a client understands it, account ids redacted as the recorder does."""
    if body[:4] and body[8:12] and b":message-type" in body[:200]:
        buffer = EventStreamBuffer()
        buffer.add_data(body)
        events = [(dict(event.headers), json.loads(scrub(event.payload))) for event in buffer]
        return [
            (headers, {k: v for k, v in payload.items() if k != "p"}) for headers, payload in events
        ]
    try:
        return json.loads(scrub(body))
    except ValueError:
        return body


def test_events_pass_one_by_one_while_they_are_captured(upstream: Upstream, start: Start) -> None:
    """The upstream holds the rest back until the client has the first: no clock is
    needed to see that it passed.
    """
    upstream.add(_streams("a", ["1", "2", "3"], stall_after=(1, 2, 3)))
    running = start()
    received = []
    for event in _stream_events(running.url, "a"):
        received.append(next(iter(event)))
        if len(received) <= 3:
            upstream.resume()
    assert len(received) == 6
    assert "recorded 1 interaction" in running.stop()


def test_the_region_comes_from_the_clients_signature(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"))
    running = start()
    for region in ("us-west-2", "eu-central-1", "us-east-1"):
        assert _converse(running.url, "a", region=region) == "one"
    hosts = [request.host.split(":")[0] for request in upstream.requests]
    assert hosts == [
        f"bedrock-runtime.{region}.amazonaws.com"
        for region in ("us-west-2", "eu-central-1", "us-east-1")
    ]
    assert not upstream.failures


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [("", RUNTIME), ("/service/bedrock-mantle", None)],
    ids=["runtime", "mantle"],
)
@pytest.mark.parametrize("url", ["/openai/v1/chat/completions", "/anthropic/v1/messages"])
def test_a_recording_names_the_service_that_its_path_does_not(
    upstream: Upstream, start: Start, url: str, prefix: str, kept: str | None
) -> None:
    """`bedtape record --verify` sends the request to it again."""
    upstream.add(Answer(url, b"{}", frames=(b"{}",)))
    running = start()
    request = urllib.request.Request(
        f"{running.url}{prefix}{url}", b"{}", {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
    assert upstream.requests[-1].host.startswith(f"{kept or 'bedrock-mantle'}.")
    assert not upstream.failures
    running.stop()
    ((interaction,),) = (cassette.interactions for cassette in store.read([running.to]))
    assert interaction.service == kept


def test_a_region_that_cannot_be_is_refused_and_sent_nowhere(
    upstream: Upstream, start: Start
) -> None:
    """It comes from the client: unchecked, it could make the recorder sign requests to any host."""
    running = start()
    scope = (
        "AWS4-HMAC-SHA256 Credential=AKID/20261122/evil/bedrock/aws4_request, SignedHeaders=host,"
        " Signature=00"
    )
    with Http1(running.url) as client:
        refused = client.request("POST", path(), (("Authorization", scope),), prompt("a"))
    assert (refused.status, refused.header("x-amzn-errortype")) == (400, "RecorderException")
    assert "expected a Bedrock service and region" in refused.body.decode()
    assert upstream.requests == []


def test_requests_that_say_no_region_go_to_the_one_given(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"))
    running = start("--region", "eu-central-1")
    with Http1(running.url) as client:
        assert (
            client.request(
                "POST", path(), (("Content-Type", "application/json"),), prompt("a")
            ).status
            == 200
        )
    assert upstream.requests[0].host.startswith("bedrock-runtime.eu-central-1.amazonaws.com")
    assert not upstream.failures


def test_a_bearer_token_stays_with_the_recorder(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"))
    running = start(AWS_BEARER_TOKEN_BEDROCK=BEARER_TOKEN)
    assert _converse(running.url, "a") == "one"
    assert upstream.requests[0].header("authorization") == f"Bearer {BEARER_TOKEN}"
    running.stop()
    assert BEARER_TOKEN.encode() not in b"".join(_tapes(running.to).values())


def test_forward_mode_leaves_signatures_alone(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"), _streams("b", ["1", "2"]))
    running = start("--mode", "forward")
    session = boto3.Session(
        aws_access_key_id=upstream.credentials.access_key,
        aws_secret_access_key=upstream.credentials.secret_key,
        region_name="us-east-1",
    )
    proxies = {"https": running.exports["HTTPS_PROXY"]}
    config = Config(proxies=proxies, retries={"total_max_attempts": 1})
    with closing(
        session.client("bedrock-runtime", config=config, verify=running.exports["AWS_CA_BUNDLE"])
    ) as client:
        assert client.converse(**_ask_for("a"))["output"]["message"]["content"][0]["text"] == "one"
        with closing(client.converse_stream(**_ask_for("b"))["stream"]) as events:
            assert len(list(events)) == 5
    assert not upstream.failures
    assert "recorded 2 interactions" in running.stop()


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_transport_failure_is_never_recorded_as_an_answer(
    upstream: Upstream, start: Start
) -> None:
    upstream.add(_says("a", "one", reset_before=True))
    running = start()
    with pytest.raises(ConnectionClosedError):
        _converse(running.url, "a")
    said = running.stop()
    assert "recorded 0 interactions" in said
    assert "not recorded: " in said
    assert not running.to.exists() or _tapes(running.to) == {}


def test_a_client_that_hangs_up_leaves_what_it_had_if_answers_are_not_read_on(
    upstream: Upstream, start: Start
) -> None:
    upstream.add(_says("b", "two"), _streams("a", ["1", "2", "3"], stall_after=(2,)))
    running = start("--read-on", "0")
    events = _stream_events(running.url, "a")
    received = [next(events), next(events)]
    events.close()
    upstream.wait_for(lambda: upstream.sent[0].end == "dropped")  # it hangs up there too
    assert _converse(running.url, "b") == "two"
    assert "1 answer was cut" in running.stop()
    interaction, _ = store.read([running.to])[0].interactions
    assert interaction.partial
    assert not isinstance(interaction.response.body, Body)
    assert [event.type for event in interaction.response.body.events] == [
        next(iter(event)) for event in received
    ]
    with (
        Replayer(running.to) as bedrock,
        pytest.raises(ClientError, match=r"its answer was cut.*record it again"),
    ):
        list(_stream_events(bedrock.url, "a"))


def test_killed_at_any_moment_nothing_that_the_client_had_is_lost(
    upstream: Upstream, start: Start
) -> None:
    """Four recorders, each killed when its client has so many events and the upstream
    holds the next one back.
    """
    moments = Random(9).sample(range(1, 24), 4)
    for moment in moments:
        upstream.clear()
        upstream.add(
            _says("before", "whole"),
            _streams("a", [str(n) for n in range(22)], stall_after=(moment,)),
        )
        running = start()
        assert _converse(running.url, "before") == "whole"
        events = _stream_events(running.url, "a")
        received = [next(events) for _ in range(moment)]
        running.kill()
        events.close()
        assert "1 answer was cut" in running.recover()
        whole, cut = store.read([running.to])[0].interactions[-2:]
        assert (whole.partial, cut.partial) == (False, True)
        assert not isinstance(cut.response.body, Body)
        assert [event.type for event in cut.response.body.events] == [
            next(iter(event)) for event in received
        ]
        for file in running.to.rglob("*.yaml"):
            file.unlink()


# -- what is left behind ---------------------------------------------------------------------------


def test_nothing_private_is_left_in_the_clear(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    secret = {
        "note": (
            "key AKIAQWERTYUIOPASDFGH, arn:aws:bedrock:us-east-1:998877665544:x, Bearer " + "t" * 40
        )
    }
    body = json.dumps(answer("one") | {"additionalModelResponseFields": secret}).encode()
    upstream.add(
        Answer(
            path(),
            None,
            headers=(("Content-Type", "application/json"), ("Set-Cookie", "s=s3cr3tcookie")),
            frames=(body,),
        )
    )
    running = start()
    _converse(running.url, "my account is arn:aws:iam::998877665544:role/x")
    (journal,) = (tmp_path / "home").rglob("*.journal")
    assert journal.stat().st_mode & 0o777 == 0o600
    before = journal.read_bytes()
    running.stop()
    written = before + b"".join(_tapes(running.to).values())
    for private in (
        b"AKIAQWERTYUIOPASDFGH",
        b"998877665544",
        b"t" * 40,
        b"s3cr3tcookie",
        b"Signature=",
    ):
        assert private not in written
    assert upstream.credentials.secret_key.encode() not in written
    assert not list((tmp_path / "home").rglob("*.journal"))
    assert not (tmp_path / "home" / ".mitmproxy").exists()
    (ca,) = (tmp_path / "home").rglob("mitmproxy-ca.pem")
    assert ca.parent.stat().st_mode & 0o777 == 0o700


def test_the_recorder_s_own_credentials_are_not_recorded(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    own = CREDENTIALS.secret_key
    spelled = [own, b64encode(b"\xff" + own.encode()).decode(), quote(own, safe="")]
    asked = f"here: {' '.join(spelled)}"
    upstream.add(
        _says(asked, asked),
        _streams(f"2 {asked}", [asked[at : at + 5] for at in range(0, len(asked), 5)]),
    )
    running = start("--exact")
    assert _converse(running.url, asked) == asked
    list(_stream_events(f"{running.url}/s/{quote(spelled[1], safe='')}", f"2 {asked}"))
    written = _every_byte(tmp_path)
    running.stop()
    written += _every_byte(tmp_path)
    assert b"here: REDACTED" in written
    for text in spelled:
        assert text[4:-8].encode() not in written


def test_a_request_that_a_slow_pattern_cannot_search_is_not_sent(
    upstream: Upstream, start: Start
) -> None:
    running = start("--redact", "(x+x+)+y")
    with pytest.raises(ClientError, match=r"found '\(x\+x\+\)\+y', which was stopped") as caught:
        _converse(running.url, "x" * 30_000)
    assert caught.value.response["Error"]["Code"] == "RecorderException"
    assert upstream.requests == []
    running.stop()


def _every_byte(*folders: Path) -> bytes:
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    return b"".join(str(file).encode() + file.read_bytes() for file in files)


def test_what_users_take_out_is_in_no_byte_written_and_the_original_request_is_played(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    asked, wondered = "is Falcon in?", "where is Zo\u00eb of Falcon?"
    upstream.add(_says(asked, "Falcon says hi"), _streams(wondered, ["the Falcon", " flies"]))
    options = ("--redact", "Falcon", "--redact", "Zo\u00eb")
    running = start(*options)
    url = f"{running.url}/s/test-Falcon"
    assert _converse(url, asked) == "Falcon says hi"
    events = list(_stream_events(url, wondered))
    assert events[1]["contentBlockDelta"]["delta"]["text"] == "the Falcon"
    written = _every_byte(tmp_path)  # the journal is there
    assert b".journal" in written
    running.stop()
    written += _every_byte(tmp_path)
    assert b"test-REDACTED/0002-converse-stream-" in written
    for private in (b"Falcon", "Zo\u00eb".encode(), b"Zo\\u00eb"):
        assert private not in written
    sent = len(upstream.requests)
    with Replayer(
        running.to, match=MatchRules(redact=(re.compile("Falcon"), re.compile("Zo\u00eb")))
    ) as bedrock:
        assert _converse(bedrock.session_url("test-Falcon"), asked) == "REDACTED says hi"
        assert len(list(_stream_events(bedrock.url, wondered))) == len(events)
    for mode in ("once", "new"):
        again = start("--record", mode, *options)
        assert _converse(f"{again.url}/s/test-Falcon", asked) == "REDACTED says hi"
        played = list(_stream_events(f"{again.url}/s/test-Falcon", wondered))
        assert played[1]["contentBlockDelta"]["delta"]["text"] == "the REDACTED"
        assert "2 calls were played from cassettes that exist, 0 missed" in again.stop()
    assert len(upstream.requests) == sent


def test_what_is_played_is_the_same_as_the_options_say_and_no_setting_of_replay(
    upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    upstream.add(_says("on 2024-01-01", "one"))
    running = start("--name", "suite")
    _converse(running.url, "on 2024-01-01")
    running.stop()
    file = tmp_path / "settings.toml"
    file.write_text(
        "placeholder = ['[0-9]{4}-[0-9]{2}-[0-9]{2}']\n[replay]\noverlay = 'absent.yaml'\nstrict ="
        " true\n"
    )
    told = {
        "BEDTAPE_CONFIG": str(file),
        "BEDTAPE_REPLAY_HOST": "no.such.host",
        "BEDTAPE_REPLAY_PORT": "1",
    }
    again = start("--name", "suite", "--record", "new", **told)
    assert [_converse(again.url, "on 2026-11-28") for _ in "ab"] == ["one", "one"]
    assert "2 calls were played from cassettes that exist, 0 missed" in again.stop()
    assert len(upstream.requests) == 1


def test_recorded_again_with_the_same_pattern_leaves_no_diff(
    upstream: Upstream, start: Start
) -> None:
    upstream.add(_says("is Falcon in?", "Falcon says hi"))
    tapes = []
    for _ in range(2):
        running = start("--record", "all", "--redact", "Falcon")
        _converse(running.url, "is Falcon in?")
        running.stop()
        tapes.append(_tapes(running.to))
    assert tapes[0] == tapes[1]
    assert len(tapes[0]) == 1


def test_a_killed_recording_is_recovered_in_its_mode(upstream: Upstream, start: Start) -> None:
    """The journal contains the mode: what was asked again is replaced, and the rest
    stays, as at a normal end.

    The requests differ in what a placeholder allows.
    """
    upstream.add(_says("a 1", "one"), _says("b", "two"))
    running = start()
    for text in ("a 1", "b"):
        _converse(running.url, text)
    running.stop()
    upstream.clear()
    upstream.add(_says("a 2", "uno"))
    killed = start("--record", "all")
    assert _converse(killed.url, "a 2") == "uno"
    killed.kill()
    assert "recorded 1 interaction" in killed.recover("--placeholder", r"a \d")
    one, two = store.read([killed.to])[0].interactions
    assert not one.partial
    assert isinstance(one.response.body, Body)
    assert b"uno" in one.response.body.data
    assert isinstance(two.response.body, Body)
    assert b"two" in two.response.body.data


def test_recording_a_part_again_keeps_the_rest_and_pruning_lists_what_it_removes(
    upstream: Upstream, start: Start
) -> None:
    upstream.add(_says("a", "one"), _says("b", "two"))
    running = start("--name", "suite")
    for text in "ab":
        _converse(running.url, text)
    running.stop()
    before = _tapes(running.to)
    for options, names in (
        ((), sorted(before)),
        (("--prune",), [name for name in before if "/0002-" not in name]),
    ):
        again = start("--name", "suite", "--record", "all", *options)
        _converse(again.url, "a")
        said = again.stop()
        assert [name for name in _tapes(running.to) if not name.startswith(".")] == names
    (removed,) = before.keys() - set(names)
    assert "removed 1 recording of requests not made; bedtape cassette undo restores them" in said
    assert f"  {removed}" in said
    assert before[removed] in _tapes(running.to / ".bedtape-backup").values()
    run("undo", "--in", str(running.to))
    assert {
        name: data for name, data in _tapes(running.to).items() if not name.startswith(".")
    } == before


def test_pruning_removes_nothing_after_a_failed_program_and_needs_a_complete_recording(
    recorder: Path, upstream: Upstream, start: Start, tmp_path: Path
) -> None:
    upstream.add(_says("a", "one"), _says("b", "two"))
    running = start()
    for text in "ab":
        _converse(running.url, text)
    running.stop()
    before = _tapes(running.to)
    for options, said in (
        (("--record", "all"), "--prune removed nothing: the program failed"),
        (("--record", "new"), "--prune: expected --record all, found --record new"),
    ):
        program = [*command(recorder, upstream, running.to, "--prune", *options), "--", "false"]
        done = run_program(program, environment(upstream, tmp_path / "home"))
        assert done.returncode
        assert said in done.stderr
        assert _tapes(running.to) == before


def test_recorded_again_unchanged_answers_leave_no_diff(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"), _says("b", "two"), _streams("c", ["1", "2"]))
    for again in range(2):
        running = start("--record", "all", "--name", "suite")
        for text in "ab":
            _converse(running.url, text)
        list(_stream_events(running.url, "c"))
        running.stop()
        if not again:
            first = _tapes(running.to)
    assert _tapes(running.to) == first


def test_a_review_shows_only_the_answer_that_changed(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"), _says("b", "two"))
    tapes = []
    for _ in range(2):
        running = start("--record", "all")
        for text in "ab":
            _converse(running.url, text)
        running.stop()
        tapes.append(_tapes(running.to))
        upstream.clear()
        upstream.add(_says("a", "one"), _says("b", "deux"))
    assert tapes[0].keys() == tapes[1].keys()
    changed = [name for name in tapes[0] if tapes[0][name] != tapes[1][name]]
    assert [name.split("/")[1][:4] for name in changed] == ["0002"]


def test_record_modes(upstream: Upstream, start: Start) -> None:
    """once plays what exists and asks for nothing more; new asks for what misses;
    all asks for everything.
    """
    upstream.add(_says("a", "one"), _says("b", "two"))
    running = start("--name", "suite")
    assert _converse(running.url, "a") == "one"
    running.stop()
    asked = len(upstream.requests)
    once = start("--name", "suite")
    assert _converse(once.url, "a") == "one"
    with pytest.raises(Exception, match="CassetteMissException"):
        _converse(once.url, "b")
    once.stop()
    assert len(upstream.requests) == asked
    new = start("--name", "suite", "--record", "new")
    assert [_converse(new.url, text) for text in "ab"] == ["one", "two"]
    new.stop()
    assert len(upstream.requests) == asked + 1
    assert len(store.read([new.to])[0].interactions) == 2
    everything = start("--name", "suite", "--record", "all")
    assert [_converse(everything.url, text) for text in "ab"] == ["one", "two"]
    everything.stop()
    assert len(upstream.requests) == asked + 3


def test_each_session_makes_its_cassette(upstream: Upstream, start: Start) -> None:
    upstream.add(_says("a", "one"))
    running = start()
    _converse(f"{running.url}/s/tests%2Ftest_a", "a")
    _converse(running.url, "a", key="bedtape-by-key")
    _converse(running.url, "a")
    running.stop()
    assert [cassette.name for cassette in store.read([running.to])] == [
        "by-key",
        "default",
        "tests/test_a",
    ]


# -- the command -----------------------------------------------------------------------------------

_APP = f"""
import boto3, os, sys
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
client = boto3.client("bedrock-runtime", region_name="us-east-1", config=Config(signature_version="v4"))
print(client.converse(modelId={MODEL!r}, messages=[{{"role": "user", "content": [{{"text": "a"}}]}}])["stopReason"])
print("AWS_BEARER_TOKEN_BEDROCK" in os.environ)
sys.exit(7)
"""


def test_a_command_runs_with_its_calls_recorded_and_its_code_is_returned(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.add(_says("a", "one"))
    result = run_program(
        [*command(recorder, upstream, tmp_path / "tapes"), "--", sys.executable, "-c", _APP],
        environment(upstream, tmp_path, AWS_BEARER_TOKEN_BEDROCK=BEARER_TOKEN),
    )
    assert result.returncode == 7, result.stderr
    assert result.stdout == "end_turn\nFalse\n"
    first, *_ = result.stderr.splitlines()
    assert (
        first
        == f"bedtape: recording from {upstream.url}, region us-east-1, signed with the bearer key"
        " of the variable AWS_BEARER_TOKEN_BEDROCK"
    )
    assert "recorded 1 interaction into 1 cassette" in result.stderr
    assert f"models: {MODEL}; 1 tokens in, 1 out;" in result.stderr


def test_a_live_line_on_a_terminal(recorder: Path, upstream: Upstream, tmp_path: Path) -> None:
    upstream.add(_says("a", "one"))
    ours, theirs = pty.openpty()
    os.mkfifo(tmp_path / "seen")  # the program ends when the line was seen
    code = _APP.replace("sys.exit(7)", f"open({str(tmp_path / 'seen')!r}).read()")
    with subprocess.Popen(
        [*command(recorder, upstream, tmp_path / "tapes"), "--", sys.executable, "-c", code],
        env=environment(upstream, tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        shown = b""
        while b"\r\x1b[Kbedtape: recording: 1 requests, 0.2 kB" not in shown:
            shown += os.read(ours, 65536)
        (tmp_path / "seen").write_bytes(b"")
        shown += b"".join(_until_closed(ours))
        assert running.wait(WAIT) == 0
    os.close(ours)
    assert b"recorded 1 interaction" in shown


def _until_closed(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 65536)
        except OSError:  # EIO: the other end is closed
            return


def test_a_command_that_is_not_there_and_a_port_in_use_are_one_line(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    for arguments, words in (
        (
            ("--", "no-such-command"),
            "bedtape: cannot run no-such-command: No such file or directory",
        ),
        (("--port", str(upstream.port)), "the proxy did not start"),
    ):
        result = run_program(
            command(recorder, upstream, tmp_path / "tapes", *arguments),
            environment(upstream, tmp_path),
        )
        assert result.returncode == 2
        assert words in result.stderr
        assert "Traceback" not in result.stderr


def test_verify_reports_the_drift_and_nothing_else(
    recorder: Path, upstream: Upstream, tmp_path: Path
) -> None:
    tapes = tmp_path / "tapes"
    folders.write(tapes, Cassette("suite", (converse("a", "one"), converse("b", "two"))))
    changed = answer("other words") | {"stopReason": "max_tokens"}
    upstream.add(
        _says("a", "quite other words"),
        Answer(path(), prompt("b"), frames=(json.dumps(changed).encode(),)),
    )
    result = run_program(
        command(recorder, upstream, tapes, "--verify"), environment(upstream, tmp_path)
    )
    assert result.returncode == 1, result.stderr
    assert (
        "changed: stop reason: recorded end_turn, now max_tokens\n  1 recording: suite/0002-"
        in result.stdout
    )
    assert result.stdout.count(" recording: ") == 1
    assert "sent 2 again (4 tokens): 1 finding (1 changed)" in result.stderr
    assert not upstream.failures


def test_new_offers_the_recordings_that_were_replaced_for_removal(
    upstream: Upstream, start: Start
) -> None:
    upstream.add(_says("kind", "one"), _says("careful", "two"), _says("same", "three"))
    running = start("--name", "suite")
    for text in ("kind", "same"):
        _converse(running.url, text)
    running.stop()
    again = start("--name", "suite", "--record", "new")
    for text in ("careful", "same"):
        _converse(again.url, text)
    said = again.stop()
    assert "1 recording beside new ones was not requested" in said
    assert re.findall("rm (.*)", said) == [
        next(file for file in sorted(_tapes(again.to)) if "0001-" in file)
    ]
