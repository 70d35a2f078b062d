"""Recording the same program again shows what changed, and nothing else.

The number of changed lines is counted.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from difflib import unified_diff
from pathlib import Path
from random import Random
from typing import Any

import boto3
import pytest
from botocore.config import Config

from bedtape_cassettes.format import bodies, eventstream
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.model import event_headers
from bedtape_cassettes.storage import store
from bedtape_recorder.finish import recover_file
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from support.capturing import JSON, STREAM, CaptureRun
from support.recorder import Running
from support.recordings import MODEL, path
from support.upstream import CREDENTIALS, Answer, Credentials
from support.upstream import Upstream as FakeBedrock

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Upstream:
    """Bedrock with other ids, latencies, padding and signatures in each run."""

    def __init__(self, run: int) -> None:
        self.chance = Random(run)

    def id(self, length: int = 22, alphabet: str = ALPHABET) -> str:
        return "".join(self.chance.choices(alphabet, k=length))

    def frames(self, *events: tuple[str, dict[str, Any]]) -> list[bytes]:
        return [
            eventstream.encode_strings(
                event_headers(name), bodies.pad(bodies.compact(value), self.chance)
            )
            for name, value in events
        ]

    def converse_stream(self, texts: Sequence[str], tool: str | None = None) -> list[bytes]:
        """Reasoning, a text in pieces, and a tool call."""
        signed = {"delta": {"reasoningContent": {"signature": self.id(80)}}, "contentBlockIndex": 0}
        events: list[tuple[str, dict[str, Any]]] = [
            ("messageStart", {"role": "assistant"}),
            (
                "contentBlockDelta",
                {"delta": {"reasoningContent": {"text": "Hm."}}, "contentBlockIndex": 0},
            ),
            ("contentBlockDelta", signed),
            *(
                ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": text}})
                for text in texts
            ),
        ]
        if tool:
            start = {"toolUse": {"name": tool, "toolUseId": f"tooluse_{self.id()}"}}
            events.append(("contentBlockStart", {"contentBlockIndex": 2, "start": start}))
        usage = {
            "inputTokens": 9,
            "outputTokens": sum(map(len, texts)),
            "totalTokens": 9 + sum(map(len, texts)),
        }
        events.append(("messageStop", {"stopReason": "tool_use" if tool else "end_turn"}))
        events.append(
            ("metadata", {"metrics": {"latencyMs": self.chance.randint(100, 999)}, "usage": usage})
        )
        return self.frames(*events)

    def anthropic(self, tool: str | None) -> bytes:
        content: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": "Hm.", "signature": self.id(60)}
        ]
        if tool:
            content.append(
                {
                    "type": "tool_use",
                    "id": f"toolu_bdrk_{self.id(24)}",
                    "name": tool,
                    "input": {"a": 1},
                }
            )
        return bodies.compact(
            {"id": f"msg_bdrk_{self.id(24)}", "type": "message", "content": content}
        )  # type: ignore[dict-item]

    def chat(self, tool: str | None) -> bytes:
        made = self.chance.randint(1786000000, 1787000000)
        call = {"id": f"chatcmpl-tool-{self.id(32, '0123456789abcdef')}", "type": "function"}
        message = {"content": "Hm.", "tool_calls": [call] if tool else []}
        return bodies.compact(
            {
                "id": f"chatcmpl-{self.id(32)}",
                "object": "chat.completion",
                "created": made,
                "choices": [message],
            }  # type: ignore[dict-item]
        )


Exchange = tuple[str, bytes, "list[bytes] | bytes"]


def converse_loop(upstream: Upstream, word: str = "sunny") -> Iterator[Exchange]:
    """An agent that calls a tool twice."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"text": "How is the weather?"}]}
    ]
    for turn in range(3):
        texts = [f"piece {number} " for number in range(72)]
        texts[40] = f"{word} "
        pieces = upstream.converse_stream(texts, "weather" if turn < 2 else None)
        yield path("converse-stream"), json.dumps({"messages": messages}).encode(), pieces
        text = b"".join(pieces).decode(errors="replace")
        if match := re.search(r"tooluse_\w{22}", text):
            signature = re.search(r'"signature":"(\w+)"', text)
            assert signature is not None
            reasoning = {
                "reasoningContent": {"reasoningText": {"text": "Hm.", "signature": signature[1]}}
            }
            use = {"toolUse": {"toolUseId": match[0], "name": "weather", "input": {}}}
            result = {"toolResult": {"toolUseId": match[0], "content": [{"text": "12 degrees"}]}}
            messages += [
                {"role": "assistant", "content": [reasoning, use]},
                {"role": "user", "content": [result]},
            ]


