"""Changing cassettes over the control API: what is written is what replays, and what is
refused changes nothing.
"""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.redaction.scrub import ALWAYS
from bedtape_cassettes.storage.commit import lock
from bedtape_replayer import Replayer
from bedtape_replayer.api.gate import Gate
from bedtape_replayer.engine.editor import EditableText
from bedtape_replayer.server.editor import FolderEditor
from support import WAIT
from support.folders import write
from support.recordings import converse, path, prompt, stream

KEY = "AKIAQ3EGRVZ5WJ7XK2PL"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in a folder of this test, because other tests change what is beside the latter."""
    folder = tmp_path / "cassettes"
    write(folder, Cassette("weather", (converse("a", "one"), stream("b", ["tw", "o"]))))
    return folder


@pytest.fixture
def bedrock(folder: Path) -> Iterator[Replayer]:
    with Replayer(folder) as running:
        running.engine.editor = FolderEditor(folder, ALWAYS, running.reload)
        yield running


def send(
    bedrock: Replayer, method: str, place: str, value: Any = None, **headers: str
) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    connection.request(method, place, b"" if value is None else json.dumps(value), headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body


def ask(bedrock: Replayer, text: str) -> Any:
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    connection.request("POST", path(), prompt(text))
    body = json.loads(connection.getresponse().read())
    connection.close()
    return body["output"]["message"]["content"][0]["text"] if "output" in body else body


def files(folder: Path) -> dict[str, bytes]:
    """The recordings, by path. Backups are hidden."""
    visible = (
        each
        for each in folder.rglob("*.yaml")
        if not any(part[0] == "." for part in each.relative_to(folder).parts)
    )
    return {str(each.relative_to(folder)): each.read_bytes() for each in visible}


def place_of(file: str) -> str:
    return f"/_bedtape/recordings/{quote(file, safe='')}"


def first(folder: Path) -> str:
    return min(files(folder))


KEEP = "/_bedtape/sessions/default/calls/1/keep"


def test_a_kept_call_replays(bedrock: Replayer, folder: Path) -> None:
    before = files(folder)
    bedrock.respond("refund", "Which order?", times=1)
    ask(bedrock, f"A refund, {KEY}")
    status, kept = send(bedrock, "POST", KEEP, {"cassette": "weather"})
    assert status == 200
    assert kept["file"].startswith("weather/0003-converse-")
    assert ask(bedrock, f"A refund, {KEY}") == "Which order?"
    assert bedrock.calls[-1].by == kept["file"]
    after = files(folder)
    assert {name: after[name] for name in before} == before
    assert KEY.encode() not in after[kept["file"]]
    with Replayer(folder) as other:
        assert ask(other, f"A refund, {KEY}") == "Which order?"


def test_a_kept_stream_replays(bedrock: Replayer, folder: Path) -> None:
    bedrock.respond("c", pieces=["th", "ree"])
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    for _ in range(2):
        connection.request("POST", path("converse-stream"), prompt("c"))
        body = connection.getresponse().read()
    connection.close()
    assert send(bedrock, "POST", KEEP, {"cassette": "new/one"})[0] == 200
    with Replayer(folder) as other:
        connection = HTTPConnection("127.0.0.1", other.port)
        connection.request("POST", path("converse-stream"), prompt("c"))
        assert len(connection.getresponse().read()) > len(body) // 2
        connection.close()
        assert other.calls[0].text == "three"
        assert other.calls[0].source == "cassette"


@pytest.mark.parametrize("cassette", ["../out", "/abs", ".hidden", "a/../b", "", "a\\b", "a\nb"])
def test_a_name_that_leaves_the_folder_is_refused(
    bedrock: Replayer, folder: Path, cassette: str
) -> None:
    before = files(folder.parent)
    bedrock.respond("x", "y")
    ask(bedrock, "x")
    assert send(bedrock, "POST", KEEP, {"cassette": cassette})[0] == 400
    assert files(folder.parent) == before


def test_a_miss_has_no_answer_to_keep(bedrock: Replayer, folder: Path) -> None:
    before = files(folder)
    ask(bedrock, "nothing")
    status, body = send(bedrock, "POST", KEEP, {"cassette": "weather"})
    assert (status, "expected a call with an answer to keep" in body["error"]) == (400, True)
    assert files(folder) == before


def test_an_edited_text_replays_and_the_old_file_is_backed_up(
    bedrock: Replayer, folder: Path
) -> None:
    file = first(folder)
    old = files(folder)[file]
    status, text = send(bedrock, "GET", place_of(file))
    assert (status, text["file"]) == (200, file)
    text["text"] = text["text"].replace("one", "1", 1)
    status, new = send(
        bedrock, "PUT", place_of(file), {"text": text["text"], "version": text["version"]}
    )
    assert status == 200
    assert new["version"] != text["version"]
    assert ask(bedrock, "a") == "1"
    assert [each.read_bytes() for each in folder.glob(f".bedtape-backup/*/{file}")] == [old]


def test_a_file_that_git_holds_needs_no_backup(bedrock: Replayer, folder: Path) -> None:
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    file = first(folder)
    _, text = send(bedrock, "GET", place_of(file))
    edit = {"text": text["text"].replace("one", "1", 1), "version": text["version"]}
    assert send(bedrock, "PUT", place_of(file), edit)[0] == 200
    assert not (folder / ".bedtape-backup").exists()


def test_a_file_that_has_changed_meanwhile_stays(bedrock: Replayer, folder: Path) -> None:
    file = first(folder)
    _, text = send(bedrock, "GET", place_of(file))
    (folder / file).write_bytes((folder / file).read_bytes() + b"# a comment of somebody else\n")
    before = files(folder)
    edit = {"text": text["text"].replace("one", "1", 1), "version": text["version"]}
    status, body = send(bedrock, "PUT", place_of(file), edit)
    assert (status, "found another version" in body["error"]) == (409, True)
    assert files(folder) == before


def test_a_folder_that_another_program_changes_stays(bedrock: Replayer, folder: Path) -> None:
    file = first(folder)
    _, text = send(bedrock, "GET", place_of(file))
    edit = {"text": text["text"].replace("one", "1", 1), "version": text["version"]}
    with lock(folder):
        assert send(bedrock, "PUT", place_of(file), edit)[0] == 409
    assert send(bedrock, "PUT", place_of(file), edit)[0] == 200


@pytest.mark.parametrize(
    "text", ["bedtape: 1\nnothing: else\n", "no head", "bedtape: [", "bedtape: 1\nrequest: {}\n"]
)
def test_a_text_that_is_no_recording_is_refused_with_its_problems(
    bedrock: Replayer, folder: Path, text: str
) -> None:
    before, file = files(folder), first(folder)
    _, read = send(bedrock, "GET", place_of(file))
    status, body = send(bedrock, "PUT", place_of(file), {"text": text, "version": read["version"]})
    assert status == 400
    assert body["problems"]
    assert files(folder) == before


def test_secrets_in_an_edited_text_are_replaced(bedrock: Replayer, folder: Path) -> None:
    file = first(folder)
    _, text = send(bedrock, "GET", place_of(file))
    edit = {"text": text["text"].replace("one", KEY, 1), "version": text["version"]}
    send(bedrock, "PUT", place_of(file), edit)
    assert all(KEY.encode() not in data for data in files(folder).values())


@pytest.mark.parametrize(
    "file",
    ["../weather/x.yaml", "/etc/passwd", "nothing.yaml", ".bedtape-backup/x.yaml", "weather"],
)
def test_only_recordings_have_a_text(bedrock: Replayer, file: str) -> None:
    assert send(bedrock, "GET", place_of(file))[0] == 404
    assert send(bedrock, "PUT", place_of(file), {"text": "bedtape: 1", "version": "x"})[0] == 409


@pytest.mark.parametrize("who", ["reads", "token", "page"])
def test_only_who_may_ask_changes_something(bedrock: Replayer, folder: Path, who: str) -> None:
    """A server that only reads; a request without the token; a page of another site."""
    before, file = files(folder), first(folder)
    _, read = send(bedrock, "GET", place_of(file))
    bedrock.respond("x", "y")
    ask(bedrock, "x")
    if who == "reads":
        bedrock.engine.editor = None
    if who == "token":
        bedrock.run(
            lambda: setattr(
                bedrock.engine, "control", Gate(bedrock.engine, "a-token-of-some-length")
            )
        )
    headers = {"origin": "https://example.com"} if who == "page" else {}
    edit = {"text": read["text"].replace("one", "1", 1), "version": read["version"]}
    expected = 401 if who == "token" else 403
    assert send(bedrock, "PUT", place_of(file), edit, **headers)[0] == expected
    assert send(bedrock, "POST", KEEP, {"cassette": "weather"}, **headers)[0] == expected
    assert send(bedrock, "GET", place_of(file), **headers)[0] == expected
    assert files(folder) == before


# -- threads ---------------------------------------------------------------------------------------


class SlowEditor(FolderEditor):
    """Reads when the test has released it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ALWAYS, lambda: None)
        self.entered, self.release = Event(), Event()

    def read(self, file: str) -> EditableText | None:
        self.entered.set()
        if not self.release.wait(WAIT):
            raise CassetteError("expected other clients to be answered, found that they wait")
        return super().read(file)


