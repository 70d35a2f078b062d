"""SDKs have a conversation over a bidirectional stream: in JavaScript over HTTP/2 and HTTP/1.1, in
Java with both HTTP clients, in Rust and Python over TLS.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bedtape_cassettes.format.bodies import read_chunk
from bedtape_cassettes.model import Events
from bedtape_cassettes.storage import store
from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session
from support.duplex import MODEL, OPERATION, SETUP, audio_content, chunk, text_content, tool_result
from support.javascript import run_script
from support.toolchains import UNDER_RUN, compiles, run_offline

HERE = Path(__file__).parent
both_handlers = pytest.mark.parametrize("handler", ["default", "http1"])
START = {"event": {"sessionStart": {"inferenceConfiguration": {"maxTokens": 1024}}}}


def converse(bedrock: Session, handler: str, *steps: dict[str, Any]) -> list[Any]:
    """The events and the error that the SDK returns. The input stays open unless a step ends it."""
    job = {"endpoint": bedrock.url, "handler": handler, "model": MODEL, "steps": steps}
    return [json.loads(line) for line in run_script("conversation.mjs", job).splitlines()]


@both_handlers
def test_a_miss_arrives_at_the_head(bedrock: Session, handler: str) -> None:
    (error,) = converse(bedrock, handler, {"send": START})
    assert (error["error"], error["status"]) == ("CassetteMissException", 400)
    assert "No recording answers InvokeModelWithBidirectionalStream" in error["message"]


@both_handlers
def test_an_error_arrives_at_the_head_and_is_sent_once(bedrock: Session, handler: str) -> None:
    bedrock.fault(error="ThrottlingException")
    (error,) = converse(bedrock, handler, {"send": START})
    assert (error["error"], error["status"]) == ("ThrottlingException", 429)
    assert len(bedrock.calls) == 1


@both_handlers
def test_a_fault_ends_the_stream_of_a_rule_whose_input_is_open(
    bedrock: Session, handler: str
) -> None:
    event = {"completionStart": {}}
    bedrock.fail("ModelStreamErrorException", after_events=1)
    bedrock.respond(operation=OPERATION, events=[chunk(event)])
    first, error = converse(bedrock, handler, {"send": START})
    assert first == {"event": event}
    assert error["error"] == "ModelStreamErrorException"


@both_handlers
def test_the_sdk_has_a_conversation_with_a_rule(bedrock: Session, handler: str) -> None:
    weather = {"name": "weather", "input": {"city": "Oslo"}, "id": "t1"}
    bedrock.respond(
        operation=OPERATION,
        conversation=[
            {"hears": "Hello?", "text": "Hi!", "silence_ms": 100},
            {"tool": weather},
            {"pieces": ["It rains. ", "Take an umbrella."]},
        ],
    )
    said = [
        START,
        *({"event": each} for each in (*text_content("SYSTEM", "Be kind."), *audio_content(3))),
    ]
    events = converse(
        bedrock,
        handler,
        *[{"send": each} for each in said],
        {"await": "audioOutput"},
        *[{"send": {"event": each}} for each in audio_content(2, "b")],
        {"await": "toolUse"},
        *[{"send": {"event": each}} for each in tool_result("t1", {"weather": "rain"})],
        {"await": "completionStart"},
        {"end": True},
    )
    texts = [
        each["event"]["textOutput"]["content"] for each in events if "textOutput" in each["event"]
    ]
    assert texts == ["Hello?", "Hi!", "Hi!", *["It rains. ", "Take an umbrella."] * 2]
    assert "completionEnd" in events[-1]["event"]
    (call,) = bedrock.calls
    assert (call.operation, call.hung_up, len(call.json["events"])) == (OPERATION, False, 13)


@both_handlers
def test_the_sdk_plays_the_sample(handler: str) -> None:
    cassettes = {cassette.name: cassette.interactions for cassette in store.read([store.samples()])}
    (sample,) = cassettes["sonic"]
    assert sample.request.events is not None
    assert isinstance(sample.response.body, Events)
    timeline = [(event.at_ms, 0, event) for event in sample.request.events.events]
    timeline += [(event.at_ms, 1, event) for event in sample.response.body.events]
    values: list[tuple[int, Any]] = [
        (side, read_chunk(event.payload))
        for _, side, event in sorted(timeline, key=lambda each: each[:2])
    ]
    steps = [
        {"await": next(iter(value["event"]))} if side else {"send": value} for side, value in values
    ]
    with Replayer(store.samples()) as bedrock:
        # the last event of the model follows the end of the input
        events = converse(bedrock, handler, *steps[:-1], {"end": True})
        (call,) = bedrock.calls
        assert (call.source, call.by, call.hung_up) == ("cassette", sample.file, False)
    assert events == [value for side, value in values if side]


# -- every SDK, as `bedtape run` starts it, with a user who interrupts -----------------------------


@dataclass(frozen=True)
class Program:
    """A program that has the conversation of its standard input. tls: whether it uses TLS. job:
    more members of its input. lacks: a file of its packages, and what installs it.
    """

    command: tuple[str, ...]
    tls: bool = False
    job: tuple[tuple[str, str], ...] = ()
    lacks: tuple[str, str] = ("", "")


_NODE = ("javascript/node_modules", "make examples")
_JAVA = ("java", "@java/target/classpath.txt", "java/Talk.java")
_JAVA_LACKS = ("java/target/classpath.txt", "make examples")
_SMITHY = str(HERE.parents[1] / ".venv-smithy/bin/python")
_SMITHY_LACKS = ("../../.venv-smithy/.installed", "make examples, with Python 3.12 or later")
_PROGRAMS = {
    "javascript": Program(("node", "javascript/conversation.mjs"), lacks=_NODE),
    "javascript with TLS": Program(("node", "javascript/conversation.mjs"), tls=True, lacks=_NODE),
    "javascript with HTTP/1.1": Program(
        ("node", "javascript/conversation.mjs"), job=(("handler", "http1"),), lacks=_NODE
    ),
    **{
        f"java with {name}": Program((*_JAVA, *arguments), tls=tls, lacks=_JAVA_LACKS)
        for name, arguments, tls in (
            ("Netty", ("netty", "HTTP2"), False),
            ("Netty and TLS", ("netty", "HTTP2"), True),
            ("CRT", ("crt", "HTTP2"), False),
            ("CRT and TLS", ("crt", "HTTP2", "localhost"), True),
            # CRT's own choice
            ("CRT and HTTP/1.1", ("crt", "HTTP1_1"), False),
        )
    },
    "rust": Program(
        ("rust/target/debug/talk",), tls=True, lacks=("rust/target/debug/talk", "make examples")
    ),
    "python": Program((_SMITHY, "smithy/talk.py"), tls=True, lacks=_SMITHY_LACKS),
}
_STORY = "Once upon a time, there was a tape."
_RULES = {
    "bedtape-overlay": 1,
    "rules": [
        {
            "when": {"model": "*sonic*"},
            "answer": {
                "conversation": [
                    {"hears": "Tell me a story.", "text": _STORY, "silence_ms": 300_000},
                    {"when": {"event": "contentEnd", "type": "AUDIO"}, "text": "I am listening."},
                    {"tool": {"name": "weather", "input": {"city": "Oslo"}, "id": "t1"}},
                    {"when": {"event": "toolResult"}, "text": "It rains."},
                ]
            },
        }
    ],
}


def _make_steps() -> list[dict[str, Any]]:
    """The user speaks, interrupts the answer after its first sound, writes, and uses a tool."""
    speech, more = audio_content(3, "a1"), audio_content(3, "a2", loud=True)
    groups: list[tuple[list[Any], str, int]] = [
        ([*SETUP, *speech], "audioOutput", 1),
        (more[:2], "contentEnd", 3),  # of both transcripts, and of the interrupted audio
        (more[2:], "contentEnd", 2),
        (text_content("USER", "Does it rain?"), "toolUse", 1),
        (tool_result("t1", {"weather": "rain"}), "contentEnd", 3),
        ([{"promptEnd": {"promptName": "p"}}, {"sessionEnd": {}}], "", 0),
    ]
    steps: list[dict[str, Any]] = []
    for events, name, count in groups:
        steps += [{"send": {"event": event}} for event in events] + [{"await": name}] * count
    return [*steps, {"end": True}]


def _skip_without(file: str, install: str) -> None:
    if not (HERE / file).exists():
        pytest.skip(f"{HERE / file} does not exist: `{install}`")


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("program", _PROGRAMS.values(), ids=_PROGRAMS)
def test_a_program_of_every_sdk_has_a_conversation_and_interrupts(
    program: Program, tmp_path: Path
) -> None:
    _skip_without(*program.lacks)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(_RULES))
    before = (*UNDER_RUN[:2], *["--tls"] * program.tls, "--speed", "1", "--overlay")
    job = {"model": MODEL, "steps": _make_steps(), **dict(program.job)}
    ended = run_offline(
        program.command,
        HERE,
        {"BEDTAPE_STATE_DIR": str(tmp_path / "state")},
        (*before, str(tmp_path / "rules.yaml"), "--"),
        json.dumps(job),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    events = [json.loads(line)["event"] for line in ended.stdout.splitlines()]
    texts = [event["textOutput"]["content"] for event in events if "textOutput" in event]
    assert texts == [
        "Tell me a story.",
        _STORY,
        '{ "interrupted" : true }',
        *["I am listening."] * 2,
        *["It rains."] * 2,
    ]
    stops = [event["contentEnd"]["stopReason"] for event in events if "contentEnd" in event]
    assert stops.count("INTERRUPTED") == 1
    assert sum("audioOutput" in event for event in events) < 1000  # of 1758
    assert "completionEnd" in events[-1]
    assert "1 call: 1 from rules" in ended.stderr


@pytest.mark.slow
@compiles
def test_strands_client_of_nova_sonic_reads_a_turn(tmp_path: Path) -> None:
    """Its HTTP client ignores the proxy that --intercept sets, and its endpoint can be set."""
    _skip_without(*_SMITHY_LACKS)
    turn = {"hears": "Does it rain?", "text": "Yes, it rains.", "silence_ms": 300}
    rules = [{"when": {"model": "*sonic*"}, "answer": {"conversation": [turn]}}]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"bedtape-overlay": 1, "rules": rules}))
    ended = run_offline(
        (_SMITHY, "smithy/ask_strands.py"),
        HERE,
        {"BEDTAPE_STATE_DIR": str(tmp_path / "state")},
        (*UNDER_RUN[:2], "--intercept", "--overlay", str(file), "--"),
    )
    assert ended.stdout.splitlines() == ["user Does it rain?", "assistant Yes, it rains."]
    assert "1 call: 1 from rules" in ended.stderr
