"""The readers of what others write: bytes from a socket, files of a repository,
recordings of other tools.

Each target takes any bytes, and raises only the errors that its reader documents.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

import yaml

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.models.nova_sonic import Speech
from bedtape_cassettes.families.reading import content_of, prompt_of
from bedtape_cassettes.families.usage import read_usage
from bedtape_cassettes.foreign.import_file import import_file
from bedtape_cassettes.format import bodies, document, eventstream, journal, tape
from bedtape_cassettes.format.eventstream import Frame
from bedtape_cassettes.matching.key import compute_key
from bedtape_cassettes.model import Interaction, Response, event_headers
from bedtape_cassettes.operations import OPERATIONS, identify
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.duplex.conversation import Conversation
from bedtape_replayer.answering.duplex.turns import Cue, RecordedScript, RuleScript, RuleTurn
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.reply import Reply
from bedtape_replayer.answering.steps import Await
from bedtape_replayer.engine.checks import find_refusal
from bedtape_replayer.overlay import document as overlay
from bedtape_replayer.overlay.faults.base import FaultContext
from bedtape_replayer.overlay.faults.kinds import KINDS
from bedtape_replayer.wire.http1 import Http1Connection
from bedtape_replayer.wire.http2.connection import Http2Connection

_MAX_BODY = 1 << 20
MODELS = (
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.nova-lite-v1:0",
    "openai.gpt-oss-20b-1:0",
    "meta.llama3-8b-instruct-v1:0",
    "cohere.command-r-v1:0",
    "amazon.titan-embed-text-v2:0",
)
_PATHS = [(operation.method, operation.path) for operation in OPERATIONS]


def _pick(data: bytes) -> Random:
    """The same choices for the same bytes."""
    return Random(data[:8])


def _http1(data: bytes) -> None:
    connection = Http1Connection(max_body=_MAX_BODY)
    connection.receive(data)
    connection.receive_eof()


def _http2(data: bytes) -> None:
    connection = Http2Connection(max_body=_MAX_BODY)
    connection.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + data)


def _events(data: bytes) -> None:
    bodies.read_events(data)
    bodies.read_pieces(data)
    try:
        eventstream.decode_all(data)
    except eventstream.FrameError:
        pass


def _answer(data: bytes) -> None:
    chance = _pick(data)
    operation, model = chance.choice(OPERATIONS).name, chance.choice(MODELS)
    for body in (bodies.read_body(data), bodies.read_events(data), bodies.read_pieces(data)):
        response = Response(200, (("content-type", "application/json"),), body)
        content_of(operation, model, response)
        read_usage(operation, model, response)


def _request(data: bytes) -> None:
    chance = _pick(data)
    method, path = chance.choice(_PATHS)
    model = chance.choice(MODELS)
    path = path.replace("{modelId}", model)
    prompt_of(identify(method, path).name, model, data)
    compute_key(method, identify(method, path), (), data)
    find_refusal(Call("s", method, path, Head(b"\r\n"), data))


def _address(data: bytes) -> None:
    text = "/" + data.decode("latin-1")
    identify("POST", text)
    head = Head(b"\r\nAuthorization: " + data.replace(b"\r", b"") + b"\r\n")
    Call("s", "POST", text, head, b"").scope  # noqa: B018


def _journal(data: bytes) -> None:
    list(journal.read(data, "journal"))


_INPUT_FAULTS = (
    {"corrupt": {"what": "json", "event": 3}},
    {"drop": {"types": ["audioInput", "contentEnd"]}},
    {"repeat": {"numbers": [1, 6]}},
    {"swap": {"first": 2, "second": 5}},
    {"insert": {"type": "chunk", "payload": {"bytes": "bm9uZQ=="}, "after_events": 4}},
    {"truncate": {"after_events": 9}},
)


def _conversation(data: bytes) -> None:
    """Bytes of a client that are no frames, or frames with any payload, one for each line. The
    frames come in order, in another order, in envelopes, or in pieces that are cut anywhere. The
    model is a rule or a recording.
    """
    chance = Random(data)
    frames = [
        eventstream.encode_strings(event_headers("chunk"), line) for line in data.splitlines()
    ]
    signed = [eventstream.encode(Frame((), frame)) for frame in (*frames, b"", *frames[:1])]
    whole = b"".join(signed)
    cuts = sorted(chance.choices(range(len(whole)), k=9))
    pieces = chance.choice(
        (
            [data],
            frames,
            chance.sample(frames, len(frames)),
            signed,
            [whole[at:end] for at, end in itertools.pairwise((0, *cuts, len(whole)))],
        )
    )
    rule = RuleScript((RuleTurn(Cue(), Speech(pieces=("a",))),), b"")
    _hold(Conversation(chance.choice((rule, _play_sample()))), pieces, chance)


@cache
def _list_samples() -> list[Interaction]:
    cassettes = store.read([store.samples()])
    return [interaction for cassette in cassettes for interaction in cassette.interactions]


def _play_sample() -> RecordedScript:
    return RecordedScript([each for each in _list_samples() if each.request.events is not None])


def _hold(conversation: Conversation, pieces: list[bytes], chance: Random) -> None:
    """Play a conversation while its pieces arrive, as a server does. Some clients end twice, send
    after the end, or leave.
    """
    conversation.speed = chance.choice((None, 1.0))
    if chance.random() < 0.5:
        fault = chance.choice(_INPUT_FAULTS)
        kind = KINDS[next(iter(fault))].make(fault)
        call = Call("fuzz", "POST", "/model/a/invoke-with-bidirectional-stream", Head(b"\r\n"), b"")
        reply = Reply(200, ((b"content-type", bodies.EVENT_STREAM.encode()),), (), streamed=True)
        edit = kind.on_arriving(reply, call, FaultContext(b"", 0, {}))
        assert edit is not None
        conversation.change_input([edit])
    steps = conversation.play()
    for piece in pieces:
        conversation.receive(piece, chance.randrange(1000))
        for step in itertools.islice(steps, chance.randrange(9)):
            if isinstance(step, Await):
                break
        if chance.random() < 0.01:
            conversation.end()
    if chance.random() < 0.9:
        conversation.end()
        list(steps)
    json.loads(conversation.describe())


TARGETS: dict[str, Callable[[bytes], object]] = {
    "http1": _http1,
    "http2": _http2,
    "event streams": _events,
    "answers": _answer,
    "requests": _request,
    "addresses": _address,
    "cassettes": lambda data: document.read(data, "cassette.yaml"),
    "tapes": lambda data: tape.unpack(data, "suite.tape"),
    "journals": _journal,
    "overlays": lambda data: overlay.read(data, "overlay.yaml"),
    "other tools' recordings": import_file,
    "redaction": scrub,
    "conversations": _conversation,
}


def run(target: str, data: bytes) -> None:
    """Feed one input. Raises what a reader must not raise."""
    try:
        TARGETS[target](data)
    except CassetteError:  # the documented error of all readers of files
        pass


# -- inputs ----------------------------------------------------------------------------------------


def seeds(target: str) -> list[bytes]:
    """Valid inputs to begin with."""
    files = sorted(store.samples().rglob("*.yaml"))
    cassettes = store.read([store.samples()])
    interactions = _list_samples()
    match target:
        case "cassettes" | "redaction":
            return [file.read_bytes() for file in files]
        case "tapes":
            return [tape.pack(cassettes)]
        case "journals":
            return [journal.encode(journal.JournalStart(journal.VERSION, "name", False, None)) * 2]
        case "overlays":
            rules = {
                "rules": [{"when": {"turn": 1}, "answer": {"text": "a"}}],
                "faults": [{"error": "ThrottlingException"}],
            }
            return [yaml.safe_dump({"bedtape-overlay": 1, **rules}).encode()]
        case "other tools' recordings":
            return [
                json.dumps({"log": {"entries": []}}).encode(),
                b"interactions: []\nversion: 1\n",
            ]
        case "http1":
            return [
                b"POST /model/a/converse HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
                b"GET / HTTP/1.1\r\n\r\n",
            ]
        case "http2":
            return [
                bytes.fromhex("000000040000000000"),
                bytes.fromhex("00000001050000000182868441"),
            ]
        case "conversations":
            events = (
                {"promptStart": {"promptName": "p", "toolConfiguration": {"tools": []}}},
                {"contentStart": {"contentName": "c", "type": "TEXT", "role": "USER"}},
                {"textInput": {"contentName": "c", "content": "Hello?"}},
                {"audioInput": {"contentName": "a", "content": "AAAA"}},
                {"contentEnd": {"contentName": "c"}},
            )
            recorded = [
                b"\n".join(event.payload for event in each.request.events.events)
                for each in interactions
                if each.request.events is not None
            ]
            return [
                b"\n".join(json.dumps({"event": event}).encode() for event in events),
                *recorded,
            ]
        case "addresses":
            return [operation.path.encode() for operation in OPERATIONS]
        case "event streams" | "answers":
            return [_wire(interaction.response) for interaction in interactions]
    return [interaction.request.body.data for interaction in interactions]


def _wire(response: Response) -> bytes:
    body = response.body
    if not hasattr(body, "events"):
        return body.data
    return b"".join(bodies.wire(event, False, Random(0)) for event in body.events)


_PIECES = (
    b"\x00",
    b"\xff",
    b'"',
    b"{",
    b"[",
    b"\\",
    b"\\u",
    b"\r\n",
    b"\n",
    b":",
    b"%",
    b"1e999",
    b"null",
    b"\xed\xa0\x80",
    b"- &a *a\n",
)


def mutate(data: bytes, chance: Random) -> bytes:
    """A damaged copy: bytes flipped, cut, repeated, or put in."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.choice((1, 1, 2, 8, 64)))
        match chance.randrange(5):
            case 0:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[end:]
            case 2:
                data = data[:at] + data[at:end] * chance.choice((2, 16, 512)) + data[end:]
            case 3:
                data = data[:at] + chance.choice(_PIECES) * chance.choice((1, 2, 300)) + data[at:]
            case 4:
                data = data[:at]
    return data[: 1 << 18]


def inputs(target: str, seed: int) -> Iterator[bytes]:
    """Endless inputs: the seeds, then damaged copies. Equal seeds give equal inputs."""
    chance, valid = Random(f"{target}/{seed}"), seeds(target)
    yield from valid
    while True:
        yield mutate(chance.choice(valid), chance)