def anthropic_loop(upstream: Upstream, word: str = "") -> Iterator[Exchange]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"Add.{word}"}]
    for turn in range(3):
        body = upstream.anthropic("add" if turn < 2 else None)
        yield path("invoke", CLAUDE), json.dumps({"messages": messages}).encode(), body
        content = json.loads(body)["content"]
        results = [
            {"type": "tool_result", "tool_use_id": each["id"]}
            for each in content
            if each["type"] == "tool_use"
        ]
        messages += [
            {"role": "assistant", "content": content},
            {"role": "user", "content": results},
        ]


def chat_loop(upstream: Upstream, word: str = "") -> Iterator[Exchange]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"Add.{word}"}]
    for turn in range(3):
        body = upstream.chat("add" if turn < 2 else None)
        yield (
            "/v1/chat/completions",
            json.dumps({"model": "openai.gpt-oss-120b", "messages": messages}).encode(),
            body,
        )
        message = json.loads(body)["choices"][0]
        calls = [{"role": "tool", "tool_call_id": call["id"]} for call in message["tool_calls"]]
        messages += [{"role": "assistant", **message}, *calls]


LOOPS = [converse_loop, anthropic_loop, chat_loop]
Loop = Callable[..., Iterator[Exchange]]


def record(
    folder: Path,
    exchanges: Iterator[Exchange],
    run: int = 0,
    *,
    exact: bool = False,
    rules: MatchRules = DEFAULT,
) -> None:
    taken = CaptureRun(name="agent", exact=exact)
    chance = Random(run)
    for url, request, answer in exchanges:
        number = taken.capture.add_request("default", "POST", url, JSON, request)
        taken.now += chance.random()
        pieces = answer if isinstance(answer, list) else [answer]
        taken.capture.add_head(number, 200, STREAM if isinstance(answer, list) else JSON)
        for piece in pieces:
            taken.now += chance.random() / 10
            taken.capture.add_chunk(number, piece)
        taken.capture.end(number)
        taken.now += 1
    folder.parent.mkdir(exist_ok=True)
    file = folder.parent / "x.journal"
    file.write_bytes(taken.data)
    recover_file(file, folder, mode="all", rules=rules)


def read_tree(folder: Path) -> dict[str, list[str]]:
    return {file.name: file.read_text().splitlines() for file in sorted(folder.rglob("*.yaml"))}


def count_changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """The lines that a review shows: with `+` or `-`, in files of the same names."""
    changed = []
    for name in sorted(before.keys() | after.keys()):
        lines = list(unified_diff(before.get(name, []), after.get(name, []), n=0, lineterm=""))[2:]
        changed += [f"{name}: {line}" for line in lines if not line.startswith("@@")]
    return changed


