"""Snapshots of calls: stable between runs, without secrets, and literal enough
for a Python source.
"""

import ast
import json
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer import Replayer
from bedtape_replayer.history.snapshot import build_snapshot
from support.boto import boto3_client
from support.examples import examples
from support.recordings import MODEL


def test_ids_and_times_become_marks_and_equal_ids_equal_marks() -> None:
    use = {
        "toolUseId": "tooluse_AbCdEfGh12345678",
        "name": "find",
        "input": {"at": "2026-11-29T10:00:01.5Z"},
    }
    result = {
        "toolUseId": "tooluse_AbCdEfGh12345678",
        "content": [{"text": "order 0b6b5f7e-9f0b-4f6e-8d7c-3f1b8f2a6c11"}],
    }
    other = {"toolUseId": "tooluse_Other67890123456", "name": "find", "input": {}}
    body: Any = {
        "messages": [{"content": [{"toolUse": use}, {"toolUse": other}, {"toolResult": result}]}],
        "a": "by 2026-11-29, or 12",
    }
    assert build_snapshot("Converse", "m", body) == {
        "operation": "Converse",
        "model": "m",
        "body": {
            "a": "by <date>, or 12",
            "messages": [
                {
                    "content": [
                        {
                            "toolUse": {
                                "input": {"at": "<time>"},
                                "name": "find",
                                "toolUseId": "<id-1>",
                            }
                        },
                        {"toolUse": {"input": {}, "name": "find", "toolUseId": "<id-2>"}},
                        {
                            "toolResult": {
                                "content": [{"text": "order <uuid-1>"}],
                                "toolUseId": "<id-1>",
                            }
                        },
                    ]
                }
            ],
        },
    }


def test_secrets_and_binary_data_are_not_in_a_snapshot() -> None:
    key = "AKIA" + "Q7W3E5R2T6Y4U3I7"
    data = b64encode(bytes(range(256)) * 2).decode()
    text = json.dumps(build_snapshot("InvokeModel", None, {"prompt": f"key {key}", "image": data}))
    assert key not in text
    assert '"<512 bytes, digest ' in text
    assert '"model"' not in text


def test_a_snapshot_of_real_calls_is_equal_in_two_runs() -> None:
    def ask(number: str) -> list[Any]:
        with Replayer() as server:
            session = server.session(f"s{number}")
            session.respond(text="yes")
            client = boto3_client(session.url)
            client.converse(
                modelId=MODEL,
                messages=[{"role": "user", "content": [{"text": f"It is 2026-01-{number}."}]}],
            )
            client.invoke_model(
                modelId="anthropic.claude-3",
                body=(
                    b'{"max_tokens": 1, "anthropic_version": "bedrock-2023-05-31", "messages":'
                    b' [{"role": "user", "content": "a"}]}'
                ),
            )
            return session.calls.snapshot()

    first = ask("12")
    assert first == ask("13")
    assert first[0] == {
        "operation": "Converse",
        "model": MODEL,
        "body": {"messages": [{"content": [{"text": "It is <date>."}], "role": "user"}]},
    }
    assert first[1]["body"]["messages"] == [{"content": "a", "role": "user"}]


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=examples(200))
@given(_JSON)
def test_a_snapshot_can_be_written_as_python_and_as_json(body: Any) -> None:
    """inline-snapshot writes the value's `repr` into a source file, and syrupy writes text."""
    snapshot = build_snapshot("Converse", "m", body)
    assert ast.literal_eval(repr(snapshot)) == snapshot
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert build_snapshot("Converse", "m", body) == snapshot
