"""The grammar of an HTTP/1.1 request head, and the rules that decide where a request ends.

The rules are strict where leniency would let two readers see two different requests (RFC 9112, sections 2.2, 5.1 and
6.3). This module has no state: it reads bytes and raises `RequestError`.
"""

from __future__ import annotations

import re

__all__ = [
    "CHUNK_LINE",
    "FIELDS",
    "FRAMING",
    "MAX_CHUNK_LINE",
    "MAX_HEAD",
    "MAX_TRAILERS",
    "REQUEST_LINE",
    "WHOLE_HEAD",
    "RequestError",
    "invalid_request_line",
    "is_chunked",
    "keeps_alive",
    "oversized_head",
    "parse_content_length",
    "parse_framing",
    "strip_origin",
]

# nginx takes 32 KiB of headers by default, Node 16 KiB, AWS's own load balancers 64 KiB.
MAX_HEAD = 64 * 1024
MAX_TRAILERS = 16 * 1024
MAX_CHUNK_LINE = 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TARGET = rb"[\x21-\x7e\x80-\xff]++"
_LINES = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/(\d)\.(\d)\r\n")
FIELDS = re.compile(_LINES)
# The headers that say where a request ends, in one look: to search for each of them costs more than all the rest.
FRAMING = re.compile(rb"\r\n(connection|content-length|expect|host|transfer-encoding):([^\r]*+)")
# What `_read_at_once` takes: a whole head, and the framing that nearly all have.
WHOLE_HEAD = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/1\.1\r\n" + _LINES + rb"\r\n")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15}+)[\t ]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?")


class RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid_request_line(data: bytes | bytearray, at: int) -> RequestError:
    if data.startswith(b"\x16", at):  # how TLS begins
        return RequestError(400, "This port speaks plain HTTP: use http://, not https://.")
    return RequestError(400, "That is not an HTTP/1.1 request line.")


def oversized_head() -> RequestError:
    return RequestError(431, f"The request's headers are longer than {MAX_HEAD} bytes.")


def strip_origin(target: bytes) -> bytes:
    """The target without scheme and host, which a client sends that takes us for its proxy (RFC 9112 section 3.2.2)."""
    if target[:1] not in b"hH":
        return target
    path = _ABSOLUTE.sub(b"", target, count=1)
    return b"/" + path if path != target and path[:1] != b"/" else path


def parse_framing(lowered: bytes) -> dict[bytes, bytes]:
    """The headers that say where the request ends and what follows it, by name, of header lines in lower case.

    A list may stand in several lines. What is no list and stands twice is one thing to one reader and another to the
    next (RFC 9112 sections 3.2 and 6.3).
    """
    framing: dict[bytes, bytes] = {}
    for name, value in FRAMING.findall(lowered):
        if name not in framing:
            framing[name] = value.strip(b" \t")
        elif name == b"connection":
            framing[name] += b"," + value
        else:
            raise RequestError(400, f"The header {name.decode()} stands twice.")
    return framing


def parse_content_length(framing: dict[bytes, bytes]) -> int:
    value = framing.get(b"content-length", b"0")
    if not value.isdigit() or len(value) > 18:
        raise RequestError(400, "The content-length is not a number of up to 18 digits.")
    return int(value)


def is_chunked(framing: dict[bytes, bytes], minor: bytes) -> bool:
    coding = framing.get(b"transfer-encoding")
    if coding is None:
        return False
    if b"content-length" in framing:  # two lengths are how requests are smuggled: RFC 9112 section 6.3
        raise RequestError(400, "A request has a content-length or a transfer-encoding, not both.")
    if minor == b"0":  # section 6.1: whoever handed it on may not have understood it
        raise RequestError(400, "A request of HTTP/1.0 has no transfer-encoding.")
    if coding != b"chunked":
        raise RequestError(501, "The only transfer-encoding known here is chunked.")
    return True


def keeps_alive(connection: bytes, minor: bytes) -> bool:
    options = [option.strip(b" \t") for option in connection.split(b",")] if connection else []
    return b"close" not in options and (minor != b"0" or b"keep-alive" in options)
