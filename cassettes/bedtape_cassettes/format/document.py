"""Converts an interaction to the YAML document of its file, and back.

Reading checks the whole document and reports every problem of a file at once. `yamlio` implements
the YAML dialect; this module implements the keys of a cassette file.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format import bodies, yamlio
from bedtape_cassettes.format.eventstream import FrameError, encode_strings
from bedtape_cassettes.model import (
    EMPTY,
    LONGEST_MS,
    Body,
    BodyForm,
    Event,
    Events,
    Headers,
    Interaction,
    JsonValue,
    PayloadForm,
    Place,
    Request,
    Response,
    event_headers,
    exception_headers,
    is_header,
    is_method,
    is_path,
)
from bedtape_cassettes.operations import Target, find_body_model, identify

VERSION = 1
MAX_PROBLEMS = 100  # more than anybody fixes in one sitting

Document = dict[str, JsonValue]

_TOP = ("bedtape", "operation", "model", "exact", "partial", "request", "response")
_REQUEST = ("method", "path", "headers", "json", "text", "base64")
_RESPONSE = ("status", "after_ms", "headers", "padding", "json", "text", "base64", "events")
_EVENT = ("at_ms", "type", "exception", "headers", "json", "bytes", "data", "text", "base64")
_BODY_FORMS: tuple[BodyForm, ...] = ("json", "text", "base64")
_PAYLOAD_FORMS: tuple[PayloadForm, ...] = ("json", "bytes", "data", "text", "base64")


# -- writing ---------------------------------------------------------------------------------------------------


def write(interaction: Interaction) -> bytes:
    """Returns the bytes of the file.

    Raises ValueError if YAML cannot hold a value, such as half of a surrogate pair.
    """
    return yamlio.dump(build_document(interaction))


def build_document(interaction: Interaction) -> Document:
    """Returns the document of an interaction: its keys in the order of the file."""
    document: Document = {"bedtape": VERSION}
    if interaction.operation:
        document["operation"] = interaction.operation
    # The model of OpenAI's and Anthropic's APIs is in the body.
    if interaction.model and identify(interaction.request.method, interaction.request.path).model:
        document["model"] = interaction.model
    if interaction.exact:
        document["exact"] = True
    if interaction.partial:
        document["partial"] = True
    document["request"] = _request_document(interaction.request, exact=interaction.exact)
    document["response"] = _response_document(interaction.response, exact=interaction.exact)
    return document


def _request_document(request: Request, *, exact: bool) -> Document:
    document: Document = {"method": request.method, "path": request.path}
    return document | _headers_document(request.headers, as_list=exact) | _body_document(request.body)


def _response_document(response: Response, *, exact: bool) -> Document:
    document: Document = {"status": response.status}
    if response.after_ms:
        document["after_ms"] = response.after_ms
    document |= _headers_document(response.headers, as_list=exact)
    if isinstance(response.body, Body):
        return document | _body_document(response.body)
    if not response.body.padded and not exact and any(event.headers for event in response.body.events):
        document["padding"] = False
    document["events"] = [_event_document(event) for event in response.body.events]
    return document


def _headers_document(headers: Headers, *, as_list: bool) -> Document:
    """Returns a mapping if the names are unique, else (or if `as_list`) a list of pairs."""
    if not headers:
        return {}
    if as_list or len({name.lower() for name, _ in headers}) != len(headers):
        return {"headers": [[name, value] for name, value in headers]}
    return {"headers": dict(headers)}


def _render_payload(form: str, data: bytes) -> JsonValue:
    if form in bodies.READERS:
        return bodies.READERS[form](data)
    return data.decode() if form == "text" else b64encode(data).decode()


def _body_document(body: Body) -> Document:
    return {} if body == EMPTY else {body.form: _render_payload(body.form, body.data)}


def _event_document(event: Event) -> Document:
    document: Document = {"at_ms": event.at_ms}
    name = event.type
    if name and event.headers == event_headers(name):
        document["type"] = name
    elif name and event.headers == exception_headers(name):
        document["exception"] = name
    elif event.headers:
        document["headers"] = [[name, value] for name, value in event.headers]
    document[event.form] = _render_payload(event.form, event.payload)
    return document


# -- reading ---------------------------------------------------------------------------------------------------


def read(data: bytes, file: str) -> Interaction:
    """Returns the interaction in a file's bytes. Raises CassetteInvalid with every problem and its line."""
    value = yamlio.load(data, file)
    reader = _Reader()
    interaction = reader.interaction(value, file)
    if interaction is None or reader.problems:
        lines = yamlio.locate(data)
        problems = [
            Problem(file, _find_line(lines, path), expected, found, fix)
            for path, expected, found, fix in reader.problems
        ]
        raise CassetteInvalid(sorted(problems, key=lambda problem: problem.line)[:MAX_PROBLEMS])
    return interaction


