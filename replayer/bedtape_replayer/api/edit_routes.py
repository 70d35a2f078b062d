"""The control routes that change cassettes where the server may write: texts and new recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from bedtape_cassettes.errors import CassetteError, Invalid
from bedtape_cassettes.matching.normalise import build_interaction
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.api.route import ApiRequest, DelayedResult, NoSuch, RouteError, invalid
from bedtape_replayer.api.schemas import EDIT, KEEP
from bedtape_replayer.engine.editor import EditableText, EditConflict, Editor


def read_text(request: ApiRequest) -> DelayedResult:
    editor, file = _editor_of(request), request.parts["file"]

    def read() -> JsonValue:
        text = editor.read(file)
        if text is None:
            raise NoSuch(f"the folder of cassettes has no recording {file!r}")
        return asdict(text)

    return _delay(read)


def write_text(request: ApiRequest) -> DelayedResult:
    editor, edit = _editor_of(request), request.read_json_as(EDIT)
    edited = EditableText(request.parts["file"], edit["text"], edit["version"])
    return _delay(lambda: asdict(editor.write(edited)))


def keep_call(request: ApiRequest) -> DelayedResult:
    """Write the call as a recording, with the answer before faults changed its bytes."""
    editor, cassette = _editor_of(request), request.read_json_as(KEEP)["cassette"]
    record = request.find_call()
    response = record.outcome.answer.response
    if response is None:
        raise RouteError(400, {"error": f"expected a call with an answer to keep, found {record}"})
    call = record.call
    built = build_interaction(
        method=call.method,
        path=call.path,
        request_headers=call.head.pairs(),
        request_body=call.body,
        status=response.status,
        response_headers=(),
        response_body=b"",
    )
    return _delay(lambda: {"file": editor.keep(cassette, replace(built, response=response))})


def _delay(work: Callable[[], JsonValue]) -> DelayedResult:
    """Return the answer that reads or writes the disk."""

    def run() -> JsonValue:
        try:
            return work()
        except CassetteError as error:
            raise _fail(error) from None

    return DelayedResult(run)


def _editor_of(request: ApiRequest) -> Editor:
    editor = request.engine.editor
    if editor is None:
        fix = "start it with `bedtape replay FOLDER --edit`"
        raise RouteError(
            403,
            {
                "error": (
                    f"expected a server that may change cassettes, found one that only reads; {fix}"
                )
            },
        )
    return editor


def _fail(error: CassetteError) -> RouteError:
    match error:
        case EditConflict():
            return RouteError(409, {"error": str(error)})
        case Invalid():
            return invalid(error.problems)
    return RouteError(400, {"error": str(error)})
