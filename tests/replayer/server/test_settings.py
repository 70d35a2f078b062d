"""`Replayer()` without arguments plays the cassettes of the settings."""

import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bedtape_cassettes.model import Cassette
from bedtape_replayer import CassetteError, Replayer
from support import folders
from support.boto import boto3_client
from support.recordings import MODEL, converse


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("BEDTAPE_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".git").mkdir()  # the search for settings ends here
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "recorded", "held"),
    [
        (None, ["cassettes"], 0),
        ("", ["cassettes"], 0),
        ('cassettes = "mine"', ["mine", "cassettes"], 1),
        ('cassettes = "mine"', [], 0),
        ('cassettes = "mine"\n[replay]\ncassettes = ["a", "b", "none"]', ["mine", "a", "b"], 2),
    ],
    ids=[
        "no settings",
        "settings without cassettes",
        "a folder",
        "not recorded yet",
        "several, one not recorded yet",
    ],
)
def test_cassettes_come_from_the_settings(
    settings: str | None, recorded: list[str], held: int, elsewhere: Path
) -> None:
    if settings is not None:
        (elsewhere / "bedtape.toml").write_text(settings)
    for name in recorded:
        folders.write(elsewhere / name, Cassette(name, (converse(name, name),)))
    with Replayer() as replayer:
        assert len(replayer.engine.library) == held


def test_a_variable_overrides_the_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "bedtape.toml").write_text('cassettes = "mine"')
    folders.write(elsewhere / "below" / "other", Cassette("a", (converse("a", "a"),)))
    monkeypatch.setenv("BEDTAPE_REPLAY_CASSETTES", "other")
    with Replayer() as replayer:
        assert len(replayer.engine.library) == 1


def test_invalid_settings_are_refused(elsewhere: Path) -> None:
    (elsewhere / "bedtape.toml").write_text("cassettes = 3")
    with pytest.raises(CassetteError, match=r"bedtape\.toml"):
        Replayer().start()


def _ask(url: str, question: str) -> str:
    messages: Any = [{"role": "user", "content": [{"text": question}]}]
    answer = boto3_client(url).converse(modelId=MODEL, messages=messages)
    return answer["output"]["message"]["content"][0]["text"]


def test_a_miss_names_a_recording_in_another_folder(elsewhere: Path) -> None:
    (elsewhere / "bedtape.toml").write_text('cassettes = "mine"')
    (written,) = folders.write(elsewhere / "mine", Cassette("kept", (converse("hi", "hello"),)))
    with Replayer([]) as replayer:
        with pytest.raises(ClientError) as caught:
            _ask(replayer.url, "hi")
        assert f"../mine/kept/{written.name} has this request, but is not played here" in str(
            caught.value
        )
        with pytest.raises(ClientError) as caught:
            _ask(replayer.url, "another")
        assert "is not played here" not in str(caught.value)
    with Replayer() as replayer:
        assert _ask(replayer.url, "hi") == "hello"
