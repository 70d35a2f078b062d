"""Clients of bidirectional streams: HTTP/2 by the h2 library and HTTP/1.1 by hand, one
conversation each, in lock step.
"""

import json
import select
import socket
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from typing import Any, Self

import h2.config
import h2.connection
import h2.events

from bedtape_cassettes.families.models import nova_sonic
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.eventstream import (
    Decoder,
    Frame,
    HeaderType,
    HeaderValue,
    encode,
    encode_strings,
)
from bedtape_cassettes.model import (
    EMPTY,
    Event,
    Events,
    Interaction,
    Request,
    Response,
    event_headers,
)
from support import WAIT

MODEL = "amazon.nova-sonic-v1:0"
PATH = f"/model/{MODEL}/invoke-with-bidirectional-stream"
OPERATION = "InvokeModelWithBidirectionalStream"


def chunk(event: Any) -> dict[str, Any]:
    """An event as a rule contains it."""
    return {"chunk": {"bytes": b64encode(json.dumps({"event": event}).encode()).decode()}}


def text_content(role: str, text: str, name: str = "c") -> list[Any]:
    """The events of a text."""
    names = {"promptName": "p", "contentName": name}
    start = {**names, "type": "TEXT", "role": role, "interactive": role == "USER"}
    return [
        {"contentStart": start},
        {"textInput": {**names, "content": text}},
        {"contentEnd": names},
    ]


def audio_content(count: int, name: str = "a", *, loud: bool = False) -> list[Any]:
    """The events of speech: a start, so many pieces of audio, and an end."""
    names = {"promptName": "p", "contentName": name}
    sound = b64encode((b"\xff\x7f" if loud else b"\0\0") * 512).decode()
    pieces = [{"audioInput": {**names, "content": sound}} for _ in range(count)]
    return [
        {"contentStart": {**names, "type": "AUDIO", "role": "USER"}},
        *pieces,
        {"contentEnd": names},
    ]


def tool_result(use: str, result: Any, name: str = "t") -> list[Any]:
    """The events of a tool's result."""
    names = {"promptName": "p", "contentName": name}
    start = {
        **names,
        "type": "TOOL",
        "role": "TOOL",
        "toolResultInputConfiguration": {"toolUseId": use},
    }
    return [
        {"contentStart": start},
        {"toolResult": {**names, "content": json.dumps(result)}},
        {"contentEnd": names},
    ]


START = {"sessionStart": {"inferenceConfiguration": {"maxTokens": 1024}}}
PROMPT = {"promptStart": {"promptName": "p", "audioOutputConfiguration": {"voiceId": "matthew"}}}
SETUP = [START, PROMPT, *text_content("SYSTEM", "You are kind.")]


def record(timeline: list[tuple[int, str, Any]]) -> Interaction:
    """The recording of a conversation."""

    def pick(who: str) -> Events:
        return Events.of(
            [
                Event(
                    at,
                    event_headers("chunk"),
                    bodies.seal_chunk(nova_sonic.strip_event(value)),
                    "bytes",
                )
                for at, side, event in timeline
                if side == who
                for value in [{"event": event}]
            ],
            padded=who == "out",
        )

    request = Request("POST", PATH, (), EMPTY, pick("in"))
    response = Response(200, (("content-type", bodies.EVENT_STREAM),), pick("out"))
    return Interaction(OPERATION, MODEL, request, response)


def wrap(value: Any) -> bytes:
    """The frame of one event of Sonic, as in both directions: a chunk with JSON in base64."""
    payload = json.dumps({"bytes": b64encode(json.dumps(value).encode()).decode()}).encode()
    return encode_strings(event_headers("chunk"), payload)


def sign(frame: bytes) -> bytes:
    """The envelope of a signed frame. An empty frame ends the input."""
    date = HeaderValue(HeaderType.TIMESTAMP, 1_790_000_000_000)
    signature = HeaderValue(HeaderType.BYTES, bytes(32))
    return encode(Frame(((":date", date), (":chunk-signature", signature)), frame))


