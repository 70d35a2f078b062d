"""`bedtape cassette import` and `export`, as users run them: what is said, what is
written, and what never is.
"""

import json
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.reply import build_reply
from bedtape_replayer.overlay.document import read
from support import WAIT

HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
CODE = "from bedtape_cassettes.cli.main import main; main()"


def entry(number: int, said: str = "hello", host: str = HOST) -> dict[str, Any]:
    asked = {
        "method": "POST",
        "uri": f"{host}/model/m/converse",
        "body": json.dumps({"number": number}),
    }
    headers = {"Content-Type": ["application/json"]}
    answered = {
        "status": {"code": 200, "message": "OK"},
        "headers": headers,
        "body": {"string": json.dumps({"t": said})},
    }
    return {"request": {**asked, "headers": headers}, "response": answered}


def recording(path: Path, *entries: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"interactions": list(entries), "version": 1}))
    return path


class Bedtape:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str | Path, code: int = 0) -> tuple[str, str]:
        with chdir(self.folder):
            done = CliRunner().invoke(cassette, list(map(str, arguments)))
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout, done.stderr

    def broken(self, how: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run as a process of its own, with what breaks it."""
        command = [sys.executable, "-c", how + CODE, "cassette", *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=WAIT
        )

    def held(self, folder: str = "cassettes") -> dict[str, int]:
        return {c.name: len(c.interactions) for c in store.read([self.folder / folder])}

    def files(self) -> dict[str, bytes]:
        return {
            str(p.relative_to(self.folder)): p.read_bytes()
            for p in sorted(self.folder.rglob("*"))
            if p.is_file()
        }


@pytest.fixture
def bedtape(tmp_path: Path) -> Bedtape:
    return Bedtape(tmp_path)


def test_files_and_folders_become_cassettes_of_their_names(
    bedtape: Bedtape, tmp_path: Path
) -> None:
    one = recording(tmp_path / "test_one.yaml", entry(1), entry(2))
    recording(tmp_path / "tapes" / "a" / "recording.yml", entry(3))
    recording(tmp_path / "tapes" / "b" / "recording.yml", entry(4))
    recording(tmp_path / "tapes" / ".hidden" / "x.yaml", entry(4))
    (tmp_path / "tapes" / "README.md").write_text("no recording")
    said, _ = bedtape("import", one, "tapes")
    assert bedtape.held() == {"a/recording": 1, "b/recording": 1, "test_one": 2}
    assert said.startswith("bedrock-runtime.us-east-1.amazonaws.com: 4 exchanges imported\n")
    assert said.endswith("imported 4 from 3 files (vcrpy) → cassettes\n")


def test_files_of_one_name_get_their_folders(bedtape: Bedtape, tmp_path: Path) -> None:
    files = [
        recording(tmp_path / name / "recording.yaml", entry(1)) for name in ("first", "second")
    ]
    bedtape("import", *files)
    assert bedtape.held() == {"first/recording": 1, "second/recording": 1}
    same = [
        recording(tmp_path / name / "x" / "recording.yaml", entry(1))
        for name in ("first", "second")
    ]
    _, told = bedtape("import", *same, code=2)
    assert "expected different file names" in told


def test_rules_become_an_overlay(bedtape: Bedtape, tmp_path: Path) -> None:
    fixture = {"fixtures": [{"match": {"userMessage": "hi"}, "response": {"content": "hello"}}]}
    (tmp_path / "chat.json").write_text(json.dumps(fixture))
    said, _ = bedtape("import", "chat.json")
    assert said == "imported 1 from 1 file (aimock) → overlays/chat.overlay.yaml\n"
    assert not (tmp_path / "cassettes").exists(), (
        "an empty folder of cassettes, which serving refuses"
    )
    overlay = tmp_path / "overlays" / "chat.overlay.yaml"
    assert len(read(overlay.read_bytes(), "x").rules) == 1
    _, told = bedtape("import", "chat.json", code=2)
    assert "--force" in told
    bedtape("import", "chat.json", "--force")


def test_an_export_counts_the_conversations_that_it_leaves_out(
    bedtape: Bedtape, tmp_path: Path
) -> None:
    shutil.copytree(store.samples() / "sonic", tmp_path / "cassettes/sonic")
    said, _ = bedtape("export", "--to", "har")
    assert said == "exported: 1 file; 1 conversation left out\n"
    said, _ = bedtape("export", "--to", "jsonl")
    assert said == "exported: 1 file\n"


def test_json_of_an_import_and_an_export(bedtape: Bedtape, tmp_path: Path) -> None:
    one = recording(tmp_path / "one.yaml", entry(1), entry(2))
    (tmp_path / "other.yaml").write_text("no: recording")
    said, _ = bedtape("import", one, "other.yaml", "--json", code=1)
    imported = json.loads(said)
    taken, refused = imported["files"]
    assert (taken["format"], taken["interactions"], taken["written"]) == (
        "vcrpy",
        2,
        ["cassettes/one"],
    )
    assert not refused["imported"]
    assert "not imported" in refused["remarks"][0]
    said, _ = bedtape("export", "--to", "vcrpy", "--json")
    assert json.loads(said) == {
        "files": ["exported/one.yaml"],
        "partial_left_out": 0,
        "conversations_left_out": 0,
    }


def test_what_cannot_be_taken_is_named_and_the_rest_imported(
    bedtape: Bedtape, tmp_path: Path
) -> None:
    recording(tmp_path / "good.yaml", entry(1), entry(2, host="https://example.com/api"))
    recording(tmp_path / "part.yaml", {"request": {}}, entry(1))
    (tmp_path / "bad.yaml").write_text("a: [")
    said, _ = bedtape("import", "bad.yaml", "good.yaml", "part.yaml", "missing.yaml", code=1)
    assert bedtape.held() == {"good": 1, "part": 1}
    for line in (
        "bad.yaml: not imported: expected a recording of another tool",
        "part.yaml (vcrpy): skipped entry 1: expected `response` to be an object, found nothing",
        "missing.yaml: not imported: expected a file, found: No such file or directory",
        (
            "imported 2 from 4 files (vcrpy) → cassettes; some files or entries were not imported,"
            " see above"
        ),
    ):
        assert line in said
    bedtape("import", "bad.yaml", "--to", "other", code=1)


def test_the_same_reason_of_many_files_is_one_line(bedtape: Bedtape, tmp_path: Path) -> None:
    (tmp_path / "recorded").mkdir()
    for name in "abc":
        file = tmp_path / "recorded" / f"{name}.json"
        file.write_text('{"status": 200, "headers": {}, "body_b64": "e30="}')
    lines = bedtape("import", "recorded", code=1)[0].splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("recorded/a.json and 2 other files: not imported: ")
    assert lines[0].endswith("where URL is that of `microburst --replay FOLDER`")


def test_other_traffic_is_named_and_no_failure(bedtape: Bedtape, tmp_path: Path) -> None:
    foreign = entry(2, host="https://example.com") | {}
    foreign["request"]["uri"] = "https://example.com/v1/rerank"
    recording(tmp_path / "mixed.yaml", entry(1), foreign, foreign)
    said, _ = bedtape("import", "mixed.yaml")
    assert "example.com: 2 exchanges left to its tool\n" in said
    recording(tmp_path / "none.yaml", foreign)
    bedtape("import", "none.yaml", code=1)


def test_the_output_does_not_grow_with_the_number_of_files(
    bedtape: Bedtape, tmp_path: Path
) -> None:
    for number in range(40):
        recording(tmp_path / "vcr" / f"test_{number:02}.yaml", entry(number))
    said, _ = bedtape("import", "vcr")
    assert said.splitlines() == [
        "bedrock-runtime.us-east-1.amazonaws.com: 40 exchanges imported",
        (
            "re-encoded by their recorder, so that the JSON is as it was and its bytes need not be:"
            " 40 answers of 40 files (vcr/test_00.yaml, vcr/test_01.yaml, vcr/test_02.yaml …)"
        ),
        "imported 40 from 40 files (vcrpy) → cassettes",
    ]


ARN = "arn:aws:bedrock:us-east-1:999988887777:inference-profile/x"


def test_accounts_stay_if_the_user_says_so_and_no_other_secret_does(
    bedtape: Bedtape, tmp_path: Path
) -> None:
    recording(tmp_path / "a.yaml", entry(1, f"{ARN} AKIAQQQQQQQQQQQQQQQQ"))
    bedtape("import", "a.yaml")
    bedtape("import", "a.yaml", "--keep-account", "--to", "kept")
    (removed,), (kept,) = (
        [path.read_text() for path in (tmp_path / folder / "a").glob("*.yaml")]
        for folder in ("cassettes", "kept")
    )
    assert ("999988887777" in removed, "999988887777" in kept) == (False, True)
    assert "AKIAQQQQQQQQQQQQQQQQ" not in removed + kept
    before = bedtape.files()
    bedtape("rename", "a", "b", "--in", "kept")
    assert kept in [data.decode() for data in bedtape.files().values()], (
        "an unchanged recording keeps its bytes"
    )
    assert before != bedtape.files()
    bedtape("set", "b", "status=201", "--in", "kept")
    assert all(
        b"999988887777" not in path.read_bytes()
        for path in (tmp_path / "kept" / "b").glob("*.yaml")
    )


@pytest.mark.parametrize("recorded", ["b3c4d5e6-0000-4000-8000-000000000000", None])
def test_request_ids_are_as_recorded_or_absent_with_exact(
    recorded: str | None, bedtape: Bedtape, tmp_path: Path
) -> None:
    one = entry(1)
    one["response"]["headers"] = {"X-Amzn-Requestid": [recorded]} if recorded else {}
    recording(tmp_path / "a.yaml", one)
    bedtape("import", "a.yaml", "--exact")
    library = Library(store.read([tmp_path / "cassettes"]))
    (interaction,) = library.cassettes[0].interactions
    reply = build_reply(interaction, b"key", 0)
    ids = [value.decode() for name, value in reply.headers if name.lower() == b"x-amzn-requestid"]
    assert ids == ([recorded] if recorded else [])


def test_nothing_is_replaced_silently(bedtape: Bedtape, tmp_path: Path) -> None:
    recording(tmp_path / "a.yaml", entry(1), entry(2))
    bedtape("import", "a.yaml")
    before = bedtape.files()
    recording(tmp_path / "a.yaml", entry(1, "other"))
    before = bedtape.files()
    _, told = bedtape("import", "a.yaml", code=2)
    assert "expected no file yet" in told
    assert bedtape.files() == before
    said, _ = bedtape("import", "a.yaml", "--force")
    assert "backup: cassettes/.bedtape-backup" in said
    assert bedtape.held() == {"a": 1}


def test_a_secret_is_replaced(bedtape: Bedtape, tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    recording(tmp_path / "leaky.yaml", entry(1, f"it is {token}"))
    said, told = bedtape("import", "leaky.yaml")
    assert bedtape.held() == {"leaky": 1}
    assert token not in said + told
    assert not any(
        token.encode() in path.read_bytes() for path in (tmp_path / "cassettes").rglob("*.yaml")
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["import", "a.yaml", "--from", "cassette"], "--from: expected auto, vcrpy"),
        (["import", "a.yaml", "--redact", "("], "--redact: expected a regular expression"),
        (["import", "empty"], "empty: expected recordings ("),
        (["import", "a.yaml", "--to", "a.yaml"], "a.yaml: expected a folder"),
        (["export", "nowhere", "--to", "har"], "nowhere"),
        (["export", "--to", "xml"], "--to: expected one of vcrpy, har, jsonl"),
        (["export", "--to", "har", "--region", "here"], "--region: expected a region"),
    ],
)
def test_what_is_wrong_is_a_line_with_the_fix(
    arguments: list[str], told: str, bedtape: Bedtape, tmp_path: Path
) -> None:
    recording(tmp_path / "a.yaml", entry(1))
    (tmp_path / "empty").mkdir()
    before = bedtape.files()
    _, said = bedtape(*arguments, code=2)
    assert told in said
    assert "Traceback" not in said
    assert bedtape.files() == before


def test_export_writes_a_file_a_cassette(bedtape: Bedtape, tmp_path: Path) -> None:
    recording(tmp_path / "tapes" / "a" / "one.yaml", entry(1))
    recording(tmp_path / "tapes" / "two.yaml", entry(2))
    bedtape("import", "tapes")
    said, _ = bedtape("export", "--to", "vcrpy", "--into", "vcr", "--region", "eu-west-1")
    assert said == "vcr: 2 files\n"
    document = yaml.safe_load((tmp_path / "vcr" / "a" / "one.yaml").read_text())
    assert document["interactions"][0]["request"]["uri"].startswith(
        "https://bedrock-runtime.eu-west-1."
    )
    _, told = bedtape("export", "--to", "vcrpy", "--into", "vcr", code=2)
    assert "expected no file yet" in told
    bedtape("export", "--to", "vcrpy", "--into", "vcr", "--force")
    bedtape("export", "cassettes", "--to", "jsonl", "--into", "lines")
    assert json.loads((tmp_path / "lines" / "two.jsonl").read_text())["cassette"] == "two"


# -- interrupted -----------------------------------------------------------------------------------

# Fills the disk at the Nth call that changes a file.
_AT = """
import errno, os, pathlib, signal, sys

left = {number}
def happens(event, arguments):
    global left
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.link")) and {where!r} in str(arguments):
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
sys.addaudithook(happens)
"""


def test_a_full_disk_leaves_no_half_export(bedtape: Bedtape, tmp_path: Path) -> None:
    shutil.copytree(store.samples(), tmp_path / "cassettes")
    bedtape("export", "--to", "har")
    before = bedtape.files()
    broken = _AT.format(number=3, where="exported")
    done = bedtape.broken(broken, "export", "--to", "har", "--region", "eu-west-1", "--force")
    assert done.returncode == 2
    assert "expected to write, found: No space left on device" in done.stderr
    now = bedtape.files()
    assert now.keys() == before.keys()
    for data in now.values():
        if data.startswith(b'{\n  "log"'):
            json.loads(data)


def test_a_class_gets_the_folder_that_the_plugin_looks_for_beside_the_files_of_vcrpy(
    bedtape: Bedtape, tmp_path: Path
) -> None:
    recording(
        tmp_path / "cassettes" / "test_a" / "TestChat.test_one[x.y].yaml",
        entry(1),
        entry(2, host="https://x.com/a"),
    )
    recording(tmp_path / "cassettes" / "test_a" / "test_v1.2.yaml", entry(3))
    recording(tmp_path / "cassettes" / "weather.yaml", entry(1, host="https://x.com/a"))
    said, _ = bedtape("import", "cassettes", "--to", "cassettes")
    names = ("test_a/TestChat/test_one[x.y]", "test_a/test_v1.2")
    assert all(len(store.read([tmp_path / "cassettes" / name])) == 1 for name in names)
    assert "weather.yaml" not in said
    assert "x.com: 2 exchanges left to its tool\n" in said
    assert said.endswith("imported 2 from 3 files (vcrpy) → cassettes/test_a\n")
    before = bedtape.files()
    bedtape("import", "cassettes", "--to", "cassettes", "--force")
    after = bedtape.files()
    assert {n for n in after if not n.startswith("cassettes/.")} == {
        n for n in before if not n.startswith("cassettes/.")
    }
    assert all(after[name] == data for name, data in before.items())
