"""Reads the document of an interaction, and collects every problem with its place."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from bedtape_cassettes.addresses import MANTLE, RUNTIME, is_region
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.binary_files import Load, has_content, is_binary_name, put_back
from bedtape_cassettes.format.eventstream import FrameError, check_strings
from bedtape_cassettes.format.value_reader import Document, ValueReader, describe
from bedtape_cassettes.model import (
    EMPTY,
    ENDINGS,
    LONGEST_MS,
    Body,
    BodyForm,
    Ending,
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
    is_method,
    is_path,
)
from bedtape_cassettes.operations import Target, find_body_model, identify

VERSION = 1
# Of a file whose request has events, which version 1 cannot read.
DUPLEX_VERSION = 2

TOP_KEYS = (
    "bedtape",
    "operation",
    "model",
    "region",
    "service",
    "exact",
    "partial",
    "request",
    "response",
)
REQUEST_KEYS = ("method", "path", "headers", "files", "json", "text", "base64", "events")
RESPONSE_KEYS = (
    "status",
    "after_ms",
    "ends",
    "headers",
    "files",
    "padding",
    "json",
    "text",
    "base64",
    "events",
)
EVENT_KEYS = (
    "at_ms",
    "type",
    "exception",
    "headers",
    "padding",
    "json",
    "bytes",
    "data",
    "text",
    "base64",
)
BODY_FORMS: tuple[BodyForm, ...] = ("json", "text", "base64")
PAYLOAD_FORMS: tuple[PayloadForm, ...] = ("json", "bytes", "data", "text", "base64")
_NAMING_KEYS = ("type", "exception", "headers")


class DocumentReader(ValueReader):
    """Reads the documents of interactions. load: returns the bytes of a binary file."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self.load = load

    def interaction(self, value: JsonValue, file: str) -> Interaction | None:
        if isinstance(value, dict) and self.is_newer(value.get("bedtape")):
            return None  # this version cannot check the keys of a newer version
        document = self.check_mapping((), value, TOP_KEYS)
        if document is None:
            return None
        sent = document.get("request")
        self.version(
            document.get("bedtape"),
            DUPLEX_VERSION if isinstance(sent, dict) and "events" in sent else VERSION,
        )
        operation = self.text(("operation",), document.get("operation"), None)
        model = self.text(("model",), document.get("model"), None)
        region = self.region(document.get("region"))
        service = self.service(document.get("service"))
        exact = self.flag(("exact",), document.get("exact", False))
        partial = self.flag(("partial",), document.get("partial", False))
        request = self.request(document.get("request"), operation, model)
        response = self.response(document.get("response"), exact=exact)
        if request is None or response is None:
            return None
        if model is None:
            model = find_body_model(identify(request.method, request.path), request.body.data)
        return Interaction(
            operation, model, request, response, exact, partial, file, region, service
        )

    def region(self, value: JsonValue) -> str | None:
        region = self.text(("region",), value, None)
        if region is not None and not is_region(region):
            self.problem(
                ("region",),
                "an AWS region, such as us-east-1",
                describe(region),
                "correct or remove it",
            )
            return None
        return region

    def service(self, value: JsonValue) -> str | None:
        service = self.text(("service",), value, None)
        if service not in (None, RUNTIME, MANTLE):
            self.problem(
                ("service",), f"{RUNTIME} or {MANTLE}", describe(service), "correct or remove it"
            )
            return None
        return service

    def is_newer(self, version: JsonValue) -> bool:
        if type(version) is not int or version <= DUPLEX_VERSION:
            return False
        fix = "a newer bedtape wrote this file: upgrade bedtape"
        expected = f"`bedtape: {VERSION}` or {DUPLEX_VERSION}, the format's versions"
        self.problem(("bedtape",), expected, f"version {version}", fix)
        return True

    def version(self, version: JsonValue, wanted: int) -> None:
        if type(version) is not int or version != wanted:
            actual = "nothing" if version is None else describe(version)
            self.problem(
                ("bedtape",),
                f"`bedtape: {wanted}`, the format's version",
                actual,
                f"write `bedtape: {wanted}`",
            )

    def check_target(self, target: Target, operation: str | None, model: str | None) -> None:
        """Checks `operation` and `model` against the path, because matching uses the path."""
        for name, value, meant in (
            ("operation", operation, target.name),
            ("model", model, target.model),
        ):
            if value is not None and value != meant:
                fix = (
                    f"write `{name}: {meant}` or change the path" if meant else f"take `{name}` out"
                )
                self.problem(
                    (name,), f"{meant or 'none'}, as the request's path says", describe(value), fix
                )

    def request(self, value: JsonValue, operation: str | None, model: str | None) -> Request | None:
        document = self.put_back(
            ("request",), self.check_mapping(("request",), value, REQUEST_KEYS)
        )
        if document is None:
            return None
        method = self.text(
            ("request", "method"), document.get("method"), "the HTTP method, such as POST"
        )
        path = self.text(
            ("request", "path"),
            document.get("path"),
            "the path as sent, such as /model/ID/converse",
        )
        if method is not None and not is_method(method):
            self.problem(
                ("request", "method"),
                "a method in capitals, such as POST",
                describe(method),
                "write it so",
            )
            method = None
        if path is not None and not is_path(path):
            self.problem(
                ("request", "path"),
                "a percent-encoded path from /",
                describe(path),
                "write it as sent",
            )
            path = None
        if method is not None and path is not None:
            self.check_target(identify(method, path), operation, model)
        headers = self.headers(("request", "headers"), document.get("headers", {}))
        body = self.body(("request",), document)
        events = None
        if "events" in document:
            read = self.events(("request",), document)
            events = Events.of(read or [], padded=False)
        if method is None or path is None or body is None:
            return None
        return Request(method, path, headers, body, events)

    def response(self, value: JsonValue, *, exact: bool) -> Response | None:
        document = self.put_back(
            ("response",), self.check_mapping(("response",), value, RESPONSE_KEYS)
        )
        if document is None:
            return None
        status = self.number(("response", "status"), document.get("status"), 200, 599)
        after_ms = self.number(("response", "after_ms"), document.get("after_ms", 0), 0, LONGEST_MS)
        headers = self.headers(("response", "headers"), document.get("headers", {}))
        body = self.response_body(document, exact=exact)
        ends = self.ending(document.get("ends"))
        return None if body is None else Response(status, headers, body, after_ms, ends)

    def ending(self, value: JsonValue) -> Ending | None:
        known = next((ending for ending in ENDINGS if ending == value), None)
        if value is not None and known is None:
            expected = f"one of {', '.join(ENDINGS)}"
            self.problem(
                ("response", "ends"),
                expected,
                describe(value),
                "remove it if the answer is complete",
            )
        return known

    def put_back(self, path: Place, document: Document | None) -> Document | None:
        """Returns the part of the interaction with the contents of its files."""
        if document is None or "files" not in document:
            return document
        names = document["files"]
        valid = isinstance(names, list) and all(
            isinstance(name, str) and is_binary_name(name) for name in names
        )
        if not valid:
            fix = "write the names of files beside this one, as bedtape wrote them"
            self.problem(
                (*path, "files"), "a list of names such as DIGEST.pdf", describe(names), fix
            )
            return document
        contents = {str(name): self.content((*path, "files"), str(name)) for name in names}  # type: ignore[union-attr]
        known = {name: content for name, content in contents.items() if content is not None}
        bodies_in = {
            key: put_back(document[key], [*known], known.__getitem__)
            for key in ("json", "events")
            if key in document
        }
        return document | bodies_in

    def content(self, path: Place, name: str) -> bytes | None:
        try:
            content = self.load(name)
        except KeyError:
            self.problem(
                path,
                f"the file {name} beside this one",
                "none",
                "restore it, or record the interaction again",
            )
            return None
        if not has_content(name, content):
            fix = "restore it (git lfs pull, if it is a pointer), or record the interaction again"
            self.problem(
                path, f"the content that the name {name} is a digest of", "another content", fix
            )
            return None
        return content

    def response_body(self, document: Document, *, exact: bool) -> Body | Events | None:
        padding = self.flag(("response", "padding"), document.get("padding", True))
        if "events" not in document:
            return self.body(("response",), document)
        events = self.events(("response",), document)
        if events is None:
            return None
        framed = any(event.headers for event in events)
        return Events.of(events, padded=padding and framed and not exact)

    def events(self, path: Place, document: Document) -> list[Event] | None:
        if others := [form for form in BODY_FORMS if form in document]:
            self.one_of(path, ["events", *others])
        events = document["events"]
        if not isinstance(events, list) or not events:
            self.problem(
                (*path, "events"), "a list of events", describe(events), "list at least one event"
            )
            return None
        read = [self.event((*path, "events", number), event) for number, event in enumerate(events)]
        return [event for event in read if event is not None]

    def event(self, path: Place, value: JsonValue) -> Event | None:
        document = self.check_mapping(path, value, EVENT_KEYS)
        if document is None:
            return None
        at_ms = self.number((*path, "at_ms"), document.get("at_ms", 0), 0, LONGEST_MS)
        headers = self.event_headers(path, document)
        forms = [form for form in PAYLOAD_FORMS if form in document]
        if len(forms) != 1:
            self.one_of(path, forms, of=PAYLOAD_FORMS)
            return None
        payload = self.data(path, forms[0], document[forms[0]])
        if payload is None:
            return None
        try:
            check_strings(headers, payload)
        except FrameError as error:
            self.problem(
                path,
                "an event that fits into a frame",
                f"one that does not ({error})",
                "fix or shorten it",
            )
        bare = not self.flag((*path, "padding"), document.get("padding", True))
        return Event(at_ms, headers, payload, forms[0], bare)

    def event_headers(self, path: Place, document: Document) -> Headers:
        named = [key for key in _NAMING_KEYS if key in document]
        if len(named) > 1:
            self.one_of(path, named)
        if "headers" in document:
            return self.headers((*path, "headers"), document["headers"], framed=True)
        if not named:
            return ()
        name = self.text((*path, named[0]), document[named[0]], "the event's name") or ""
        return event_headers(name) if named[0] == "type" else exception_headers(name)

    def body(self, path: Place, document: Document) -> Body | None:
        forms = [form for form in BODY_FORMS if form in document]
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
            self.problem(
                (*path, form), "base64", f"text that is not ({error})", "write the bytes in base64"
            )
            return None

    def seal(
        self, path: Place, seal: Callable[[JsonValue], bytes], value: JsonValue
    ) -> bytes | None:
        try:
            data = seal(value)
        except RecursionError:
            data = None
        except ValueError as error:
            self.problem(
                path, "a value that JSON can hold", f"one it cannot ({error})", "fix the value"
            )
            return None
        # base64 has no brackets to count
        if data is None or (
            (seal is bodies.seal_chunk or not bodies.is_shallow(data))
            and bodies.levels(value) > bodies.MAX_LEVELS
        ):
            self.problem(
                path,
                f"JSON of at most {bodies.MAX_LEVELS} levels",
                "a deeper one",
                "keep it as `text`",
            )
            return None
        return data
