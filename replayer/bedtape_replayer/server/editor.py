"""Changes the cassettes of a folder for the control API, in one step for each
change, and loads them again.

Files that git does not hold are copied to `.bedtape-backup` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from threading import Lock

from bedtape_cassettes.errors import CassetteError, CassetteMissing
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.names import check_name
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_cassettes.storage import git, store
from bedtape_cassettes.storage.commit import back_up, commit, list_changed, list_files, lock
from bedtape_cassettes.storage.file_names import name_new_files
from bedtape_cassettes.suites import edit_buffer
from bedtape_replayer.engine.editor import EditableText, EditConflict


class FolderEditor:
    """An `Editor` of a folder or a `.tape` file.

    redaction: what to replace in what is written. reload: is called after a change, in the thread
    of the change, and plays it. cache: the folder of the load cache, or `None`. Two threads change
    the folder one after the other.
    """

    def __init__(
        self,
        place: Path,
        redaction: Redaction,
        reload: Callable[[], object],
        cache: Path | None = None,
    ) -> None:
        self._place = place
        self._redaction = redaction
        self._reload = reload
        self._cache = cache
        self._turn = Lock()

    def read(self, file: str) -> EditableText | None:
        with self._turn:
            return self._read(file)

    def _read(self, file: str) -> EditableText | None:
        interaction = _find(self._load(), file)
        return None if interaction is None else self._render(interaction)

    def write(self, edited: EditableText) -> EditableText:
        with self._lock():
            before = self._load()
            interaction = _find(before, edited.file)
            if interaction is None or self._render(interaction).version != edited.version:
                actual = "no such file" if interaction is None else "another version"
                raise EditConflict(
                    f"{edited.file}: expected the version that was read, found {actual}; read it"
                    " again, and repeat the edit"
                )
            result = edit_buffer.read(edited.text, interaction)
            if result is not None:
                new = replace(result.interaction, file=edited.file)
                self._commit(
                    before, tuple(_replace(cassette, interaction.file, new) for cassette in before)
                )
            text = self._read(edited.file)
        assert text is not None
        return text

    def keep(self, cassette: str, interaction: Interaction) -> str:
        check_name(cassette)
        with self._lock():
            before = self._load()
            old = next((each for each in before if each.name == cassette), Cassette(cassette, ()))
            new = name_new_files(
                Cassette(cassette, (*old.interactions, replace(interaction, file="")))
            )
            others = tuple(each for each in before if each.name != cassette)
            self._commit(before, (*others, new))
        return new.interactions[-1].file

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(self._turn)
            try:
                stack.enter_context(lock(self._place))
            except CassetteError as error:
                raise EditConflict(str(error)) from None
            yield

    def _load(self) -> Suite:
        try:
            return store.read([self._place], cache=self._cache)
        except CassetteMissing:  # an empty folder
            return ()

    def _render(self, interaction: Interaction) -> EditableText:
        text = edit_buffer.render(interaction)
        path = self._place / interaction.file
        # with comments, which the text does not contain
        data = path.read_bytes() if path.is_file() else b""
        return EditableText(
            interaction.file, text, blake2b(data + text.encode(), digest_size=16).hexdigest()
        )

    def _commit(self, before: Suite, after: Suite) -> None:
        files = list_files(self._place, before, list_changed(before, after))
        if files and not git.contains(files):
            back_up(self._place, files, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        commit(self._place, before, after, redaction=self._redaction)
        self._reload()


def _find(suite: Suite, file: str) -> Interaction | None:
    return next(
        (each for cassette in suite for each in cassette.interactions if each.file == file), None
    )


def _replace(cassette: Cassette, file: str, new: Interaction) -> Cassette:
    return Cassette(
        cassette.name, tuple(new if each.file == file else each for each in cassette.interactions)
    )
