"""Loading, and loading again when files change."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bedtape_cassettes.errors import CassetteError, CassetteInvalid, CassetteMissing
from bedtape_cassettes.model import Cassette
from bedtape_cassettes.storage import store
from bedtape_replayer.answering.library import Library
from bedtape_replayer.server import loading
from support import WAIT, folders
from support.recordings import converse


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissing, match="expected at least one recorded interaction"):
        loading.load([tmp_path])


def test_a_folder_of_partial_recordings_is_refused_with_this_reason(tmp_path: Path) -> None:
    folders.write(tmp_path, Cassette("cut", (replace(converse("a", "1"), partial=True),)))
    with pytest.raises(CassetteMissing, match="found only 1 partial recording; record it again"):
        loading.load([tmp_path])


def test_a_broken_file_is_never_partly_loaded(tmp_path: Path) -> None:
    folders.write(tmp_path, Cassette("good", (converse("a", "1"),)))
    (tmp_path / "good" / "0002.yaml").write_text("bedtape: 1\n")
    with pytest.raises(CassetteInvalid):
        loading.load([tmp_path])


def test_a_watch_reports_what_changed_and_what_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_INTERVAL", 0.01)
    folders.write(tmp_path, Cassette("c", (converse("a", "1"),)))
    seen = store.fingerprint([tmp_path])
    told: asyncio.Queue[Library | CassetteError] = asyncio.Queue()

    async def run() -> None:
        watching = asyncio.create_task(
            loading.watch(
                [tmp_path],
                seen,
                read=lambda: loading.load([tmp_path]),
                changed=told.put_nowait,
                failed=told.put_nowait,
            )
        )
        folders.write(tmp_path, Cassette("d", (converse("b", "2"),)))
        library = await asyncio.wait_for(told.get(), WAIT)
        while isinstance(library, Library) and len(library) != 2:  # files come one by one
            library = await asyncio.wait_for(told.get(), WAIT)
        store.replace_file(tmp_path / "c" / "9.yaml", b"x")
        assert isinstance(await asyncio.wait_for(told.get(), WAIT), CassetteInvalid)
        (tmp_path / "c" / "9.yaml").unlink()
        assert isinstance(await asyncio.wait_for(told.get(), WAIT), Library)
        watching.cancel()

    asyncio.run(run())