def _find_line(lines: dict[Place, int], path: Place) -> int:
    """Returns the line of a path, or of the nearest path above it that is in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _describe(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return repr(_shorten(value))
    return _shorten(str(value))


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


class _Reader:
    """Collects problems. `None` replaces a value that cannot be read."""

    def __init__(self) -> None:
        self.problems: list[tuple[Place, str, str, str]] = []

    def problem(self, path: Place, expected: str, found: str, fix: str) -> None:
        self.problems.append((path, expected, found, fix))

    def interaction(self, value: JsonValue, file: str) -> Interaction | None:
        if isinstance(value, dict) and self.is_newer(value.get("bedtape")):
            return None  # this version cannot check the keys of a newer version
        document = self.check_mapping((), value, _TOP)
        if document is None:
            return None
        self.version(document.get("bedtape"))
        operation = self.text(("operation",), document.get("operation"), None)
        model = self.text(("model",), document.get("model"), None)
        exact = self.flag(("exact",), document.get("exact", False))
        partial = self.flag(("partial",), document.get("partial", False))
        request = self.request(document.get("request"), operation, model)
        response = self.response(document.get("response"), exact=exact)
        if request is None or response is None:
            return None
        if model is None:
            model = find_body_model(identify(request.method, request.path), request.body.data)
        return Interaction(operation, model, request, response, exact, partial, file)

    def is_newer(self, version: JsonValue) -> bool:
        if type(version) is not int or version <= VERSION:
            return False
        fix = "a newer bedtape wrote this file: upgrade bedtape"
        self.problem(("bedtape",), f"`bedtape: {VERSION}`, the format's version", f"version {version}", fix)
        return True

    def version(self, version: JsonValue) -> None:
        if type(version) is not int or version != VERSION:
            found = "nothing" if version is None else _describe(version)
            self.problem(
                ("bedtape",), f"`bedtape: {VERSION}`, the format's version", found, f"write `bedtape: {VERSION}`"
            )

    def check_target(self, target: Target, operation: str | None, model: str | None) -> None:
        """Checks `operation` and `model` against the path, because matching uses the path."""
        for name, found, meant in (("operation", operation, target.name), ("model", model, target.model)):
            if found is not None and found != meant:
                fix = f"write `{name}: {meant}` or change the path" if meant else f"take `{name}` out"
                self.problem((name,), f"{meant or 'none'}, as the request's path says", _describe(found), fix)

    def request(self, value: JsonValue, operation: str | None, model: str | None) -> Request | None:
        document = self.check_mapping(("request",), value, _REQUEST)
        if document is None:
            return None
        method = self.text(("request", "method"), document.get("method"), "the HTTP method, such as POST")
        path = self.text(("request", "path"), document.get("path"), "the path as sent, such as /model/ID/converse")
        if method is not None and not is_method(method):
            self.problem(("request", "method"), "a method in capitals, such as POST", _describe(method), "write it so")
            method = None
        if path is not None and not is_path(path):
            self.problem(("request", "path"), "a percent-encoded path from /", _describe(path), "write it as sent")
            path = None
        if method is not None and path is not None:
            self.check_target(identify(method, path), operation, model)
        headers = self.headers(("request", "headers"), document.get("headers", {}))
        body = self.body(("request",), document)
        if method is None or path is None or body is None:
            return None
        return Request(method, path, headers, body)

    def response(self, value: JsonValue, *, exact: bool) -> Response | None:
        document = self.check_mapping(("response",), value, _RESPONSE)
        if document is None:
            return None
        status = self.number(("response", "status"), document.get("status"), 200, 599)
        after_ms = self.number(("response", "after_ms"), document.get("after_ms", 0), 0, LONGEST_MS)
        headers = self.headers(("response", "headers"), document.get("headers", {}))
        body = self.response_body(document, exact=exact)
        return None if body is None else Response(status, headers, body, after_ms)

    def response_body(self, document: Document, *, exact: bool) -> Body | Events | None:
        padding = self.flag(("response", "padding"), document.get("padding", True))
        if "events" not in document:
            return self.body(("response",), document)
        if others := [form for form in _BODY_FORMS if form in document]:
            self.one_of(("response",), ["events", *others])
        events = document["events"]
        if not isinstance(events, list) or not events:
            self.problem(("response", "events"), "a list of events", _describe(events), "list at least one event")
            return None
        read = [self.event(("response", "events", number), event) for number, event in enumerate(events)]
        framed = any(event is not None and event.headers for event in read)
        return Events.of([event for event in read if event is not None], padded=padding and framed and not exact)

    def event(self, path: Place, value: JsonValue) -> Event | None:
        document = self.check_mapping(path, value, _EVENT)
        if document is None:
            return None
        at_ms = self.number((*path, "at_ms"), document.get("at_ms", 0), 0, LONGEST_MS)
        headers = self.event_headers(path, document)
        forms = [form for form in _PAYLOAD_FORMS if form in document]
        if len(forms) != 1:
            self.one_of(path, forms, of=_PAYLOAD_FORMS)
            return None
        payload = self.data(path, forms[0], document[forms[0]])
        if payload is None:
            return None
        try:
            encode_strings(headers, payload)
        except FrameError as error:
            self.problem(path, "an event that fits into a frame", f"one that does not ({error})", "fix or shorten it")
        return Event(at_ms, headers, payload, forms[0])

    def event_headers(self, path: Place, document: Document) -> Headers:
        named = [key for key in ("type", "exception", "headers") if key in document]
        if len(named) > 1:
            self.one_of(path, named)
        if "headers" in document:
            return self.headers((*path, "headers"), document["headers"], framed=True)
        for key, make in (("type", event_headers), ("exception", exception_headers)):
            if key in document:
                name = self.text((*path, key), document[key], "the event's name")
                return make(name or "")
        return ()

    def body(self, path: Place, document: Document) -> Body | None:
        forms = [form for form in _BODY_FORMS if form in document]
        if not forms:
            return EMPTY
        if len(forms) > 1:
            self.one_of(path, forms)
            return None
        data = self.data(path, forms[0], document[forms[0]])
        return None if data is None else Body(forms[0], data)

    def data(self, path: Place, form: str, value: JsonValue) -> bytes | None:
        if form in bodies.WRITERS:
            return self.seal((*path, form), bodies.WRITERS[form], value)
        text = self.text((*path, form), value, "text")
        if text is None or form == "text":
            return None if text is None else text.encode()
        try:
            return b64decode(text, validate=True)
        except ValueError as error:
            self.problem((*path, form), "base64", f"text that is not ({error})", "write the bytes in base64")
            return None

    def seal(self, path: Place, seal: Callable[[JsonValue], bytes], value: JsonValue) -> bytes | None:
        if bodies.levels(value) > bodies.MAX_LEVELS:
            self.problem(path, f"JSON of at most {bodies.MAX_LEVELS} levels", "a deeper one", "keep it as `text`")
            return None
        try:
            return seal(value)
        except ValueError as error:
            self.problem(path, "a value that JSON can hold", f"one it cannot ({error})", "fix the value")
            return None

    def headers(self, path: Place, value: JsonValue, *, framed: bool = False) -> Headers:
        if isinstance(value, dict):
            pairs: Iterable[tuple[Place, JsonValue]] = (((*path, name), [name, v]) for name, v in value.items())
        elif isinstance(value, list):
            pairs = (((*path, number), pair) for number, pair in enumerate(value))
        else:
            self.problem(
                path, "headers: a mapping, or a list of [name, value]", _describe(value), "write {name: value}"
            )
            return ()
        read = [self.header(where, pair, framed=framed) for where, pair in pairs]
        return tuple(pair for pair in read if pair is not None)

    def header(self, path: Place, pair: JsonValue, *, framed: bool) -> tuple[str, str] | None:
        match pair:
            case [str() as name, str() as value] if framed or is_header(name, value):
                return name, value
            case [str() as name, str() as value]:
                found = f"{_describe(name)}: {_describe(value)}"
                self.problem(path, "a header that HTTP can carry, on one line", found, "write it as sent")
            case [str() as name, None | bool() | int() | float() as value]:
                fix = f"write it in quotes: '{_describe(value)}'"
                self.problem(path, f"text for header {_shorten(name)}", _describe(value), fix)
            case [str() as name, value]:
                self.problem(path, f"text for header {_shorten(name)}", _describe(value), "write name: value")
            case _:
                self.problem(path, "a pair, [name, value]", _describe(pair), "write both in brackets")
        return None

    def check_mapping(self, path: Place, value: JsonValue, keys: tuple[str, ...]) -> Document | None:
        what = ".".join(map(str, path)) or "the file"
        if not isinstance(value, dict):
            fix = f"write {keys[0]}: … below it" if path else "is this a cassette? move it out of the folder if not"
            self.problem(path, f"{what} to be a mapping", "nothing" if value is None else _describe(value), fix)
            return None
        for key in value:
            if key not in keys:
                near = get_close_matches(key, keys, n=1)
                fix = f"did you mean `{near[0]}`?" if near else "take it out"
                self.problem((*path, key), f"one of {', '.join(keys)}", f"the key `{_shorten(key)}`", fix)
        return value

    def one_of(self, path: Place, found: Sequence[str], of: Sequence[str] = ()) -> None:
        expected = f"exactly one of {', '.join(of or found)}"
        self.problem((*path, *found[-1:]), expected, " and ".join(found) or "none", "keep one")

    def text(self, path: Place, value: JsonValue, required: str | None) -> str | None:
        if isinstance(value, str) and (value or path[-1] in ("text", "base64")):
            return value
        if value is None and required is None:
            return None
        found = "nothing" if value is None else _describe(value)
        fix = f"write it in quotes: '{found}'" if isinstance(value, bool | int | float) else "write it"
        self.problem(path, required or "text", found, fix)
        return None

    def number(self, path: Place, value: JsonValue, least: int, most: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        found = "nothing" if value is None else _describe(value)
        self.problem(path, f"a whole number from {least} to {most}", found, "write such a number")
        return least

    def flag(self, path: Place, value: JsonValue) -> bool:
        if isinstance(value, bool):
            return value
        self.problem(path, "true or false", _describe(value), "write true or false")
        return False
