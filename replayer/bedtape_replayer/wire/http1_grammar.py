"""The grammar of an HTTP/1.1 request head, and the rules that decide where a request ends.

The rules are strict wherever two lenient readers could see two different requests (RFC 9112,
sections 2.2, 5.1 and 6.3). This module has no state: it parses bytes and raises `RequestError`.
"""

from __future__ import annotations

import re

# nginx accepts 32 KiB of headers by default, Node 16 KiB, AWS's own load balancers 64 KiB.
MAX_HEAD = 64 * 1024
MAX_TRAILERS = 16 * 1024
MAX_CHUNK_LINE = 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TARGET = rb"[\x21-\x7e\x80-\xff]++"
_LINES = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/(\d)\.(\d)\r\n")
FIELDS = re.compile(_LINES)
# One expression finds all headers that decide where a request ends, and those of web pages, because
# a search for each header costs more than the rest of the parsing.
FRAMING = re.compile(
    rb"\r\n(connection|content-length|expect|host|origin|sec-fetch-site|transfer-encoding):([^\r]*+)"
)
# A complete head in one match. `Http1Connection` uses it for requests that arrive in one piece.
COMPLETE_HEAD = re.compile(
    rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/1\.1\r\n" + _LINES + rb"\r\n"
)
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15}+)[\t ]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?")


class RequestError(Exception):
    """A request that must be refused. status: the HTTP status of the refusal."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def make_request_line_error(data: bytes | bytearray, at: int) -> RequestError:
    """Return the error for the invalid request line at offset `at`."""
    if data.startswith(b"\x16", at):  # the first byte of a TLS handshake
        return RequestError(400, "This port serves plain HTTP. Use http://, not https://.")
    return RequestError(400, "The first line is not an HTTP/1.1 request line.")


def make_head_size_error() -> RequestError:
    return RequestError(431, f"The request's headers are longer than {MAX_HEAD} bytes.")


def strip_origin(target: bytes) -> bytes:
    """Return the target without scheme and host.

    A client that uses the server as its proxy sends both (RFC 9112, section 3.2.2).
    """
    if target[:1] not in b"hH":
        return target
    path = _ABSOLUTE.sub(b"", target, count=1)
    return b"/" + path if path != target and path[:1] != b"/" else path


def parse_framing(lowered: bytes) -> dict[bytes, bytes]:
    """Return the headers that decide where the request ends and what follows it, by name.

    lowered: the header lines in lower case. A Connection header may occur more than once because
    its value is a list. Any other header that occurs twice raises `RequestError`, because two
    readers could use different values (RFC 9112, sections 3.2 and 6.3).
    """
    framing: dict[bytes, bytes] = {}
    for name, value in FRAMING.findall(lowered):
        if name not in framing:
            framing[name] = value.strip(b" \t")
        elif name == b"connection":
            framing[name] += b"," + value
        else:
            raise RequestError(400, f"The header {name.decode()} occurs more than once.")
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
    if b"content-length" in framing:  # two lengths allow request smuggling (RFC 9112, section 6.3)
        raise RequestError(
            400, "A request must not have both a content-length and a transfer-encoding."
        )
    if minor == b"0":  # an HTTP/1.0 proxy may have misread the body (RFC 9112, section 6.1)
        raise RequestError(400, "An HTTP/1.0 request must not have a transfer-encoding.")
    if coding != b"chunked":
        raise RequestError(501, "The only supported transfer-encoding is chunked.")
    return True


def keeps_alive(connection: bytes, minor: bytes) -> bool:
    options = [option.strip(b" \t") for option in connection.split(b",")] if connection else []
    return b"close" not in options and (minor != b"0" or b"keep-alive" in options)