@pytest.mark.parametrize("loop", LOOPS)
def test_an_unchanged_agent_loop_changes_no_line(loop: Loop, tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    record(folder, loop(Upstream(1)), 1)
    before = read_tree(folder)
    record(folder, loop(Upstream(2)), 2)
    assert count_changed(before, read_tree(folder)) == []


@pytest.mark.parametrize("loop", LOOPS)
def test_two_first_recordings_have_equal_ids_and_names(loop: Loop, tmp_path: Path) -> None:
    for run in (1, 2):
        record(tmp_path / str(run) / "cassettes", loop(Upstream(run)), run)
    one, other = (read_tree(tmp_path / str(run)) for run in (1, 2))
    assert one.keys() == other.keys()
    ids = re.compile(r"(?:tooluse|toolu_bdrk|msg_bdrk|chatcmpl)[_-][\w-]+")
    ids_by_run = [
        [ids.findall(line) for lines in tree.values() for line in lines] for tree in (one, other)
    ]
    assert ids_by_run[0] == ids_by_run[1] != []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_sends_back_what_it_receives_finds_each_recording(
    loop: Loop, tmp_path: Path
) -> None:
    folder = tmp_path / "cassettes"
    record(folder, loop(Upstream(1)))
    engine = Engine(Library(store.read([folder])), strict=True)

    played = []
    asked: list[Exchange] = []
    # The client makes its next request from the answer that it got, so it must
    # get the replayed answer.
    for turn in range(3):
        source = loop(_Played(asked))
        for _ in range(turn + 1):
            url, request, _ = next(source)
        answer = engine.answer("POST", url, Head.of(()), request)
        asked.append((url, request, [piece.data for piece in answer.reply.pieces]))
        played.append((answer.source, str(answer.miss)))
    assert played == [("cassette", "None")] * 3


class _Played(Upstream):
    """Gives the answers that were replayed so far."""

    def __init__(self, asked: list[Exchange]) -> None:
        super().__init__(0)
        self._answers = [b"".join(pieces) for _, _, pieces in asked]
        self._next = 0

    def _take(self) -> bytes | None:
        self._next += 1
        return self._answers[self._next - 1] if self._next <= len(self._answers) else None

    def converse_stream(self, texts: Sequence[str], tool: str | None = None) -> list[bytes]:
        return [self._take() or b""]

    def anthropic(self, tool: str | None) -> bytes:
        return self._take() or super().anthropic(tool)

    def chat(self, tool: str | None) -> bytes:
        return self._take() or super().chat(tool)


@pytest.mark.parametrize("cut", [0, 12, 20])
def test_an_id_that_a_model_repeats_in_its_text_has_the_stable_form(
    cut: int, tmp_path: Path
) -> None:
    """The text is cut over two events. A client that compares the id with the one of the tool
    call would not find it, and each new recording would be a change.
    """

    def loop(upstream: Upstream) -> Iterator[Exchange]:
        asked = {"messages": [{"role": "user", "content": [{"text": "Go."}]}]}
        first = upstream.converse_stream(["I call it."], "weather")
        yield path("converse-stream"), json.dumps(asked).encode(), first
        match = re.search(r"tooluse_\w{22}", b"".join(first).decode(errors="replace"))
        assert match is not None
        result = {"toolResult": {"toolUseId": match[0], "content": [{"text": "12"}]}}
        asked["messages"].append({"role": "user", "content": [result]})  # type: ignore[list-item, dict-item]
        said = f"As {match[0]} says."
        pieces = [said[:cut], said[cut:]] if cut else [said]
        yield path("converse-stream"), json.dumps(asked).encode(), upstream.converse_stream(pieces)

    folder = tmp_path / "cassettes"
    record(folder, loop(Upstream(1)), 1)
    before = read_tree(folder)
    record(folder, loop(Upstream(2)), 2)
    assert count_changed(before, read_tree(folder)) == []


def test_one_changed_word_in_a_stream_of_75_events_changes_at_most_four_lines(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "cassettes"
    first = list(converse_loop(Upstream(1)))[:1]
    assert len(first[0][2]) >= 75
    record(folder, iter(first), 1)
    before = read_tree(folder)
    for word, run in (("rainy", 2), ("overcast", 3)):
        record(folder, iter(list(converse_loop(Upstream(run), word))[:1]), run)
        after = read_tree(folder)
        changed = count_changed(before, after)
        assert 2 <= len(changed) <= 4, changed
        assert any(word in line for line in changed)
        times = [
            int(time)
            for lines in after.values()
            for line in lines
            for time in re.findall(r"at_ms: (\d+)", line)
        ]
        assert times == sorted(times)
        before = after


def test_exact_keeps_every_value(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    exchanges = list(anthropic_loop(Upstream(1)))
    record(folder, iter(exchanges), exact=True)
    answers = [i.response.body for c in store.read([folder]) for i in c.interactions]
    assert [body.data for body in answers] == [answer for _, _, answer in exchanges]  # type: ignore[union-attr]


def test_reasoning_is_signed_as_it_was_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    exchanges = list(anthropic_loop(Upstream(1)))
    record(folder, iter(exchanges))
    signatures = [json.loads(answer)["content"][0]["signature"] for _, _, answer in exchanges]  # type: ignore[arg-type]
    text = "".join(line for lines in read_tree(folder).values() for line in lines)
    assert all(signature in re.sub(r"\s", "", text) for signature in signatures)


def test_what_a_placeholder_allows_to_differ_changes_no_line(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    rules = MatchRules(placeholders=(re.compile(r"\d{4}-\d\d-\d\d"),))
    record(folder, anthropic_loop(Upstream(1), " 2026-11-28"), rules=rules)
    before = read_tree(folder)
    record(folder, anthropic_loop(Upstream(2), " 2026-11-29"), rules=rules)
    assert count_changed(before, read_tree(folder)) == []
    record(folder, anthropic_loop(Upstream(3), " 2026-11-29"))
    assert len(read_tree(folder)) == 2 * len(before)


def test_recordings_with_other_ids_are_replaced(tmp_path: Path) -> None:
    """A cassette that an earlier version recorded has the ids of Bedrock."""
    folder = tmp_path / "cassettes"
    record(folder, anthropic_loop(Upstream(1)))
    for file in folder.rglob("*.yaml"):
        file.write_text(file.read_text().replace("toolu_bdrk_", "toolu_bdrk_9"))
    record(folder, anthropic_loop(Upstream(2)))
    after = read_tree(folder)
    record(tmp_path / "new" / "cassettes", anthropic_loop(Upstream(3)))
    assert after.keys() == read_tree(tmp_path / "new").keys()


def test_turns_of_one_conversation_stay_together_and_files_keep_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    one, other = list(anthropic_loop(Upstream(1), " A")), list(anthropic_loop(Upstream(2), " B"))
    record(folder, iter([one[0], other[0], other[1], one[1]]))
    before = list(read_tree(folder))
    requests = [
        json.loads(i.request.body.data)["messages"]
        for c in store.read([folder])
        for i in c.interactions
    ]
    assert [(len(turns), turns[0]["content"]) for turns in requests] == [
        (1, "Add. A"),
        (3, "Add. A"),
        (1, "Add. B"),
        (3, "Add. B"),
    ]
    one, other = list(anthropic_loop(Upstream(3), " A")), list(anthropic_loop(Upstream(4), " B"))
    record(folder, iter([one[0], other[0], one[1], other[1], one[2], other[2]]))
    after = list(read_tree(folder))
    assert [name for name in after if name in before] == before
    assert [name.partition("-")[0] for name in after] == [
        "0001",
        "0002",
        "0002.1",
        "0003",
        "0004",
        "0005",
    ]


# -- through the recorder --------------------------------------------------------------------------


def _turns() -> list[Answer]:
    headers = (("Content-Type", "application/vnd.amazon.eventstream"),)
    chance = Upstream(7)
    tools = ("weather", "time", None)
    frames = [
        chance.converse_stream(["It is ", f"turn {number}"], tool)
        for number, tool in enumerate(tools)
    ]
    return [
        Answer(path("converse-stream"), headers=headers, frames=tuple(each), streamed=True)
        for each in frames
    ]


def _run_agent(url: str, key: str) -> None:
    """Calls tools and sends their ids back, until the model calls none."""
    session = boto3.Session(
        aws_access_key_id=key, aws_secret_access_key="any", region_name="us-east-1"
    )
    config = Config(retries={"total_max_attempts": 1}, signature_version="v4")
    messages: list[Any] = [{"role": "user", "content": [{"text": "How is the weather?"}]}]
    with closing(session.client("bedrock-runtime", endpoint_url=url, config=config)) as client:
        for _ in range(3):
            events = list(client.converse_stream(modelId=MODEL, messages=messages)["stream"])
            starts = [
                event["contentBlockStart"]["start"]
                for event in events
                if "contentBlockStart" in event
            ]
            uses = [{"toolUse": start["toolUse"] | {"input": {}}} for start in starts]
            results = [
                {
                    "toolResult": {
                        "toolUseId": use["toolUse"]["toolUseId"],
                        "content": [{"text": "12"}],
                    }
                }
                for use in uses
            ]
            messages += [
                {"role": "assistant", "content": uses},
                {"role": "user", "content": results},
            ]


def test_an_agent_loop_that_is_recorded_again_through_the_recorder_changes_no_line(
    recorder: Path, tmp_path: Path
) -> None:
    """The service sends other ids, latencies, times and padding in each answer; the second
    run has a session token.
    """
    role = Credentials(
        "ASIAQ7777777777AAAAA", "role-secret-of-thirty-characters", "a-token-of-the-role"
    )
    trees, ids = [], []
    for number, keys in enumerate((CREDENTIALS, role)):
        with FakeBedrock(_turns(), credentials=(keys,), varying=Random(number)) as upstream:
            more = {"AWS_SESSION_TOKEN": keys.token} if keys.token else {}
            with Running(
                recorder, upstream, tmp_path / "tapes", tmp_path, "--record", "all", **more
            ) as running:
                _run_agent(running.url, "any")
                assert "recorded 3 interactions" in running.stop()
            assert not upstream.failures
            ids.append(set(re.findall(rb"tooluse_\w{22}", upstream.requests[-1].body)))
        trees.append(read_tree(tmp_path / "tapes"))
    assert len(ids[0] | ids[1]) == 4, "the ids of both runs differ"
    assert count_changed(*trees) == []
