"""Encodes and decodes the `.tape` file of a suite and the rows of the load cache.

Rows contain the fields of the model and bodies as bytes, so loading does not parse JSON. A digest
detects a truncated or changed file. All types are checked, because a file can be malicious.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from sys import intern
from typing import Any, TypeAlias, cast

import msgpack

from bedtape_cassettes.addresses import MANTLE, RUNTIME, is_region
from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format.eventstream import MAX_PAYLOAD, encode_strings
from bedtape_cassettes.model import (
    ENDINGS,
    LONGEST_MS,
    Body,
    Cassette,
    Events,
    Headers,
    Interaction,
    Request,
    Response,
    is_header,
    is_headers,
    is_method,
    is_path,
)
from bedtape_cassettes.names import is_safe_name
from bedtape_cassettes.operations import find_body_model, identify

MAGIC = b"bedtape\x01"
# Of a file with requests that have events, which version 1 cannot read.
_DUPLEX_MAGIC = b"bedtape\x02"
_DIGEST = 16

Row: TypeAlias = "tuple[Any, ...]"


def to_row(interaction: Interaction) -> Row:
    """Returns the interaction without its file name as a tuple that msgpack can encode."""
    request, response = interaction.request, interaction.response
    body = response.body
    return (
        interaction.operation,
        interaction.model if identify(request.method, request.path).model else None,
        interaction.exact,
        interaction.partial,
        (
            request.method,
            request.path,
            request.headers,
            request.body.form,
            request.body.data,
            *((request.events.packed,) if request.events is not None else ()),
        ),
        (
            response.status,
            response.headers,
            response.after_ms,
            "events" if isinstance(body, Events) else body.form,
            body.packed if isinstance(body, Events) else body.data,
            body.padded if isinstance(body, Events) else False,
            # without it, older versions can read the row
            *((response.ends,) if response.ends else ()),
        ),
        *_list_origin(interaction),
    )


def _list_origin(interaction: Interaction) -> tuple[str | None, ...]:
    """Returns the last values of a row. Absent ones leave the row as older versions read it."""
    if interaction.service:
        return interaction.region, interaction.service
    return (interaction.region,) if interaction.region else ()


def from_row(row: Row, file: str) -> Interaction:
    """Returns the interaction of a row. Raises ValueError or TypeError for an invalid row."""
    operation, model, exact, partial, request_row, response_row, *more = row
    region, service = (*more, None, None)[:2]
    _check(len(more) <= 2 and (region is None or is_region(region)), "region")
    _check(service in (None, RUNTIME, MANTLE), "service")
    request = _read_request(*request_row)
    target = identify(request.method, request.path)
    _check(operation in (None, target.name) and model in (None, target.model), "operation or model")
    _check(type(exact) is bool and type(partial) is bool, "flag")
    # The target's names are shared strings. The row's names are new strings, and a suite can have
    # 100,000 rows.
    name = operation and target.name
    to = (model and target.model) or find_body_model(target, request.body.data)
    return Interaction(
        name, to, request, _read_response(*response_row), exact, partial, file, region, service
    )


_FORMS = frozenset({"json", "text", "base64"})
_EVENT_FORMS = _FORMS | {"bytes", "data"}


def _check(valid: bool, what: str) -> None:
    if not valid:
        raise ValueError(f"not a recording's {what}")


def _read_request(
    method: object, path: object, headers: object, form: Any, data: object, events: object = None
) -> Request:
    _check(isinstance(method, str) and is_method(method), "method")
    _check(isinstance(path, str) and is_path(path), "path")
    return Request(
        intern(cast(str, method)),
        intern(cast(str, path)),
        _read_headers(headers),
        _read_body(form, data),
        None if events is None else _read_events(events, padded=False),
    )


def _read_response(
    status: object,
    headers: object,
    after_ms: object,
    form: Any,
    data: object,
    padded: object,
    ends: Any = None,
) -> Response:
    _check(type(status) is int and 200 <= status <= 599, "status")
    _check(type(after_ms) is int and 0 <= after_ms <= LONGEST_MS, "time")
    _check(type(padded) is bool, "padding")
    _check(ends is None or ends in ENDINGS, "end")
    body = _read_events(data, cast(bool, padded)) if form == "events" else _read_body(form, data)
    return Response(cast(int, status), _read_headers(headers), body, cast(int, after_ms), ends)


def _read_body(form: Any, data: object) -> Body:
    """Does not check that `json` is JSON, because every reader of JSON parses it again."""
    _check(form in _FORMS and type(data) is bytes and (form != "text" or _is_text(data)), "body")
    return Body(form, cast(bytes, data))


def _is_text(data: bytes) -> bool:
    return data.isascii() or bool(data.decode())


@lru_cache(maxsize=1024)
def _read_headers(headers: Any) -> Headers:
    """Checks headers. Returns the same object for equal headers, because they are common."""
    _check(
        is_headers(headers) and all(is_header(name, value) for name, value in headers), "headers"
    )
    return cast(Headers, headers)


def _read_events(packed: object, padded: bool) -> Events:
    """Checks packed events by columns, because that takes 0.05 s for 5,000 streams."""
    _check(type(packed) is bytes, "events")
    times, headers, payloads, forms, *bare = zip(*_unpack(cast(bytes, packed)), strict=True)
    _check(not bare or (len(bare) == 1 and {*map(type, bare[0])} == {bool}), "padding of events")
    _check(
        {*map(type, times)} == {int} and min(times) >= 0 and max(times) <= LONGEST_MS,
        "times of events",
    )
    _check(
        {*map(type, payloads)} == {bytes} and max(map(len, payloads)) <= MAX_PAYLOAD,
        "payloads of events",
    )
    _check(_EVENT_FORMS.issuperset(forms) and all(map(_is_frame, set(headers))), "events")
    return Events(cast(bytes, packed), padded)


@lru_cache(maxsize=1024)
def _is_frame(headers: Any) -> bool:
    return is_headers(headers) and bool(encode_strings(headers, b""))


def _unpack(data: bytes | memoryview) -> Any:
    return msgpack.unpackb(data, use_list=False, strict_map_key=False)


def _seal(content: bytes, magic: bytes = MAGIC) -> bytes:
    return magic + content + blake2b(magic + content, digest_size=_DIGEST).digest()


def _unseal(data: bytes, file: str) -> memoryview:
    """Raises CassetteInvalid if the magic word or the digest is wrong."""
    if data[:7] != MAGIC[:7]:
        raise _make_error(file, "a .tape file", "something else", "pack the cassettes again")
    if data[7:8] > _DUPLEX_MAGIC[7:]:
        expected = f"version {MAGIC[7]} or {_DUPLEX_MAGIC[7]} of the .tape format"
        raise _make_error(file, expected, f"version {data[7]}", "upgrade bedtape")
    sealed = memoryview(data)[:-_DIGEST]
    is_whole = blake2b(sealed, digest_size=_DIGEST).digest() == data[-_DIGEST:]
    if not is_whole or data[:8] not in (MAGIC, _DUPLEX_MAGIC):
        raise _make_error(
            file, "a whole .tape file", "one that was cut or changed", "pack the cassettes again"
        )
    return sealed[len(MAGIC) :]


def _make_error(file: str, expected: str, found: str, fix: str) -> CassetteInvalid:
    return CassetteInvalid([Problem(file, 0, expected, found, fix)])


def pack(cassettes: Iterable[Cassette]) -> bytes:
    """Returns the bytes of a `.tape` file with the cassettes of a suite."""
    suite = tuple(cassettes)
    content = [(c.name, [(i.file, to_row(i)) for i in c.interactions]) for c in suite]
    duplex = any(i.request.events is not None for c in suite for i in c.interactions)
    return _seal(msgpack.packb(content), _DUPLEX_MAGIC if duplex else MAGIC)


def unpack(data: bytes, file: str) -> tuple[Cassette, ...]:
    """Returns the cassettes in a `.tape` file's bytes. Raises CassetteInvalid."""
    _unseal(data, file)
    try:
        cassettes = tuple(_read_cassettes(data))
        names = [name for c in cassettes for name in (c.name, *(i.file for i in c.interactions))]
        bad = next((name for name in names if not is_safe_name(name)), None)
    except (TypeError, ValueError, AttributeError, msgpack.UnpackException) as error:
        raise _make_error(
            file, "packed cassettes", f"something else ({error})", "pack the cassettes again"
        ) from None
    if bad is not None:
        raise _make_error(
            file, "names inside the folder", repr(bad), "rename that cassette and pack it again"
        )
    return cassettes


