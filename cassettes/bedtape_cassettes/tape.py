"""Cassettes packed into bytes: the `.tape` file of a whole suite, and the rows of the load cache.

Packed is the model as it is, bodies as bytes, so that loading parses nothing. Everything read is checked: a digest
tells a torn or altered file, types tell a hostile one. No disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeAlias

import msgpack

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.model import Body, Cassette, Events, Interaction, Request, Response

__all__ = ["MAGIC", "Row", "from_row", "pack", "pack_rows", "safe_name", "to_row", "unpack", "unpack_rows"]

MAGIC = b"bedtape\x01"
_DIGEST = 16

Row: TypeAlias = "tuple[Any, ...]"


def to_row(interaction: Interaction) -> Row:
    """The interaction less its file's name, as msgpack can hold it."""
    request, response = interaction.request, interaction.response
    body = response.body
    return (
        interaction.operation,
        interaction.model,
        interaction.exact,
        interaction.partial,
        (request.method, request.path, request.headers, request.body.form, request.body.data),
        (
            response.status,
            response.headers,
            response.after_ms,
            "events" if isinstance(body, Events) else body.form,
            body.packed if isinstance(body, Events) else body.data,
            body.padded if isinstance(body, Events) else False,
        ),
    )


def from_row(row: Row, file: str) -> Interaction:
    """The inverse of `to_row`. Raises ValueError or TypeError where the row is not one."""
    operation, model, exact, partial, asked, answered = row
    method, path, asked_headers, asked_form, asked_data = asked
    status, headers, after_ms, form, data, padded = answered
    _check(operation, model, exact, partial, method, path, asked_headers, asked_form, asked_data)
    _check_answer(status, headers, after_ms, form, data, padded)
    body = Events(data, padded) if form == "events" else Body(form, data)
    request = Request(method, path, asked_headers, Body(asked_form, asked_data))
    return Interaction(operation, model, request, Response(status, headers, body, after_ms), exact, partial, file)


_FORMS = frozenset({"json", "text", "base64"})


def _check(
    operation: object,
    model: object,
    exact: object,
    partial: object,
    method: object,
    path: object,
    headers: object,
    form: object,
    data: object,
) -> None:
    if not (
        (operation is None or type(operation) is str)
        and (model is None or type(model) is str)
        and type(exact) is bool
        and type(partial) is bool
        and type(method) is str
        and type(path) is str
        and _are_headers(headers)
        and form in _FORMS
        and type(data) is bytes
    ):
        raise TypeError("a member has the wrong type")


def _check_answer(
    status: object, headers: object, after_ms: object, form: object, data: object, padded: object
) -> None:
    if not (
        type(status) is int
        and 200 <= status <= 599
        and _are_headers(headers)
        and type(after_ms) is int
        and (form in _FORMS or form == "events")
        and type(data) is bytes
        and type(padded) is bool
    ):
        raise TypeError("a member has the wrong type")


def _are_headers(headers: object) -> bool:
    return type(headers) is tuple and all(
        type(pair) is tuple and len(pair) == 2 and type(pair[0]) is str and type(pair[1]) is str for pair in headers
    )


def _seal(content: bytes) -> bytes:
    return MAGIC + content + blake2b(MAGIC + content, digest_size=_DIGEST).digest()


def _unseal(data: bytes, file: str) -> Any:
    """The packed value. Raises CassetteInvalid unless every byte is as it was written."""
    if data[:7] != MAGIC[:7]:
        raise _invalid(file, "a .tape file", "something else", "unpack and pack the cassettes again")
    if data[:8] != MAGIC:
        raise _invalid(file, "version 1 of the .tape format", f"version {data[7]}", "upgrade bedtape")
    content, digest = data[8:-_DIGEST], data[-_DIGEST:]
    if blake2b(MAGIC + content, digest_size=_DIGEST).digest() != digest:
        raise _invalid(file, "a whole .tape file", "one that was cut or changed", "pack the cassettes again")
    try:
        return msgpack.unpackb(content, use_list=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise _invalid(file, "packed cassettes", f"bytes that are not ({error})", "pack the cassettes again") from None


def _invalid(file: str, expected: str, found: str, mend: str) -> CassetteInvalid:
    return CassetteInvalid([Problem(file, 0, expected, found, mend)])


def safe_name(name: str) -> bool:
    """Whether a cassette's or file's name stays inside its folder on every system."""
    return all(
        part and part[0] != "." and part.isprintable() and not set(part) & set('\\:*?"<>|') and part[-1] not in ". "
        for part in name.split("/")
    )


def pack(cassettes: Iterable[Cassette]) -> bytes:
    """A suite of cassettes as the bytes of one `.tape` file."""
    content = [(c.name, [(i.file, to_row(i)) for i in c.interactions]) for c in cassettes]
    return _seal(msgpack.packb(content))


def unpack(data: bytes, file: str) -> tuple[Cassette, ...]:
    """The cassettes in a `.tape` file's bytes. Raises CassetteInvalid."""
    content = _unseal(data, file)
    try:
        cassettes = tuple(Cassette(name, tuple(from_row(row, f) for f, row in rows)) for name, rows in content)
        names = [name for c in cassettes for name in (c.name, *(i.file for i in c.interactions))]
        bad = next((name for name in names if not safe_name(name)), None)
    except (TypeError, ValueError, AttributeError) as error:
        raise _invalid(file, "packed cassettes", f"something else ({error})", "pack the cassettes again") from None
    if bad is not None:
        raise _invalid(file, "names inside the folder", repr(bad), "rename that cassette and pack it again")
    return cassettes


def pack_rows(rows: dict[bytes, Row]) -> bytes:
    """The load cache: rows by the digest of the file that they were read from."""
    return _seal(msgpack.packb(rows))


def unpack_rows(data: bytes) -> dict[bytes, Row]:
    """The inverse of `pack_rows`; empty where the bytes are not a load cache."""
    try:
        rows = _unseal(data, "cache")
    except CassetteInvalid:
        return {}
    return rows if isinstance(rows, dict) else {}
