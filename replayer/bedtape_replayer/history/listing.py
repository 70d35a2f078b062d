"""Describes calls in one line each, for a person who reads why a test failed. Pure.

A line contains the number of the call, the operation and the model, the status, what answered, the
first words of the prompt or of the results of tools, the first words and the tool calls of the
answer, and what simulated features of the service did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.families.content import Message, ToolUse
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.answer import PROBLEMS
from bedtape_replayer.history.record import Record

_LISTED = 20
_WORDS = 40
_NOTE = 80
_MODEL = 44


def find_problem(record: Record) -> str | None:
    """Return why a call makes a test fail: the report of a miss, or what was wrong with the rule
    that could not answer. `None` if the call was answered.
    """
    return str(record.miss or record.by) if record.source in PROBLEMS else None


def describe_call(record: Record) -> tuple[str, str, str, str]:
    """Return the columns after the number: request, status, source, and the words of both sides."""
    return (
        _describe_request(record),
        _describe_status(record),
        _describe_source(record),
        _describe_words(record),
    )


def list_calls(records: Sequence[Record]) -> Iterator[str]:
    """Return one line per call in aligned columns: of many calls, the first and the last."""
    left_out = max(0, len(records) - _LISTED)
    first = records[: _LISTED // 2] if left_out else records
    last = records[len(records) - _LISTED // 2 :] if left_out else ()
    rows = [(str(record.number), *describe_call(record)) for record in (*first, *last)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        if left_out and number == len(first):
            yield f"  … {left_out} more calls"
        padded = (
            cell.rjust(width) if at == 0 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f"  {'  '.join(padded)}".rstrip()


def _describe_request(record: Record) -> str:
    name = record.operation or f"{record.method} {record.path}"
    retried = f", attempt {record.attempt}" if record.attempt > 1 else ""
    model = record.model.rpartition("/")[2] if record.model else ""  # of an ARN, the model's own id
    return f"{name} {_shorten(model, _MODEL)}{retried}" if model else f"{name}{retried}"


def _describe_status(record: Record) -> str:
    if record.status is None:
        status = "no answer"
    else:
        status = f"{record.status} {record.error}" if record.error else str(record.status)
    failed = record.status == 200 and record.error is not None
    # The error of a stream is its last event.
    after = f" after {format_count(record.events - failed, 'event')}" if record.sent_text else ""
    if record.hung_up:
        return f"{status}, client hung up{after}"
    if failed:
        return f"200, {record.error}{after}"
    return f"{status}, cut{after}" if record.cut else status


def _describe_source(record: Record) -> str:
    """Return what answered: the file of a recording, or the id of a rule or fault."""
    match record.source:
        case "cassette":
            source = str(record.by).rpartition("/")[2]  # the folder has the name of the test
        case "miss":
            source = "no answer found"
        case "overlay":
            source = "a rule that failed"
        case _:
            source = record.by or record.source
    return " + ".join((source, *record.faults))


def _describe_words(record: Record) -> str:
    sent = _describe_sent(record)
    # the report of the miss is longer, and is printed by itself
    reported = record.source in PROBLEMS
    words = sent if reported else " → ".join(filter(None, (sent, _describe_answer(record))))
    return "  ".join(filter(None, (words, _describe_simulated(record))))


def _describe_simulated(record: Record) -> str:
    notes = "; ".join(_shorten(note, _NOTE) for note in record.simulated)
    return f"(simulated {notes})" if notes else ""


def _describe_sent(record: Record) -> str:
    """Return the last text of the user, or the tool results that the last message contains."""
    if record.last_prompt:
        return _quote(record.last_prompt)
    # also where the result contains no name
    names = {result.id: result.name for result in record.tool_results}
    results = (result for turn in record.messages[-1:] for result in turn.results)
    return ", ".join(
        f"result of {names.get(result.id) or result.id} {_quote(result.text)}" for result in results
    )


def _describe_answer(record: Record) -> str:
    """Return the text, or the message of the error, and the tools that the model calls."""
    text = record.text or record.message
    blocks = record.content.blocks if isinstance(record.content, Message) else ()
    names = ", ".join(block.name for block in blocks if isinstance(block, ToolUse))
    return " + ".join(
        filter(None, (_quote(text) if text else "", f"calls {names}" if names else ""))
    )


def _quote(text: str) -> str:
    return f'"{_shorten(text, _WORDS)}"'


def _shorten(text: str, width: int) -> str:
    # first, because a part of a secret would not be recognised
    line = " ".join(scrub_text(text).split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
