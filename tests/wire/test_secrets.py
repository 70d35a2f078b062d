"""Messages about calls contain no part of a secret, also where a limit on their length
would cut the secret in two.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bedtape_cassettes.model import Cassette
from bedtape_replayer import Replayer
from bedtape_replayer.history.assertions import CallsMismatch
from support import folders
from support.client import Http1
from support.event_stream import EventReader
from support.recordings import converse, path, prompt

# No two places of the token have the same eight characters.
TOKEN = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
_PART = 8
# The token begins at each of these places, so that every limit up to the last
# one is inside of it once.
OFFSETS = range(0, 320, len(TOKEN) - 2 * _PART)


def find_parts(text: str) -> list[str]:
    """The parts of the token that a text contains."""
    parts = (TOKEN[at : at + _PART] for at in range(len(TOKEN) - _PART + 1))
    return [part for part in parts if part in text]


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[Replayer]:
    folders.write(tmp_path, Cassette("made", (converse("word " * 40, "one"),)))
    with Replayer(tmp_path) as bedrock:
        yield bedrock


@pytest.mark.parametrize("offset", OFFSETS)
def test_no_message_contains_a_part_of_a_secret(bedrock: Replayer, offset: int) -> None:
    bedrock.respond("something else", "no")
    bedrock.respond(prompt_regex="never", text="no")
    bedrock.respond(header={"authorization": "none"}, text="no")
    text = ("word " * 80)[:offset] + f" {TOKEN} " + "word " * 80
    with closing(Http1(bedrock.url)) as client:
        headers = (("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json"))
        missed = client.request("POST", path(), headers, prompt(text))
    with EventReader(bedrock.port) as events:
        listed = json.dumps(events.until("ended"))
    messages = [missed.body.decode(), listed, repr(bedrock.calls), repr(bedrock.calls[0])]
    for check in (
        lambda: bedrock.assert_called(prompt_contains="nothing"),
        lambda: bedrock.assert_called(prompt_equals="nothing", times=3),
        bedrock.assert_not_called,
        bedrock.assert_all_played,
        bedrock.assert_all_used,
    ):
        with pytest.raises(CallsMismatch) as raised:
            check()
        messages.append(str(raised.value))
    assert json.loads(missed.body)["message"].startswith("No rule and no recording answers")
    assert [find_parts(message) for message in messages] == [[] for _ in messages]
