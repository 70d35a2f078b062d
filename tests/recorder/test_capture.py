"""What passes becomes records: at once, in order, complete, and with no secret in
them wherever one may stand.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message, Usage
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.format import bodies, eventstream, journal
from bedtape_cassettes.format.eventstream import Frame, HeaderType, HeaderValue
from bedtape_cassettes.model import Headers, JsonValue, event_headers, exception_headers
from bedtape_cassettes.redaction.kinds import ACCESS_KEY, ACCOUNT, REDACTED
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_cassettes.storage import store
from bedtape_recorder.capture import Capture
from bedtape_recorder.errors import RecorderError
from support.capturing import JSON, SSE, STREAM, CaptureRun, cut
from support.inference_apis import APIS, COUNTS, MESSAGES, name_case, read_bytes, record
from support.recordings import MODEL, path, prompt

quick = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)

KEY_ID = "ASIA" + "Q7" * 8
OTHER_ACCOUNT = "999988887777"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzzzzzzzzzz"
TOKEN = "IQoJb3JpZ2luX2VjEHoaCXVzLWVhc3QtMSJHMEUCIQDx"
SIGNATURE = "0123456789abcdef" * 4
API_KEY = "ABSK" + "QmVkcm9ja0FQSUtleS1h" * 3

# What is written, and what of it must never reach a disk.
PLANTED = {
    "access key id": (KEY_ID, KEY_ID),
    "secret access key": (f"aws_secret_access_key={SECRET}", SECRET),
    "session token": (f"AWS_SESSION_TOKEN={TOKEN}", TOKEN),
    "bearer token": (f"Bearer {TOKEN}", TOKEN),
    "Bedrock API key": (API_KEY, API_KEY),
    "short-term API key": (f"bedrock-api-key-{TOKEN}", TOKEN),
    "account id": (f"arn:aws:bedrock:us-east-1:{OTHER_ACCOUNT}:inference-profile/x", OTHER_ACCOUNT),
    "presigned URL": (f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SIGNATURE}", SIGNATURE),
    "authorization": (
        (
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20240101/us-east-1/bedrock/aws4_request,"
            f" SignedHeaders=host, Signature={SIGNATURE}"
        ),
        SIGNATURE,
    ),
}
GONE = sorted({gone for _, gone in PLANTED.values()})
planted = st.sampled_from([text for text, _ in PLANTED.values()])
places = st.lists(st.integers(0, 700), max_size=6)

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{12,}")
_KEY_IDS = re.compile(rb"(?:AKIA|ASIA)[A-Z0-9]{16}")
_ACCOUNTS = re.compile(rb"arn(?::|%3A)aws(?::|%3A)\w+(?::|%3A)[\w-]*(?::|%3A)(\d{12})")


def texts(data: bytes) -> Iterator[bytes]:
    """The bytes, and what base64 in them may hold, also where its end is missing."""
    yield data
    for word in _BASE64.findall(data):
        for start in range(4):
            usable = word[start : start + (len(word) - start) // 4 * 4]
            yield b64decode(usable)


def assert_clean(data: bytes, shortest: int = 8) -> None:
    """No secret, and of no secret so much as its beginning."""
    for text in texts(data):
        for gone in GONE:
            assert gone[:shortest].encode() not in text, (gone, text)
        assert set(_KEY_IDS.findall(text)) <= {ACCESS_KEY.encode()}
        assert set(_ACCOUNTS.findall(text)) <= {ACCOUNT.encode()}


def assert_clean_everywhere(taken: CaptureRun) -> None:
    """The journal, and every cassette that comes of it."""
    assert_clean(taken.data)
    with TemporaryDirectory() as folder:
        taken.recover(Path(folder) / "cassettes")
        for file in Path(folder).rglob("*"):
            assert_clean(str(file.relative_to(folder)).encode())
            if file.is_file():
                assert_clean(file.read_bytes())


def test_the_search_finds_what_it_is_to_find() -> None:
    for text, _ in PLANTED.values():
        for hidden in (
            text.encode(),
            b'{"bytes":"' + b64encode(b'{"a":"' + text.encode() + b'"}') + b'"}',
        ):
            with pytest.raises(AssertionError):
                assert_clean(hidden)


# -- what holds a secret ---------------------------------------------------------------------------


def json_of(secret: str) -> bytes:
    return json.dumps(
        {
            "output": {"message": {"content": [{"text": f"Here: {secret}"}]}},
            "x\n" + secret: [secret],
        }
    ).encode()


def frames_of(secret: str) -> list[bytes]:
    """Each kind of frame that may hold one, whole."""
    text = bodies.compact({"contentBlockIndex": 0, "delta": {"text": f"a {secret} b"}, "p": "abcd"})
    chunk = bodies.seal_chunk({"type": "content_block_delta", "delta": {"text": secret}})
    padded = chunk[:-1] + b',"p":"abcdef"}'
    typed = (
        ("note", HeaderValue(HeaderType.STRING, secret)),
        ("raw", HeaderValue(HeaderType.BYTES, secret.encode())),
        ("when", HeaderValue(HeaderType.TIMESTAMP, 5)),
    )
    return [
        eventstream.encode_strings(event_headers("messageStart"), b'{"p":"ab","role":"assistant"}'),
        eventstream.encode_strings(event_headers("contentBlockDelta"), text),
        eventstream.encode_strings(event_headers("chunk"), chunk),
        eventstream.encode_strings(event_headers("chunk"), padded),
        eventstream.encode_strings(
            exception_headers("throttlingException"), bodies.compact({"message": secret})
        ),
        eventstream.encode_strings(((":message-type", "error"), (":error-message", secret)), b""),
        eventstream.encode(Frame(typed, b"{}")),
        eventstream.encode_strings(event_headers("odd"), b"\xff\xfe " + secret.encode()),
    ]


def sse_of(secret: str) -> bytes:
    value: JsonValue = {"delta": {"content": f"x {secret}"}}
    return bodies.seal_data(value) + b"event: a\n" + bodies.seal_data(value) + b"data: [DONE]\n\n"


HEADER_NAMES = [
    "Authorization",
    "X-Amz-Security-Token",
    "X-Api-Key",
    "Cookie",
    "Set-Cookie",
    "Location",
    "X-Odd",
    "x_1",
]
ODD: Headers = (
    ("Content-Type", "application/json"),
    ("User-Agent", "aws-sdk"),
    ("X-Amz-Date", "20240101T000000Z"),
)


@quick
@given(planted, st.booleans(), st.sampled_from(HEADER_NAMES))
def test_no_secret_of_a_request_is_written(secret: str, exact: bool, name: str) -> None:
    taken = CaptureRun(exact=exact)
    inside = b64encode(prompt(secret)).decode()
    counted = json.dumps({"input": {"invokeModel": {"body": inside}}}).encode()
    urls = [path(), path("count-tokens")]
    if "AWS4" not in secret:  # no URL holds a whole Authorization header
        encoded = quote(secret, safe="=/")
        urls += [path(model=secret), f"{path()}?a={encoded}&b={encoded}", f"/{encoded}"]
    for url in urls:
        for body in (
            prompt(secret),
            prompt(f"\n{secret}"),
            counted,
            secret.encode(),
            b"\xff" + secret.encode(),
        ):
            taken.exchange(url, body, b"{}", session=secret, sent=(*ODD, (name, secret)))
    assert_clean_everywhere(taken)


@quick
@given(planted, st.booleans(), st.sampled_from(HEADER_NAMES), st.sampled_from([None, "broke off"]))
def test_no_secret_of_a_response_head_is_written(
    secret: str, exact: bool, name: str, error: str | None
) -> None:
    taken = CaptureRun(exact=exact)
    taken.exchange(
        path(),
        prompt("a"),
        b"{}",
        headers=(*ODD, (name, secret)),
        error=error and f"{error}: {secret}",
    )
    unanswered = taken.capture.add_request("default", "POST", path(), JSON, prompt("b"))
    taken.capture.end(unanswered, f"no answer: {secret}")
    assert_clean_everywhere(taken)


@quick
@given(
    planted,
    st.booleans(),
    places,
    st.sampled_from(["", "length", "short"]),
    st.sampled_from([200, 400]),
)
def test_no_secret_of_a_json_answer_is_written(
    secret: str, exact: bool, cuts: list[int], length: str, status: int
) -> None:
    body = json_of(secret)
    headers = (
        JSON
        if not length
        else (*JSON, ("Content-Length", str(len(body) + (0 if length == "length" else 9))))
    )
    taken = CaptureRun(exact=exact)
    taken.exchange(path(), prompt("a"), body, cuts=cuts, headers=headers, status=status)
    assert_clean_everywhere(taken)
    assert json.loads(taken.body).keys() >= {"output"}


@settings(quick, max_examples=40)
@given(planted, st.booleans(), places, st.integers(0, 1500))
def test_no_secret_of_an_event_stream_is_written(
    secret: str, exact: bool, cuts: list[int], broken: int
) -> None:
    data = b"".join(frames_of(secret))
    for body in (data, data[:broken], data[:broken] + b"\0" + data[broken + 1 :]):
        for error in (None, "connection reset"):
            taken = CaptureRun(exact=exact)
            taken.exchange(
                path("converse-stream"), prompt("a"), body, cuts=cuts, headers=STREAM, error=error
            )
            assert_clean_everywhere(taken)


@quick
@given(planted, st.booleans(), places, st.integers(0, 400))
def test_no_secret_of_server_sent_events_is_written(
    secret: str, exact: bool, cuts: list[int], broken: int
) -> None:
    data = sse_of(secret)
    for body, error in ((data, None), (data[:broken], "connection reset")):
        taken = CaptureRun(exact=exact)
        taken.exchange("/openai/v1/responses", b"{}", body, cuts=cuts, headers=SSE, error=error)
        assert_clean_everywhere(taken)


@pytest.mark.parametrize("secret", [text for text, _ in PLANTED.values()], ids=list(PLANTED))
@pytest.mark.parametrize("kind", ["json", "announced json", "frames", "events"])
def test_an_answer_that_breaks_off_anywhere_leaves_no_part_of_a_secret(
    secret: str, kind: str
) -> None:
    body = {"frames": frames_of(secret)[2], "events": sse_of(secret)}.get(kind, json_of(secret))
    headers = {"frames": STREAM, "events": SSE, "json": JSON}.get(
        kind, (*JSON, ("content-length", "9999"))
    )
    for length in range(len(body)):
        taken = CaptureRun()
        taken.exchange(path(), b"", body[:length], headers=headers, error="connection reset")
        assert_clean(taken.data, shortest=10)


def test_the_placeholders_are_written_in_their_place() -> None:
    taken = CaptureRun()
    account = PLANTED["account id"][0]
    for body, headers in (
        (json_of(account), JSON),
        (b"".join(frames_of(account)), STREAM),
        (sse_of(account), SSE),
    ):
        taken.exchange(path(model=account), prompt(KEY_ID), body, headers=headers)
    sent = [record for record in taken.records if isinstance(record, journal.SentRequest)]
    assert all(record.body == prompt(ACCESS_KEY) and ACCOUNT in record.path for record in sent)
    text = b"".join(texts(taken.body))
    assert text.count(ACCOUNT.encode()) >= 8
    head = CaptureRun()
    head.exchange(
        path(),
        b"",
        b"",
        headers=(("set-cookie", "a=b"), ("x-amz-security-token", "short"), ("x-a", KEY_ID)),
    )
    kept = next(record for record in head.records if isinstance(record, journal.Head))
    assert kept.headers == (
        ("set-cookie", REDACTED),
        ("x-amz-security-token", REDACTED),
        ("x-a", ACCESS_KEY),
    )


# -- nothing is lost -------------------------------------------------------------------------------


@quick
@given(st.lists(st.text("abc é", max_size=9), min_size=1, max_size=6), places)
def test_whole_frames_are_in_the_journal_at_once(pieces: list[str], cuts: list[int]) -> None:
    frames = [
        eventstream.encode_strings(
            event_headers("contentBlockDelta"), bodies.compact({"delta": {"text": piece}})
        )
        for piece in pieces
    ]
    ends = [sum(map(len, frames[: number + 1])) for number in range(len(frames))]
    taken = CaptureRun()
    number = taken.capture.add_request(
        "default", "POST", path("converse-stream"), JSON, prompt("a")
    )
    taken.capture.add_head(number, 200, STREAM)
    fed = 0
    for piece in cut(b"".join(frames), cuts):
        taken.capture.add_chunk(number, piece)
        fed += len(piece)
        assert taken.body == b"".join(frames[: sum(end <= fed for end in ends)])


def test_whole_frames_before_a_broken_one_are_in_the_journal_at_once() -> None:
    good = eventstream.encode_strings(event_headers("messageStart"), b'{"role":"assistant"}')
    taken = CaptureRun()
    number = taken.capture.add_request("default", "POST", path("converse-stream"), JSON, b"")
    taken.capture.add_head(number, 200, STREAM)
    bad = bytearray(good)
    bad[-1] ^= 1
    taken.capture.add_chunk(number, good * 2 + bytes(bad) + good)
    assert taken.body == good * 2
    taken.capture.add_chunk(number, b"more")
    taken.capture.end(number)
    assert taken.body == good * 2
    assert taken.records[-1] == journal.End(number, 100.0, "the event stream was broken")


def test_a_stream_that_ends_within_a_frame_is_cut_whatever_the_connection_says() -> None:
    good = eventstream.encode_strings(event_headers("messageStart"), b'{"role":"assistant"}')
    taken = CaptureRun()
    taken.exchange(path("converse-stream"), b"", good + good[:-1], headers=STREAM)
    assert taken.body == good
    assert taken.records[-1] == journal.End(1, 100.0, journal.MID_FRAME)


def test_whole_server_sent_events_are_in_the_journal_at_once() -> None:
    taken = CaptureRun()
    number = taken.capture.add_request("default", "POST", "/v1/responses", JSON, b"{}")
    taken.capture.add_head(number, 200, SSE)
    seen = []
    for piece in (b"data: 1", b"\n", b"\ndata: 2\n\nda", b"ta: 3\n\n", b"data: 4"):
        taken.capture.add_chunk(number, piece)
        seen.append(taken.body)
    assert seen == [
        b"",
        b"",
        b"data: 1\n\ndata: 2\n\n",
        *[b"data: 1\n\ndata: 2\n\ndata: 3\n\n"] * 2,
    ]
    taken.capture.end(number)
    assert taken.body == b"data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4"


@pytest.mark.parametrize("cuts", [[], [1], [5, 9, 12]])
def test_an_announced_body_is_in_the_journal_with_its_last_byte(cuts: list[int]) -> None:
    body = b'{"output":{"message":1}}'
    taken = CaptureRun()
    number = taken.capture.add_request("default", "POST", path(), JSON, prompt("a"))
    taken.capture.add_head(number, 200, (*JSON, ("content-LENGTH", str(len(body)))))
    *first, last = cut(body, cuts)
    for piece in first:
        taken.capture.add_chunk(number, piece)
        assert taken.body == b""
    taken.capture.add_chunk(number, last)
    assert taken.body == body
    taken.capture.end(number, "the client hung up")  # it has what it wanted
    assert taken.body == body
    assert taken.records[-1] == journal.End(number, 100.0, None)


@pytest.mark.parametrize("length", ["", "²", "-1", "x", "9" * 5000, None])
def test_a_length_that_is_none_is_not_believed(length: str | None) -> None:
    taken = CaptureRun()
    taken.exchange(
        path(), b"", b"{}", headers=JSON if length is None else (*JSON, ("content-length", length))
    )
    assert taken.body == b"{}"


def test_the_first_of_two_content_types_counts_as_it_does_in_the_cassette() -> None:
    taken = CaptureRun()
    number = taken.capture.add_request("default", "POST", path(), JSON, b"")
    taken.capture.add_head(number, 200, (*SSE, *JSON))
    taken.capture.add_chunk(number, b"data: 1\n\n")
    assert taken.body == b"data: 1\n\n"


def test_records_say_who_and_when() -> None:
    taken = CaptureRun(name="suite", exact=False)
    one = taken.capture.add_request(
        "a", "POST", path(), (("Content-Type", "t"), ("User-Agent", "u")), b"{}"
    )
    taken.now = 100.5
    two = taken.capture.add_request("b", "GET", "/foundation-models", (), b"")
    taken.capture.add_head(two, 404, JSON)
    taken.now = 101.0
    taken.capture.add_head(one, 200, JSON)
    taken.capture.add_chunk(one, b"{}")
    taken.capture.end(one)
    taken.capture.end(two, "gone")
    assert taken.records == [
        journal.JournalStart(journal.VERSION, "suite", False),
        journal.SentRequest(one, 100.0, "a", "POST", path(), (("content-type", "t"),), b"{}"),
        journal.SentRequest(two, 100.5, "b", "GET", "/foundation-models", (), b""),
        journal.Head(two, 100.5, 404, JSON),
        journal.Head(one, 101.0, 200, JSON),
        journal.Chunk(one, 101.0, b"{}"),
        journal.End(one, 101.0, None),
        journal.End(two, 101.0, "gone"),
    ]
    counts = taken.capture.counts
    assert (counts.requests, counts.bytes) == (2, 2)
    assert counts.models == {MODEL}


def test_only_the_first_word_on_an_end_counts_and_what_is_unknown_is_passed_by() -> None:
    taken = CaptureRun()
    number = taken.capture.add_request("a", "POST", path(), (), b"")
    taken.capture.add_chunk(number, b"before the head")
    taken.capture.add_head(number, 200, ())
    taken.capture.end_all("the recorder stopped")
    before = taken.data
    taken.capture.end(number)
    taken.capture.add_chunk(number, b"late")
    taken.capture.add_head(number, 200, ())
    taken.capture.end(77)
    taken.capture.add_head(77, 200, ())
    taken.capture.add_chunk(77, b"x")
    assert taken.data == before
    assert taken.records[-1] == journal.End(number, 100.0, "the recorder stopped")
    assert taken.capture.live == 0


def test_an_error_that_no_text_can_hold_is_written_all_the_same() -> None:
    taken = CaptureRun()
    number = taken.capture.add_request("a", "POST", path(), (), b"")
    taken.capture.end(number, "broke \udce9")
    assert taken.records[-1] == journal.End(number, 100.0, "broke ?")


def test_an_exact_recording_keeps_every_header_of_a_request() -> None:
    taken = CaptureRun(exact=True)
    taken.capture.add_request(
        "a", "POST", path(), (("User-Agent", "u"), ("Authorization", "x"), ("x-amz-date", "d")), b""
    )
    sent = taken.records[1]
    assert isinstance(sent, journal.SentRequest)
    assert sent.headers == (("User-Agent", "u"), ("Authorization", REDACTED), ("x-amz-date", "d"))


def test_a_request_keeps_the_spelling_of_its_body() -> None:
    spelt = json.dumps({"b": [1.0, "é"], "a": {}}, indent=1).encode()
    taken = CaptureRun()
    taken.capture.add_request("a", "POST", path(), (), spelt)
    sent = taken.records[1]
    assert isinstance(sent, journal.SentRequest)
    assert sent.body == spelt


# -- a user's patterns, and the record mode --------------------------------------------------------

MINE = Redaction((re.compile("Falcon"),))


def test_no_byte_of_a_journal_holds_what_a_user_names() -> None:
    """Also not the session's name, the rest of a broken stream, and the
    reason why an exchange ended.
    """
    taken = CaptureRun(exact=True, mode="new", redaction=MINE)
    broken = (
        eventstream.encode_strings(event_headers("chunk"), b'{"a":"Falcon"}') + b"the Falcon breaks"
    )
    taken.exchange(
        path(), b"{}", broken, session="test-Falcon", headers=STREAM, cuts=range(0, 200, 7)
    )
    taken.exchange(path(), b"{}", b"{}", error="no route to Falcon")
    assert b"Falcon" not in taken.data
    assert taken.data.count(REDACTED.encode()) == 4
    assert taken.records[0] == journal.JournalStart(journal.VERSION, None, True, "new")


def test_redacted_events_stay_events_for_botocore() -> None:
    taken = CaptureRun(redaction=MINE)
    frames = [("contentBlockDelta", b'{"delta":{"text":"Falcon"}}'), ("messageStop", b"{}")]
    data = b"".join(
        eventstream.encode_strings(event_headers(name), payload) for name, payload in frames
    )
    taken.exchange(path(), b"{}", data, headers=STREAM)
    buffer = EventStreamBuffer()
    buffer.add_data(taken.body)
    assert [json.loads(event.payload) for event in buffer] == [{"delta": {"text": REDACTED}}, {}]


@pytest.mark.parametrize("written", range(1, 12))
def test_every_answer_that_is_not_complete_in_the_journal_is_missing(written: int) -> None:
    """Two answers at once, one of them a stream whose head was already sent, and a disk that is
    full from any record on.
    """
    records: list[bytes] = []

    def write(data: bytes) -> None:
        if len(records) >= written:
            raise OSError(28, "No space left on device")
        records.append(data)

    capture, sent = Capture(write, lambda: 0.0), []
    with suppress(RecorderError):
        for _ in range(2):
            sent.append(capture.add_request("s", "POST", path(), (), prompt("hi")))
    for exchange in sent:
        capture.add_head(exchange, 200, (("content-type", "text/event-stream"),))
    for exchange in sent:
        capture.add_chunk(exchange, b'data: {"a":1}\n\n')
    for exchange in sent:
        capture.end(exchange)
    capture.end_all("the recorder stopped")
    kept = {
        record.exchange
        for record in journal.read(b"".join(records), "j")
        if isinstance(record, journal.End)
    }
    assert capture.missing == set(sent) - kept
    assert (capture.describe_failure() is None) == (written >= 9)


@pytest.mark.parametrize(
    ("name", "stream"), [*MESSAGES, *COUNTS], ids=map(name_case, [*MESSAGES, *COUNTS])
)
def test_every_inference_api_is_captured_without_secrets(
    name: str, stream: bool, tmp_path: Path
) -> None:
    """In pieces, as the network cuts them.

    The journal of a stream has a model's pieces of a secret by themselves.
    """
    secret, taken = PLANTED["Bedrock API key"][0], CaptureRun()
    recorded = record(name, stream=stream, text=f"Use {secret} in Oslo.")
    body, (operation, model, *_) = read_bytes(recorded.response), APIS[name]
    request, cuts = recorded.request, range(0, len(body), 7)
    taken.exchange(
        request.path, request.body.data, body, cuts=cuts, headers=recorded.response.headers
    )
    taken.recover(tmp_path / "cassettes")
    for data in (
        *(file.read_bytes() for file in (tmp_path / "cassettes").rglob("*.yaml")),
        *([] if stream else [taken.data]),
    ):
        assert_clean(data)
    ((captured,),) = [cassette.interactions for cassette in store.read([tmp_path / "cassettes"])]
    assert captured.operation == recorded.operation
    assert (captured.model, recorded.operation) == (
        model,
        f"{operation}Stream" if operation == "Converse" and stream else operation,
    )
    before, after = (content_of(i.operation, i.model, i.response) for i in (recorded, captured))
    assert type(before) is type(after)
    if isinstance(after, Message):
        assert after.text.startswith("Use ")
        assert after.text.endswith(" in Oslo.")
        assert after.usage == Usage(11, 22)
