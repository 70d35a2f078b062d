"""Shared code of the image families: generates a tiny PNG for a prompt, and
reads images of answers.

A generated image has 16 pixels, whose colours depend on the prompt, so that
equal calls give equal files.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode
from hashlib import blake2b

from bedtape_cassettes.families.content import Images
from bedtape_cassettes.families.shared import synthesis
from bedtape_cassettes.model import JsonValue

_SIDE = 4
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Eight bits per channel, RGB, no interlacing.
_HEADER = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)


def png(prompt: str, seed: int, index: int) -> bytes:
    """A valid PNG. Equal arguments give equal bytes on every machine."""
    dots = blake2b(f"{seed} {index} {prompt}".encode(), digest_size=3 * _SIDE * _SIDE).digest()
    rows = [b"\0" + dots[at : at + 3 * _SIDE] for at in range(0, len(dots), 3 * _SIDE)]
    # Level 0 stores the data uncompressed, because compressed bytes depend on the version of zlib.
    data = zlib.compress(b"".join(rows), level=0)
    return _SIGNATURE + _chunk(b"IHDR", _HEADER) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_images(files: tuple[bytes, ...]) -> list[JsonValue]:
    """Encode the files as base64 strings."""
    return [synthesis.base64_text(file) for file in files]


def images(value: JsonValue) -> Images:
    """Read the images of an answer. Raises ValueError unless it is a list of base64 strings."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("expected `images`, a list of base64 strings")
    return Images(tuple(b64decode(str(item), validate=True) for item in value))
