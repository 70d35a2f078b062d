"""Reads HTTP/1.1 requests that arrive in one piece, as most do.

The heads of one client differ in the signature, the time, an id and the length of the body. A head
that equals an earlier one everywhere else needs no parsing. What the parsers of `http1` found out
about the earlier head is true of the new one: the places that differ contain letters, digits and
hyphens alone, in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import TypeAlias

from bedtape_replayer.answering.head import Head, Sender
from bedtape_replayer.wire.http1_grammar import COMPLETE_HEAD, FRAMING, MAX_HEAD, strip_origin

_COMMON_FRAMING = frozenset({b"connection", b"content-length", b"host"})
_SLASH = ord("/")
# Forms are found by the address and the length of a head. Clients choose both.
_MOST_FORMS = 512
_LARGEST_HEAD = 8192
# A client may send another value of any header with each request. Then each head would make a form.
_MOST_MISSES = 16
# The headers that differ between equal requests, and the part of the value that differs. No answer
# depends on them, except by conditions of rules, which are checked for each request.
_DIFFERING = re.compile(
    rb"\r\n(?:amz-sdk-invocation-id|x-amz-date|x-amz-content-sha256|idempotency-key|traceparent"
    rb"|x-(?:request|correlation|datadog-trace|datadog-parent)-id):[ \t]*+([0-9A-Za-z-]++)(?=\r)"
    rb"|\r\nauthorization:[ \t]*+AWS4-HMAC-SHA256 [^\r]*?\bSignature=([0-9a-f]++)(?=\r)",
    re.IGNORECASE,
)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*+([0-9]++)[ \t]*+(?=\r)", re.IGNORECASE)
# The method, the target, the head and the body.
WholeRequest: TypeAlias = tuple[bytes, bytes, Head, bytes]


def _make_picker(places: Iterable[tuple[int, int]]) -> Callable[[bytes], tuple[bytes, ...]]:
    """Return a function that returns the parts of a head in these places, by one call."""
    # Of a single slice, `itemgetter` returns no tuple.
    return itemgetter(slice(0, 0), slice(0, 0), *(slice(*place) for place in places))


class HeadForm:
    """A head, and the places in which other heads may differ from it.

    size: the bytes of the head with the request line and the empty line. method, target: of the
    request line. missed: how many forms with the same address and size were made in vain before.
    """

    __slots__ = (
        *("_differs", "_equal", "_fields", "_length", "_pick_differing", "_pick_equal"),
        *("_sender", "method", "missed", "size", "target"),
    )

    def __init__(self, head: bytes, method: bytes, target: bytes, sender: Sender) -> None:
        self.size, self.method, self.target, self._sender = len(head), method, target, sender
        self.missed = 0
        self._fields = head.index(b"\r\n")
        length = _LENGTH.search(head, self._fields)
        self._length = None if length is None else length.span(1)
        differing = [
            each.span(each.lastindex or 0) for each in _DIFFERING.finditer(head, self._fields)
        ]
        ends = sorted([*differing, *([] if length is None else [length.span(1)])])
        starts = [0, *(stop for _, stop in ends)]
        stops = [*(start for start, _ in ends), len(head)]
        self._pick_equal = _make_picker(zip(starts, stops, strict=True))
        self._pick_differing = _make_picker(differing)
        self._equal, self._differs = self._pick_equal(head), bool(differing)

    def read_length(self, data: bytes) -> int:
        """Return the length of the body, or -1 if the data begin with a head of another form."""
        if self._pick_equal(data) != self._equal:
            return -1
        if self._differs:
            parts = b"".join(self._pick_differing(data))
            if not parts.replace(b"-", b"0").isalnum():
                return -1
        if self._length is None:
            return 0
        start, stop = self._length
        digits = data[start:stop]
        return int(digits) if digits.isdigit() else -1

    def make_head(self, data: bytes) -> Head:
        """Return the head of data that have this form."""
        head = Head(data[self._fields : self.size - 2])
        head.known_sender, head.form = self._sender, self
        return head


class HeadForms:
    """The forms of the heads that came twice, for all connections of a server.

    largest: the bytes of the largest head that has a form.
    """

    def __init__(self, largest: int = _LARGEST_HEAD) -> None:
        self._largest = largest
        self._forms: dict[tuple[bytes, int], HeadForm | None] = {}

    def find(self, head: bytes, method: bytes, target: bytes, sender: Sender) -> HeadForm | None:
        """Return the form of a head, which the parsers accept, if an earlier one was similar."""
        place = (target, len(head))
        before = self._forms.get(place)
        if before is not None and before.read_length(head) >= 0:
            before.missed = 0
            return before
        if len(self._forms) >= _MOST_FORMS:
            self._forms.clear()
        missed = 0 if before is None else before.missed + 1
        if place not in self._forms:
            self._forms[place] = None
        elif len(head) <= self._largest and missed <= _MOST_MISSES:
            form = self._forms[place] = HeadForm(head, method, target, sender)
            form.missed = missed
            return form
        return None


class WholeRequestReader:
    """Reads the whole requests of one connection. max_body: the bytes of the largest body."""

    def __init__(self, max_body: int, forms: HeadForms) -> None:
        self._max_body, self._forms = max_body, forms
        self._form: HeadForm | None = None  # of the last head that was read

    def read(self, data: bytes) -> WholeRequest | None:
        """Return the request, or `None` if the data are not one whole request with common framing.

        For every request that this method accepts, the parsers of `http1` return the same.
        """
        form = self._form
        if form is None or (length := form.read_length(data)) < 0:
            return self._parse(data)
        body = data[form.size :]
        if len(body) != length or length > self._max_body:
            return None
        return form.method, form.target, form.make_head(data), body

    def _parse(self, data: bytes) -> WholeRequest | None:
        match = COMPLETE_HEAD.match(data)
        if match is None or match.end() > MAX_HEAD:
            return None
        method, target = match.groups()
        end = match.end()
        head = Head(data[match.end(2) + 9 : end - 2])
        fields = FRAMING.findall(head.lowercase)
        framing = dict(fields)
        length = framing.get(b"content-length", b"0").strip(b" \t")
        if (
            len(framing) != len(fields)
            or not framing.keys() <= _COMMON_FRAMING
            or b"host" not in framing
            or len(length) > 18
        ):
            return None
        if framing.get(b"connection", b" keep-alive") != b" keep-alive":
            return None
        body = data[end:]
        if not length.isdigit() or int(length) != len(body) or len(body) > self._max_body:
            return None
        if target[0] != _SLASH:
            target = strip_origin(target)
        # other framing has no headers of web pages
        sender = head.known_sender = (framing[b"host"].strip(b" \t"), None, None)
        self._form = head.form = self._forms.find(data[:end], method, target, sender)
        return method, target, head, body
