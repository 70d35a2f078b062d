"""Converts an interaction to the YAML document of its file, and back.

Reading checks the whole document and reports every problem of a file at once. `yamlio` implements
the YAML dialect; this module implements the keys of a cassette file.
"""

from __future__ import annotations

from base64 import b64encode

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format import bodies, yamlio
from bedtape_cassettes.format.binary_files import LARGE, Load, take_out
from bedtape_cassettes.format.document_reader import DUPLEX_VERSION, VERSION, DocumentReader
from bedtape_cassettes.format.value_reader import Document
from bedtape_cassettes.model import (
    EMPTY,
    Body,
    Event,
    Events,
    Headers,
    Interaction,
    JsonValue,
    Place,
    Request,
    Response,
    event_headers,
    exception_headers,
)
from bedtape_cassettes.operations import identify

MAX_PROBLEMS = 100  # more than anybody fixes in one sitting


# -- writing ---------------------------------------------------------------------------------------


def write(interaction: Interaction) -> bytes:
    """Returns the bytes of the file.

    Raises ValueError if YAML cannot hold a value, such as half of a surrogate pair.
    """
    return yamlio.dump(build_document(interaction))


def write_with_files(interaction: Interaction) -> tuple[bytes, dict[str, bytes]]:
    """Returns the bytes of the file, and the contents of the files that it names.

    Raises ValueError as `write` does.
    """
    document, files = _split_document(interaction)
    return yamlio.dump(document), files


def collect_files(interaction: Interaction) -> dict[str, bytes]:
    """Returns the contents of the files that `write_with_files` names."""
    return _split_document(interaction)[1] if _is_large(interaction) else {}


def _split_document(interaction: Interaction) -> tuple[Document, dict[str, bytes]]:
    document = build_document(interaction)
    files: dict[str, bytes] = {}
    if _is_large(interaction):
        for part in ("request", "response"):
            document[part] = _take_out(document[part], files)
    return document, files


def _is_large(interaction: Interaction) -> bool:
    request = interaction.request
    bodies_of_both = (request.body, request.events or request.body, interaction.response.body)
    return max(map(_measure, bodies_of_both)) >= LARGE


def _measure(body: Body | Events) -> int:
    return len(body.data if isinstance(body, Body) else body.packed)


def _take_out(part: JsonValue, files: dict[str, bytes]) -> JsonValue:
    own: dict[str, bytes] = {}
    if not isinstance(part, dict):
        return part
    # Text may be JSON in a spelling of its own, and must stay as it is.
    bodies_out: Document = {
        key: take_out(part[key], own) for key in ("json", "events") if key in part
    }
    files |= own
    names: Document = {"files": [*own]} if own else {}
    return {key: value for key, value in part.items() if key not in bodies_out} | names | bodies_out


def build_document(interaction: Interaction) -> Document:
    """Returns the document of an interaction: its keys in the order of the file."""
    document: Document = {"bedtape": DUPLEX_VERSION if interaction.request.events else VERSION}
    if interaction.operation:
        document["operation"] = interaction.operation
    # The model of OpenAI's and Anthropic's APIs is in the body.
    if interaction.model and identify(interaction.request.method, interaction.request.path).model:
        document["model"] = interaction.model
    if interaction.region:
        document["region"] = interaction.region
    if interaction.service:
        document["service"] = interaction.service
    if interaction.exact:
        document["exact"] = True
    if interaction.partial:
        document["partial"] = True
    document["request"] = _request_document(interaction.request, exact=interaction.exact)
    document["response"] = _response_document(interaction.response, exact=interaction.exact)
    return document


def _request_document(request: Request, *, exact: bool) -> Document:
    document: Document = {"method": request.method, "path": request.path}
    document |= _headers_document(request.headers, as_list=exact)
    if request.events is not None:
        return document | {"events": [_event_document(event) for event in request.events.events]}
    return document | _body_document(request.body)


def _response_document(response: Response, *, exact: bool) -> Document:
    document: Document = {"status": response.status}
    if response.after_ms:
        document["after_ms"] = response.after_ms
    if response.ends:
        document["ends"] = response.ends
    document |= _headers_document(response.headers, as_list=exact)
    if isinstance(response.body, Body):
        return document | _body_document(response.body)
    if (
        not response.body.padded
        and not exact
        and any(event.headers for event in response.body.events)
    ):
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
    if event.bare:
        document["padding"] = False
    document[event.form] = _render_payload(event.form, event.payload)
    return document


# -- reading ---------------------------------------------------------------------------------------


def _load_nothing(name: str) -> bytes:
    raise KeyError(name)


def read(data: bytes, file: str, load: Load = _load_nothing) -> Interaction:
    """Returns the interaction in a file's bytes.

    Raises CassetteInvalid with every problem and its line.

    load: returns the content of a file that the interaction names, or raises KeyError.
    """
    return _read_value(yamlio.load(data, file), file, load, data)


def read_document(value: JsonValue, file: str) -> Interaction:
    """Returns the interaction of a document. Raises CassetteInvalid with every problem."""
    return _read_value(value, file, _load_nothing)


def _read_value(value: JsonValue, file: str, load: Load, data: bytes | None = None) -> Interaction:
    reader = DocumentReader(load)
    interaction = reader.interaction(value, file)
    if interaction is None or reader.problems:
        lines = {} if data is None else yamlio.locate(data)
        problems = [
            Problem(file, _find_line(lines, path), expected, actual, fix)
            for path, expected, actual, fix in reader.problems
        ]
        raise CassetteInvalid(sorted(problems, key=lambda problem: problem.line)[:MAX_PROBLEMS])
    return interaction


def _find_line(lines: dict[Place, int], path: Place) -> int:
    """Returns the line of a path, or of the nearest path above it that is in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
