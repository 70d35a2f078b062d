"""Large binary content is a file beside the interactions, once for each content, whatever
is done with the cassette.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from bedtape_cassettes.errors import CassetteInvalid
from bedtape_cassettes.format import document, tape
from bedtape_cassettes.format.binary_files import name_content
from bedtape_cassettes.matching.key import compute_request_key
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, list_files, lock
from bedtape_cassettes.storage.file_names import number_files
from bedtape_cassettes.suites import bulk, edit_buffer
from support.recordings import record_interaction

PDF = b"%PDF-1.7\n" + Random(1).randbytes(30_000)
CONTENTS = {
    "pdf": PDF,
    "png": b"\x89PNG\r\n\x1a\n" + Random(2).randbytes(9000),
    "jpg": b"\xff\xd8\xff\xe0" + Random(3).randbytes(9000),
    "wav": b"RIFF\x00\x00\x00\x00WAVE" + Random(4).randbytes(9000),
    "mp4": b"\x00\x00\x00\x18ftyp" + Random(5).randbytes(9000),
    "docx": b"PK\x03\x04word/document.xml" + Random(6).randbytes(9000),
    "txt": "a,b,é\n".encode() * 2000,
    "bin": b"\x00" + Random(7).randbytes(80_000),
}


def ask(*contents: bytes, text: str = "Read it.", reply: bytes = b'{"a":1}') -> Interaction:
    documents = [
        {"document": {"name": "d", "source": {"bytes": b64encode(content).decode()}}}
        for content in contents
    ]
    return record_interaction(
        json.dumps({"messages": [{"content": [*documents, {"text": text}]}]}).encode(), reply
    )


def write(folder: Path, before: Suite, *cassettes: Cassette) -> Suite:
    with lock(folder, create=True):
        commit(folder, before, cassettes)
    return store.read([folder]) if any(folder.iterdir()) else ()


def make(folder: Path, *interactions: Interaction, name: str = "c") -> Suite:
    return write(folder, (), number_files(Cassette(name, interactions)))


def binary(folder: Path) -> list[str]:
    return sorted(
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".yaml"
    )


def same(one: Suite, interactions: Sequence[Interaction]) -> bool:
    stored = [interaction for cassette in one for interaction in cassette.interactions]
    return stored == list(interactions)


@pytest.mark.parametrize("suffix", CONTENTS)
def test_content_is_a_file_of_its_digest_and_type(suffix: str, tmp_path: Path) -> None:
    content = CONTENTS[suffix]
    url = record_interaction(
        json.dumps({"url": f"data:x/y;base64,{b64encode(content).decode()}"}).encode(), b"{}"
    )
    image = record_interaction(
        b"{}", json.dumps({"images": [b64encode(content).decode()]}, separators=(",", ":")).encode()
    )
    interactions = (ask(content), url, image)
    assert same(make(tmp_path, *interactions), interactions)
    assert binary(tmp_path) == [f"c/{name_content(content, suffix)}"]
    assert (tmp_path / binary(tmp_path)[0]).read_bytes() == content
    assert all(file.stat().st_size < 1500 for file in tmp_path.rglob("*.yaml"))


def test_content_of_every_turn_is_stored_once_and_keys_do_not_change(tmp_path: Path) -> None:
    turns = [ask(PDF, CONTENTS["png"], text=text) for text in "abc"]
    suite = make(tmp_path, *turns)
    assert same(suite, turns)
    assert len(binary(tmp_path)) == 2
    keys = [compute_request_key(interaction.request) for interaction in turns]
    assert [compute_request_key(i.request) for c in suite for i in c.interactions] == keys


def test_short_content_and_text_stay_in_the_interaction(tmp_path: Path) -> None:
    make(
        tmp_path,
        ask(PDF[:900], text="word " * 5000),
        record_interaction(b'{"a": "AAAA"}', b'{"signature":"%b"}' % (b"Aa09" * 4000)),
    )
    assert binary(tmp_path) == []


def test_cassettes_that_contain_it_themselves_are_read_and_stay_as_they_are(tmp_path: Path) -> None:
    old = ask(PDF)
    file = tmp_path / "c" / "0001.yaml"
    file.parent.mkdir()
    file.write_bytes(before := document.write(old))
    suite = store.read([tmp_path])
    assert same(suite, [old])
    write(
        tmp_path,
        suite,
        Cassette(
            "c", (*suite[0].interactions, *number_files(Cassette("c", (ask(b"x"),))).interactions)
        ),
    )
    assert file.read_bytes() == before


def test_commands_keep_the_content(tmp_path: Path) -> None:
    turns = [ask(PDF, text="a"), ask(PDF, CONTENTS["png"], text="b"), ask(text="c")]
    suite = make(tmp_path, *turns)
    pdf, png = name_content(PDF, "pdf"), name_content(CONTENTS["png"], "png")
    suite = write(tmp_path, suite, *bulk.move(suite, {"c": (1,)}, "d"))
    assert binary(tmp_path) == [f"c/{pdf}", *sorted([f"d/{pdf}", f"d/{png}"])]
    suite = write(tmp_path, suite, *bulk.rename(suite, "d", "e"))
    suite = write(tmp_path, suite, *bulk.merge(suite, ["c", "e"], "f"))
    assert binary(tmp_path) == sorted([f"f/{pdf}", f"f/{png}"])
    assert same(suite, [turns[0], turns[2], turns[1]])
    files = list_files(tmp_path, suite, ["f"])
    assert {file.name for file in files} >= {pdf, png}
    packed = tape.unpack(tape.pack(suite), "x")
    unpacked = tmp_path / "unpacked"
    assert same(write(unpacked, (), *packed), [turns[0], turns[2], turns[1]])
    assert binary(unpacked) == sorted([f"f/{pdf}", f"f/{png}"])
    suite = write(tmp_path, suite[:1], *bulk.drop(suite[:1], {"f": (2,)}))
    assert f"f/{png}" not in binary(tmp_path)
    assert f"f/{pdf}" in binary(tmp_path)


def test_the_editor_shows_the_name(tmp_path: Path) -> None:
    (cassette,) = make(tmp_path, ask(PDF))
    (interaction,) = cassette.interactions
    text = edit_buffer.render(interaction)
    assert name_content(PDF, "pdf") in text
    assert len(text) < 2000
    result = edit_buffer.read(text.replace("Read it.", "Read that."), interaction)
    assert result is not None
    assert result.interaction.request == ask(PDF, text="Read that.").request


@pytest.mark.parametrize("damage", ["missing", "other", "link", "name"])
def test_a_file_that_is_not_the_content_is_a_problem_with_its_line(
    damage: str, tmp_path: Path
) -> None:
    make(tmp_path, ask(PDF))
    (file,) = tmp_path.rglob("*.pdf")
    (written,) = tmp_path.rglob("*.yaml")
    content = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "other":
            file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        case "link":
            outside = tmp_path.parent / "outside.pdf"
            outside.write_bytes(content)
            file.unlink()
            file.symlink_to(outside)
        case _:
            written.write_text(written.read_text().replace(f"[{file.name}]", "[../../etc/passwd]"))
    with pytest.raises(CassetteInvalid) as error:
        store.read([tmp_path], cache=tmp_path / "cache")
    (problem,) = error.value.problems
    assert problem.line > 1
    assert "files" in written.read_text().splitlines()[problem.line - 1]
