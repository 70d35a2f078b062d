"""Replaces the requests of recordings by the requests that a test sends now
(`pytest --bedtape=accept`).

A changed prompt needs no new recording if the answer still serves the test. The old files are
copied first, and `bedtape cassette undo` restores them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format.bodies import read_request_body
from bedtape_cassettes.matching.key import canonicalize_request
from bedtape_cassettes.matching.normalise import keep_request_headers
from bedtape_cassettes.model import Cassette, Interaction, Request
from bedtape_cassettes.operations import find_model
from bedtape_cassettes.redaction.scrub import Redaction
from bedtape_cassettes.redaction.walk import scrub_interaction
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.commit import commit, lock
from bedtape_cassettes.storage.file_names import name_new_files
from bedtape_cassettes.storage.misses import has_misses, replace_misses
from bedtape_cassettes.storage.undo import saving
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.library import Library
from bedtape_replayer.answering.match import find_differences
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.plugin.marks import PlayRequest


def accept_requests(
    play_request: PlayRequest, accepted: Sequence[tuple[Interaction, Call]], run: str
) -> Iterator[str]:
    """Writes the requests of calls into the recordings that answered them.

    run: the id of the run, which one `bedtape cassette undo` reverts.

    Yields the changes, a line each.

    Raises CassetteError.
    """
    folder, redaction = play_request.folder, play_request.match.redaction
    calls = {interaction.file: call for interaction, call in accepted}
    with lock(folder, wait=True):
        suite = store.read([folder])
        before = tuple(c for c in suite if any(i.file in calls for i in c.interactions))
        changed = []
        for cassette in before:
            interactions = []
            for interaction in cassette.interactions:
                call = calls.get(interaction.file)
                new = (
                    interaction
                    if call is None
                    else scrub_interaction(_with_request(interaction, call), redaction)
                )
                if call is not None:
                    yield f"accepted: {interaction.file}"
                    yield from _list_changes(interaction, new)
                interactions.append(new)
            home = interactions[0].file.rpartition("/")[0]
            changed.append(name_new_files(Cassette(cassette.name, tuple(interactions)), home))
        with saving(folder, before, [cassette.name for cassette in before], run=run):
            commit(folder, before, tuple(changed), redaction=redaction)


def pair_misses(
    state: SessionState, library: Library, calls: Iterable[Call]
) -> list[tuple[Interaction, Call]]:
    """Returns the calls that missed, each with the recording whose request it may replace.

    Runs in the server's thread.
    """
    index = state.index(library)
    pairs = []
    for call in {index.key(call): call for call in calls}.values():
        if (recording := state.take_next_unplayed(index, call)) is not None:
            pairs.append((recording.interaction, call))
    return pairs


def keep_misses(
    folder: Path,
    played: Collection[str],
    pairs: Sequence[tuple[Interaction, Call]],
    redaction: Redaction,
) -> None:
    """Keeps pairs for `bedtape cassette accept` in place of played ones, if it may write."""
    if pairs or has_misses(folder):
        with suppress(CassetteError, OSError), lock(folder, wait=True):
            sent = [
                scrub_interaction(_with_request(interaction, call), redaction)
                for interaction, call in pairs
            ]
            replace_misses(folder, played, sent, redaction)


def _list_changes(before: Interaction, now: Interaction) -> Iterator[str]:
    for difference in find_differences(
        canonicalize_request(before.request), canonicalize_request(now.request)
    ):
        yield f"  {difference}"


def _with_request(interaction: Interaction, call: Call) -> Interaction:
    body = read_request_body(call.body)
    headers = keep_request_headers(call.head.pairs())
    # The events of a conversation come after the head, so that those of the recording stay.
    events = None if call.body else interaction.request.events
    request = Request(call.method, call.path, headers, body, events)
    return replace(interaction, request=request, model=find_model(call.target, body.data))
