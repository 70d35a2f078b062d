"""A request's body without its large binary data.

Images and documents are most of a large body, and only the match key depends on them. To parse and
search them costs half a second for 8 MB; to digest them costs 10 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

# A smaller body is its own outline.
LARGE = 256 * 1024
# A string without this many bytes in a row is not searched for.
_BLOCK = 32 * 1024
# Long strings are read in slices. After each slice another thread can run, because the digest
# releases the interpreter.
_SLICE = 128 * 1024
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
# The beginning of a member that holds base64, in requests of all families, up to its value.
_BINARY = re.compile(
    rb'"(?:bytes|data|image|inputImage|images|init_image|mask|maskImage|base64String|file_data)"\s*:\s*\[?\s*"\Z'
    rb'|"(?:url|image_url|file_data)"\s*:\s*"data:[^",]{0,100},\Z'
)
_LONGEST_START = 200
# What redaction would replace inside of base64 by chance.
_SECRET = re.compile(
    rb"A(?:(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}|BSK(?<![A-Za-z0-9]ABSK)[A-Za-z0-9+/]{40})"
)
_LONGEST_SECRET = 64


@dataclass(frozen=True, slots=True)
class Outline:
    """data: the body, with digests in place of large base64. blobs: the texts by digest."""

    data: bytes
    blobs: Mapping[bytes, bytes] = field(default_factory=dict)

    def split(self, data: bytes) -> Iterator[bytes]:
        """Yields the parts of a text with digests, and the text of each digest in its place."""
        if not self.blobs:
            yield data
            return
        for part in re.split(b"(%b)" % b"|".join(self.blobs), data):
            yield self.blobs.get(part, part)


def read_outline(body: bytes) -> Outline:
    """Returns the outline of a body in JSON. Any other body is its own outline."""
    if len(body) < LARGE:
        return Outline(body)
    parts, blobs, done = [], {}, 0
    for start, end in _find_long_strings(body):
        blob = body[start:end]
        if start < done or not _BINARY.search(body, max(done, start - _LONGEST_START), start):
            continue
        if (digest := _digest_base64(blob)) is None:
            continue
        blobs[digest] = blob
        parts += [body[done:start], digest]
        done = end
    return Outline(b"".join([*parts, body[done:]]), blobs)


def _find_long_strings(body: bytes) -> Iterator[tuple[int, int]]:
    """Yields start and end of each string of two blocks or more, without a data URL's start."""
    at = 0
    while at + _BLOCK <= len(body):
        if body.find(b'"', at, at + _BLOCK) >= 0:
            at += _BLOCK
            continue
        start, end = body.rfind(b'"', 0, at) + 1, body.find(b'"', at)
        if end < 0:
            return
        if body.startswith(b"data:", start):
            start = body.find(b",", start, start + _LONGEST_START) + 1 or start
        yield start, end
        at = end


def _digest_base64(blob: bytes) -> bytes | None:
    """Returns a hexadecimal digest; None for text that is not base64 or would be redacted."""
    digest = blake2b(digest_size=24)
    for at in range(0, len(blob), _SLICE):
        part = blob[at : at + _SLICE]
        if part.translate(None, _BASE64) or _SECRET.search(blob, at, at + _SLICE + _LONGEST_SECRET):
            return None
        digest.update(part)
    return digest.hexdigest().encode()
