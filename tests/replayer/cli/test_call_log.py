"""The log as JSON: one object in each line, whatever clients send."""

import asyncio
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.call_log import CallLog, LogFormat, LogLevel
from bedtape_replayer.engine.engine import Engine
from support import WAIT, folders
from support.client import Http1
from support.recordings import MODEL, converse, path, prompt
from support.running import Running

KEY = "AKIA" + "Q3EXZJ5TWN4RUVKP"


def log_lines(
    *outcomes: Outcome, form: LogFormat = LogFormat.json, level: LogLevel = LogLevel.info
) -> list[str]:
    """What the log writes, in lines as any program reads them."""
    stream, before = io.StringIO(), sys.stderr

    async def log() -> None:
        calls = CallLog(level, form)
        for each in outcomes:
            calls.add(each)
        calls.report("a\nproblem")
        calls.inform("done")

    sys.stderr = stream
    try:
        asyncio.run(log())
    finally:
        sys.stderr = before
    return stream.getvalue().splitlines()


def answer(
    url: str = "", body: bytes = b"{}", *, session: bytes = b"", by: str | None = None
) -> Outcome:
    engine = Engine(Library([Cassette("made", (converse("Hi", "Hello"),))]))
    head = Head.of(((b"x-bedtape-session", session),) if session else ())
    made = engine.answer("POST", url or path(), head, body)
    if by is not None:
        made.by = by
    return Outcome(made, 1_795_000_000.25, 0.0012345, True, 1)


def test_a_call_has_the_facts_of_the_line_for_people() -> None:
    line, *rest = map(json.loads, log_lines(answer(body=prompt("Hi"), session=b"team")))
    assert line == {
        "time": "2026-11-18T11:06:40.251Z",
        "level": "info",
        "session": "team",
        "call": 1,
        "operation": "Converse",
        "model": MODEL,
        "status": 200,
        "seconds": 0.001234,
        "source": "cassette",
        "by": line["by"],
        "faults": [],
        "complete": True,
    }
    assert [(each["level"], each["message"]) for each in rest] == [
        ("warning", "a\nproblem"),
        ("info", "done"),
    ]


def test_a_miss_is_a_warning_with_its_report() -> None:
    line, *_ = map(json.loads, log_lines(answer(body=prompt("Ho"))))
    assert (line["level"], line["status"], line["source"]) == ("warning", 400, "miss")
    assert line["miss"].startswith("No recording answers Converse")


def test_no_line_contains_a_secret() -> None:
    outcomes = (
        answer(path(model=KEY)),
        answer(f"/unknown/{KEY}"),
        answer("/openai/v1/chat/completions", json.dumps({"model": KEY}).encode()),
        answer(session=KEY.encode()),
    )
    for form in LogFormat:
        assert KEY not in "\n".join(log_lines(*outcomes, form=form))


@given(
    st.text(max_size=30),
    st.binary(max_size=30),
    st.text(max_size=30),
    st.one_of(
        st.binary(max_size=60), st.text().map(lambda text: json.dumps({"model": text}).encode())
    ),
)
def test_every_line_is_one_object(name: str, session: bytes, by: str, body: bytes) -> None:
    quoted = name.encode(errors="surrogatepass").hex("%")
    urls = (
        path(model=f"%{quoted}" if quoted else "m"),
        "/openai/v1/chat/completions",
        f"/%{quoted}",
    )
    session = session.replace(b"\r", b"").replace(b"\n", b"")
    lines = log_lines(*(answer(url, body, session=session, by=by) for url in urls))
    values = [json.loads(line) for line in lines]
    assert len(values) == len(urls) + 2
    assert all(line.isascii() and line.isprintable() for line in lines)
    for value in values:
        json.dumps(value, ensure_ascii=False).encode()  # no half of a surrogate pair


def test_all_lines_of_a_server_are_objects(tmp_path: Path, start: Callable[..., Running]) -> None:
    folders.write(tmp_path / "tapes", Cassette("suite", (converse("a", "one"),)))
    running = start(str(tmp_path / "tapes"), "--log-format", "json")
    with Http1(running.url) as client:
        assert client.request("POST", path(), (), prompt("a")).status == 200
        assert client.request("POST", path(), (), prompt("b")).status == 400
        client.host = "evil.example"
        assert client.request("POST", path(), (), prompt("a")).status == 403
    assert running.stop() == 0
    lines = [json.loads(line) for line in running.errors()]
    assert lines[0]["message"] == f"1 interaction in 1 cassette from {tmp_path / 'tapes'}"
    assert sorted(each["status"] for each in lines if "call" in each) == [200, 400]
    assert any("was refused" in each.get("message", "") for each in lines)


@pytest.mark.parametrize("form", LogFormat)
def test_a_line_names_the_namespace(form: LogFormat) -> None:
    outcome = answer(body=prompt("Hi"))
    outcome.answer.call.namespace = "search"
    line, *_ = log_lines(outcome, form=form)
    if form is LogFormat.json:
        assert json.loads(line)["namespace"] == "search"
    else:
        assert line.endswith("  namespace search")


@pytest.mark.parametrize("form", LogFormat)
def test_no_line_is_lost_when_a_thread_reports(
    form: LogFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, outcome = CallLog(LogLevel.info, form), answer(body=prompt("Hi"))
    adding = Thread(target=calls.add, args=(outcome,), daemon=True)

    class Stream(io.StringIO):
        """While a line is written, another thread adds a line, or waits for the lock."""

        def flush(self) -> None:
            if adding.ident is None:
                adding.start()
                if not calls._lock.locked():
                    adding.join(WAIT)

    async def log() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
        calls.add(outcome)
        calls.report("problem")
        adding.join()
        calls.flush()

    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    asyncio.run(log())
    kinds = ["problem" if "problem" in line else "call" for line in stream.getvalue().splitlines()]
    assert kinds == ["call", "problem", "call"]


@pytest.mark.parametrize("form", LogFormat)
def test_a_level_leaves_out_calls_that_are_right(form: LogFormat) -> None:
    outcomes = (answer(body=prompt("Hi")), answer(body=prompt("Ho")))
    lines = log_lines(*outcomes, form=form, level=LogLevel.warning)
    assert not [line for line in lines if "200" in line or "done" in line]
    assert [line for line in lines if "No recording answers" in line]
    assert [line for line in lines if "problem" in line]
