"""Answers as Bedrock sends them the next time: the same texts with other ids,
latencies, times and padding.

Pure.
"""

import re
from dataclasses import replace
from random import Random
from string import ascii_letters, digits

from bedtape_cassettes.format import bodies, eventstream
from support.upstream.answers import EVENT_STREAM, Answer

_IDS = re.compile(rb"\b(tooluse_|toolu_bdrk_|msg_bdrk_|chatcmpl-)([A-Za-z0-9]{16,})")
_LATENCY = re.compile(rb'("latencyMs" ?: ?)\d+')


def vary(answer: Answer, chance: Random) -> Answer:
    """Returns the answer with other values. Equal ids of the answer stay equal."""
    ids: dict[bytes, bytes] = {}

    def other(match: re.Match[bytes]) -> bytes:
        text = "".join(chance.choices(ascii_letters + digits, k=len(match[2]))).encode()
        return match[1] + ids.setdefault(match[2], text)

    def change(data: bytes) -> bytes:
        return _LATENCY.sub(
            lambda match: b"%b%d" % (match[1], chance.randint(100, 9999)), _IDS.sub(other, data)
        )

    def change_frame(frame: bytes) -> bytes:
        (message,) = eventstream.decode_all(frame)
        payload, _ = bodies.unpad(message.payload)
        return eventstream.encode(replace(message, payload=bodies.pad(change(payload), chance)))

    framed = any(EVENT_STREAM in value for _, value in answer.headers)
    frames = tuple(map(change_frame if framed else change, answer.frames))
    delays = [chance.uniform(0, 0.02) for _ in frames]
    return replace(answer, frames=frames, after=chance.uniform(0, 0.05), delays=delays)