@pytest.mark.parametrize("body", [1, 300_000], ids=["small", "large"])
def test_other_clients_are_answered_while_an_edit_works(folder: Path, body: int) -> None:
    """A large body is prepared in a thread of its own."""
    with Replayer(folder) as bedrock, ThreadPoolExecutor(1) as pool:
        bedrock.engine.editor = editor = SlowEditor(folder)
        reading = pool.submit(send, bedrock, "GET", place_of(first(folder)), "x" * body)
        editor.entered.wait()
        assert ask(bedrock, "a") == "one"
        editor.release.set()
        status, text = reading.result()
        assert (status, text.get("file")) == (200, first(folder))


def test_a_client_that_leaves_during_an_edit_harms_nobody(folder: Path) -> None:
    with Replayer(folder) as bedrock:
        bedrock.engine.editor = editor = SlowEditor(folder)
        connection = HTTPConnection("127.0.0.1", bedrock.port)
        connection.request("GET", place_of(first(folder)))
        editor.entered.wait()
        connection.close()
        editor.release.set()
        assert ask(bedrock, "a") == "one"
        assert send(bedrock, "GET", place_of(first(folder)))[0] == 200


def test_an_error_of_the_editor_is_answered_with_500(
    bedrock: Replayer, capfd: pytest.CaptureFixture[str]
) -> None:
    class Broken(FolderEditor):
        def read(self, file: str) -> EditableText | None:
            raise RuntimeError(file)

    bedrock.engine.editor = Broken(Path(), ALWAYS, lambda: None)
    assert send(bedrock, "GET", place_of("x.yaml"))[0] == 500
    assert "because of an error in bedtape: RuntimeError: x.yaml" in capfd.readouterr().err
    assert ask(bedrock, "a") == "one"


def test_a_head_of_a_text_has_no_body(bedrock: Replayer, folder: Path) -> None:
    connection = HTTPConnection("127.0.0.1", bedrock.port)
    for method in ("HEAD", "GET"):
        connection.request(method, place_of(first(folder)))
        response = connection.getresponse()
        assert response.status == 200
        assert (len(response.read()) > 0) == (method == "GET")
    connection.close()


def test_edits_of_several_clients_follow_each_other(bedrock: Replayer, folder: Path) -> None:
    bedrock.respond("refund", "Which order?")
    ask(bedrock, "A refund")
    before = len(files(folder))
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(lambda _: send(bedrock, "POST", KEEP, {"cassette": "weather"}), range(8))
        )
    assert [status for status, _ in results] == [200] * 8
    assert len({body["file"] for _, body in results}) == 8
    assert len(files(folder)) == before + 8