class Duplex:
    """A client with a conversation over h2 or HTTP/1.1. It reads the events of the answer."""

    def __init__(
        self, port: int, *, http2: bool = True, path: str = PATH, signed: bool = True
    ) -> None:
        self._line: _Http2 | _Http1 = _Http2(port, path) if http2 else _Http1(port, path)
        self._signed = signed
        self._decoder = Decoder()
        self.body = b""
        self.events: list[Any] = []
        self.errors: list[tuple[str, str]] = []

    @property
    def status(self) -> int:
        return self._line.status

    @property
    def over(self) -> bool:
        return self._line.over

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves without a word, as a client that dies."""
        self._line.socket.close()

    def send(self, *events: Any) -> None:
        for event in events:
            frame = wrap({"event": event})
            self._line.write(sign(frame) if self._signed else frame)

    def write(self, data: bytes) -> None:
        self._line.write(data)

    def end(self) -> None:
        if self._signed:
            self._line.write(sign(b""))
        self._line.end()

    def read(self) -> None:
        """Waits for more of the answer. A connection that breaks ends it."""
        data = self.read_raw()
        if self.status != 200:
            return
        for frame in self._decoder.feed(data):
            headers = dict(frame.strings() or ())
            if name := headers.get(":exception-type"):
                self.errors.append((name, json.loads(frame.payload)["message"]))
            elif code := headers.get(":error-code"):
                self.errors.append((code, headers[":error-message"]))
            else:
                self.events.append(json.loads(b64decode(json.loads(frame.payload)["bytes"])))

    def read_raw(self) -> bytes:
        """Waits for more of the answer, whose events are not of Sonic."""
        data = self._line.wait()
        self.body += data
        return data

    def read_until(self, count: int) -> list[Any]:
        """Waits until so many events have come, and returns all."""
        while len(self.events) < count and not self._line.drained:
            self.read()
        return self.events

    def read_audio(self) -> list[bytes]:
        """Waits for the end of the answer, and returns the audio of the model."""
        pieces = (each["event"].get("audioOutput") for each in self.read_all())
        return [b64decode(piece["content"]) for piece in pieces if piece]

    def read_all(self) -> list[Any]:
        while not self._line.drained:
            self.read()
        return self.events


class _Line(ABC):
    """The socket of a conversation, which is read while it is written.

    The server may stop reading at any time, because the answer has ended. What is written
    then is dropped, and what the server sent before can still be read.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        self.status, self.over = 0, False
        self._unsent = b""
        self._early = b""  # of the answer, read while the request was written

    @property
    def drained(self) -> bool:
        """Whether the answer has ended, and all of it was returned."""
        return self.over and not self._early

    def wait(self) -> bytes:
        """Returns more of the answer, or nothing if what came was no part of it."""
        if not self._early:
            self._read()
        self._send()
        data, self._early = self._early, b""
        return data

    def _send(self, data: bytes = b"") -> None:
        self._unsent += data
        while self._unsent and not self.over:
            readable, writable, _ = select.select([self.socket], [self.socket], [], WAIT)
            assert readable or writable, "the server neither reads nor answers"
            if readable:
                self._read()
                continue
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except ConnectionError:
                self._unsent = b""  # the end of the answer is still to be read

    def _read(self) -> None:
        try:
            received = self.socket.recv(65536)
        except ConnectionError:
            received = b""
        self.over = self.over or not received
        self._early += self._parse(received)

    @abstractmethod
    def _parse(self, received: bytes) -> bytes:
        """Returns the part of the answer's body in bytes of the server, which may be empty."""


class _Http2(_Line):
    def __init__(self, port: int, path: str) -> None:
        super().__init__(port)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        self._h2.initiate_connection()
        pseudo = [(":method", "POST"), (":scheme", "http"), (":path", path)]
        self._h2.send_headers(1, [*pseudo, (":authority", "localhost")])
        self._flush()

    def _flush(self) -> None:
        self._send(self._h2.data_to_send())

    def write(self, data: bytes) -> None:
        while data and not self.over:
            size = min(self._h2.local_flow_control_window(1), self._h2.max_outbound_frame_size)
            if not size:
                self._read()
                self._flush()
                continue
            self._h2.send_data(1, data[:size])
            data = data[size:]
            self._flush()

    def end(self) -> None:
        if not self.over:
            self._h2.end_stream(1)
            self._flush()

    def _parse(self, received: bytes) -> bytes:
        data = b""
        for event in self._h2.receive_data(received):
            match event:
                case h2.events.ResponseReceived(headers=headers):
                    self.status = int(dict(headers or ())[":status"])
                case h2.events.DataReceived(data=piece, flow_controlled_length=length):
                    data += piece or b""
                    self._h2.acknowledge_received_data(length or 0, 1)
                case (
                    h2.events.StreamEnded()
                    | h2.events.StreamReset()
                    | h2.events.ConnectionTerminated()
                ):
                    self.over = True
        self._unsent += self._h2.data_to_send()
        return data


class _Http1(_Line):
    def __init__(self, port: int, path: str) -> None:
        super().__init__(port)
        self._buffer = b""
        self._left: int | None = None  # of a body with a length
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._send(head.encode())

    def write(self, data: bytes) -> None:
        self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self._send(b"0\r\n\r\n")

    def _parse(self, received: bytes) -> bytes:
        self._buffer += received
        if not self.status and b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self.status = int(head.split(b" ")[1])
            lengths = [
                line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            ]
            self._left = int(lengths[0].partition(b":")[2]) if lengths else None
        if not self.status:
            return b""
        return self._read_chunks() if self._left is None else self._read_part()

    def _read_part(self) -> bytes:
        assert self._left is not None
        data, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(data)
        self.over = self.over or not self._left
        return data

    def _read_chunks(self) -> bytes:
        data = b""
        while (at := self._buffer.find(b"\r\n")) >= 0:
            size = int(self._buffer[:at], 16)
            end = at + 2 + size + 2
            if len(self._buffer) < end:
                break
            data += self._buffer[at + 2 : end - 2]
            self._buffer = self._buffer[end:]
            self.over = self.over or not size
        return data
