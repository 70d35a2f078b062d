"""From folders to a library, and again whenever the folders change, through the store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from bedtape_cassettes.config.files import find_working_folder, read_settings
from bedtape_cassettes.config.settings import as_list
from bedtape_cassettes.errors import CassetteError, CassetteMissing
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine import checks
from bedtape_replayer.overlay.document import read
from bedtape_replayer.overlay.overlay import Overlay

# Looking at 5,000 files takes 15 ms, so a look every half second at the least and never more
# than a fiftieth of the time.
_INTERVAL = 0.5
_SHARE = 50


def find_folders() -> list[Path]:
    """The folders and `.tape` files that the settings of the working directory name,
    without those that are empty.

    Raises ConfigInvalid.
    """
    here = find_working_folder()
    named = read_settings(here, os.environ, here=here).of("replay").get("cassettes", ())
    return [here / str(name) for name in as_list(named) if store.fingerprint([here / str(name)])]


def load(
    folders: Sequence[Path], *, rules: MatchRules = DEFAULT, cache: Path | None = None
) -> Library:
    """The library of all cassettes under `folders`.

    Raises CassetteError, with every problem, or where there is none.
    """
    suite = store.read(folders, cache=cache)
    library = Library(suite, rules)
    if not len(library):
        where = ", ".join(map(str, folders))
        partial = sum(len(cassette.interactions) for cassette in suite)
        actual = f"only {format_count(partial, 'partial recording')}; record it again"
        raise CassetteMissing(
            f"{where}: expected at least one recorded interaction (a .yaml or .tape file), found"
            f" {actual if partial else 'none'}"
        )
    return library


def read_overlay(file: Path, prefix: str = "file-") -> Overlay:
    """The overlay in a file. prefix: of layers that have no name.

    Raises CassetteError, with every problem and its line.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CassetteMissing(
            f"{file}: expected an overlay file, found none ({error.strerror})"
        ) from None
    return read(data, str(file), prefix, lambda name: (file.parent / name).read_bytes())


async def prepare_checks() -> None:
    """Read the service models that requests are validated with, in a thread.

    If that fails, the first request that needs a model reads it.
    """
    with suppress(OSError):
        await asyncio.to_thread(checks.prepare)


async def watch(
    folders: Sequence[Path],
    seen: store.Fingerprint,
    *,
    read: Callable[[], Library],
    changed: Callable[[Library], None],
    failed: Callable[[CassetteError], None],
) -> None:
    """Loads again whenever a file changes, until cancelled.

    seen: the fingerprint from before the folders were loaded, so that no change falls between.
    read: loads the library. Calls `changed` with the new library, or `failed` where the change
    cannot be read; then the old one stays.
    """
    loop = asyncio.get_running_loop()
    pause = _INTERVAL
    while True:
        await asyncio.sleep(pause)
        began = loop.time()
        now = await asyncio.to_thread(store.fingerprint, folders)
        pause = max(_INTERVAL, _SHARE * (loop.time() - began))
        if now == seen:
            continue
        seen = now
        try:
            changed(await asyncio.to_thread(read))
        except CassetteError as error:
            failed(error)
