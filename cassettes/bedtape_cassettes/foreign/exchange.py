"""The entries of a foreign file (exchanges, rules and skipped entries), and readers
of parsed JSON and YAML.

The readers are shared by all formats.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from bedtape_cassettes.model import Headers, Interaction, JsonValue, is_method, is_path
from bedtape_cassettes.operations import identify


class Unusable(ValueError):
    """An entry that cannot be imported. foreign: it is valid, but not Bedrock's, or no rule can
    express it. host: of another service.
    """

    def __init__(self, reason: str, *, foreign: bool = False, host: str = "") -> None:
        self.foreign = foreign
        self.host = host
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response as a foreign recorder wrote them, with bodies as on the wire.

    url: absolute, or from `/` if the recorder lost the host. rewritten: the recorder parsed the
    response's JSON and serialised it again. decompressed: the recorder removed the content-encoding
    of the response's body.
    """

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    response_headers: Headers
    response_body: bytes
    after_ms: int = 0
    rewritten: bool = False
    decompressed: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A fixture with conditions, as a rule of an overlay file. notes: what the rule lacks."""

    layer: dict[str, JsonValue]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedEntry:
    """An entry that was not imported. number: from 1. damaged: the entry is Bedrock's, but invalid.
    host: of another service.
    """

    number: int
    reason: str
    damaged: bool = True
    host: str = ""


Entry: TypeAlias = Exchange | Interaction | Rule | SkippedEntry


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """A foreign format. tool: writes it. expected: its characteristic keys, for messages."""

    tool: str
    expected: str
    recognises: Callable[[Any], bool]
    exchanges: Callable[[list[Any]], Iterator[Entry]]


def read_each(entries: Iterable[Any], take: Callable[[Any], Exchange | Rule]) -> Iterator[Entry]:
    """Converts each entry with `take`. An unusable entry becomes a SkippedEntry."""
    for count, entry in enumerate(entries, 1):
        try:
            yield take(entry)
        except Unusable as error:
            yield SkippedEntry(count, str(error), not error.foreign, error.host)


# -- reading parsed values -------------------------------------------------------------------------


def render_value(value: Any) -> str:
    """Renders a value for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    rendered = repr(value)
    return rendered if len(rendered) <= 60 else f"{rendered[:60]}…"


def _member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def read_object(value: Any, key: str) -> dict[str, Any]:
    """Returns the object under the key. Raises Unusable."""
    member = _member(value, key)
    if not isinstance(member, dict):
        raise Unusable(f"expected `{key}` to be an object, found {render_value(member)}")
    return member


def read_list(value: Any, key: str) -> list[Any]:
    """Returns the list under the key. Raises Unusable."""
    member = _member(value, key)
    if not isinstance(member, list):
        raise Unusable(f"expected `{key}` to be a list, found {render_value(member)}")
    return member


def read_text(value: Any, key: str) -> str:
    """Returns the non-empty text under the key. Raises Unusable."""
    member = _member(value, key)
    if isinstance(member, bytes):
        member = member.decode("latin-1")
    if not isinstance(member, str) or not member:
        raise Unusable(f"expected `{key}` to be text, found {render_value(member)}")
    return member


def read_number(value: Any, key: str) -> int:
    """Returns the whole number under the key. Raises Unusable."""
    member = _member(value, key)
    if isinstance(member, str) and member.isdecimal() and len(member) < 10:
        return int(member)
    if not isinstance(member, int) or isinstance(member, bool):
        raise Unusable(f"expected `{key}` to be a number, found {render_value(member)}")
    return member


def encode_body(value: Any, what: str) -> bytes:
    """Returns the bytes of a body that is text, binary or `None`. Raises Unusable."""
    match value:
        case None:
            return b""
        case bytes():
            return value
        case str():
            try:
                return value.encode()
            except UnicodeEncodeError:
                raise Unusable(
                    f"expected {what} to be Unicode text, found half of a surrogate pair"
                ) from None
    raise Unusable(f"expected {what} to be text, found {render_value(value)}")


def decode_base64(value: Any, what: str) -> bytes:
    """Decodes a base64 body, with or without line breaks. Raises Unusable."""
    if not isinstance(value, str | bytes):
        raise Unusable(f"expected {what} to be base64, found {render_value(value)}")
    joined = b"".join(encode_body(value, what).split())
    try:
        return b64decode(joined, validate=True)
    except ValueError as error:
        raise Unusable(f"expected {what} to be base64, found something else ({error})") from None


def read_headers(value: Any) -> Headers:
    """Reads headers from name to value, name to values, or a list of pairs. Raises Unusable."""
    match value:
        case None:
            return ()
        case dict():
            return tuple((name, text) for name, given in value.items() for text in _values(given))
        case list():
            return tuple(pair for entry in value for pair in _pairs(entry))
    raise Unusable(f"expected headers by name, found {render_value(value)}")


def _values(given: Any) -> list[str]:
    return [_value(one) for one in given] if isinstance(given, list) else [_value(given)]


def _value(given: Any) -> str:
    if isinstance(given, bytes):
        return given.decode("latin-1")
    if given is None or isinstance(given, dict | list):
        raise Unusable(f"expected a header's value, found {render_value(given)}")
    return given if isinstance(given, str) else str(given)


def _pairs(entry: Any) -> list[tuple[str, str]]:
    match entry:
        case {"name": name, "values": list(values)}:
            return [(_value(name), _value(value)) for value in values]
        case {"name": name, "value": value}:
            return [(_value(name), _value(value))]
        case [name, value]:
            return [(_value(name), _value(value))]
    raise Unusable(f"expected a header's name and value, found {render_value(entry)}")


_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]*))?(?P<path>/[^#]*)?")
_UNNAMED = "an unnamed host"
_HOST = re.compile(r"(?i)(?:\A|[.-])bedrock(?:[.-]|\Z)")
# No other API has paths with these prefixes, so the host may be a proxy, a placeholder or missing.
# A path below the path of a gateway is Bedrock's if that names Bedrock: `/bedrock` of LiteLLM,
# `/v1/ACCOUNT/GATEWAY/aws-bedrock` of Cloudflare.
_OURS_ALONE = re.compile(r"(?i)\A(?:/.*bedrock.*?)??(?=/(?:model/|guardrail/|async-invoke))")


def host_of(url: str) -> str:
    """Returns the host of a URL, or `an unnamed host` if the recorder lost it."""
    match = _URL.fullmatch(url)
    return _name_host(match["host"]) if match else _UNNAMED


def _name_host(host: str | None) -> str:
    """Returns the host without the port of https, which nock writes."""
    return (host or "").removesuffix(":443") or _UNNAMED


def path_of(method: str, url: str) -> str:
    """Returns Bedrock's encoded path and query. Raises Unusable, foreign=True for other APIs."""
    match = _URL.fullmatch(url)
    if not match:
        raise Unusable(f"expected a URL, found {url[:60]!r}")
    host, path = match["host"] or "", match["path"] or "/"
    bare = path.partition("?")[0]
    prefix = _OURS_ALONE.match(bare)
    own = path[prefix.end() :] if prefix else path
    if prefix is not None and identify(method, own).operation is not None:
        path = own
    elif not _HOST.search(host):
        raise Unusable(
            f"{method} {host}{bare[:80]} is not Bedrock's", foreign=True, host=_name_host(host)
        )
    if not is_path(path) or not is_method(method):
        raise Unusable(
            f"expected a method and a percent-encoded path, found {method[:20]} {bare[:80]!r}"
        )
    return path