def _read_cassettes(data: bytes) -> Iterator[Cassette]:
    """Yields cassettes, unpacked row by row so that equal values of rows are in memory once."""
    # `BytesIO` shares the bytes. The digest behind the content is not unpacked,
    # because `tell` is compared.
    file = BytesIO(data)
    file.seek(len(MAGIC))
    unpacker = msgpack.Unpacker(
        file, use_list=False, strict_map_key=False, max_buffer_size=len(data)
    )
    for _ in range(unpacker.read_array_header()):
        _check(unpacker.read_array_header() == 2, "cassette")
        name = unpacker.unpack()
        rows = (unpacker.unpack() for _ in range(unpacker.read_array_header()))
        yield Cassette(name, tuple(from_row(row, path) for path, row in rows))
    _check(unpacker.tell() == len(data) - len(MAGIC) - _DIGEST, "end")


def pack_rows(rows: dict[bytes, Row]) -> bytes:
    """Returns the bytes of the load cache. rows: by the digest of the interaction's file."""
    return _seal(msgpack.packb(rows))


def unpack_rows(data: bytes) -> dict[bytes, Row]:
    """Returns the rows of the load cache; an empty dict if the bytes are not a load cache."""
    try:
        rows = _unpack(_unseal(data, "cache"))
    except (CassetteInvalid, ValueError, TypeError, msgpack.UnpackException):
        # TypeError: a mapping as a key
        return {}
    return rows if isinstance(rows, dict) else {}
