"""Plays the Bedrock entries of VCR.py's cassettes (`pytest --bedtape-vcr`).

VCR.py plays the other entries.

VCR.py finds, opens and matches its cassettes itself, so that every folder layout, serializer,
filter and matcher of a suite applies. Only requests of botocore and aiobotocore are taken; VCR.py
answers other clients as before.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bedtape_cassettes.foreign.exchange import Unusable, host_of, path_of
from bedtape_cassettes.foreign.importers.vcr import read_vcrpy_entry
from bedtape_cassettes.foreign.to_interaction import convert
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.match import Index, IndexedRecording
from bedtape_replayer.plugin.bedrock import Bedrock
from bedtape_replayer.plugin.migrating import MigratedTest, PlayedAnswer

# The request header with the number of the entry that VCR.py chose.
_ENTRY = "x-bedtape-vcr-entry"


@dataclass(slots=True, eq=False)
class VcrCassette:
    """An open cassette of VCR.py.

    context: the object that opened it. positions: the positions of Bedrock's entries by the id of
    their response. bedrock: the session that plays the entries; None if the cassette has none.
    taken: the requests that bedtape took, each with the position of its entry.
    """

    context: object
    cassette: Any
    positions: Mapping[int, int] = field(default_factory=dict)
    bedrock: Bedrock | None = None
    taken: list[tuple[int, Any]] = field(default_factory=list)


class VcrCassettes:
    """The open cassettes, the innermost last.

    begin: returns the session that plays a cassette; its arguments are the cassette, its folder,
    and the function that chooses the recording. end: ends a session. migrated: returns the running
    test, if the suite is migrated.
    """

    def __init__(
        self,
        begin: Callable[[Cassette, Path, Callable[[Call, Index], Any]], Bedrock],
        end: Callable[[Bedrock], None],
        migrated: Callable[[], MigratedTest] | None = None,
    ) -> None:
        self._begin = begin
        self._end = end
        self._migrated = migrated
        self._open: list[VcrCassette] = []

    def open(self, context: object, cassette: Any) -> None:
        """Starts to play a cassette that VCR.py has opened."""
        opened = VcrCassette(context, cassette)
        self._open.append(opened)
        path = Path(cassette._path)  # older versions have no other name for it
        interactions: dict[int, Interaction] = {}
        for position, (request, response) in enumerate(cassette.data):
            # an entry of another service or a damaged one: VCR.py plays it
            with suppress(Unusable):
                file = f"{path.name}#{position + 1}"
                interactions[position] = _read_entry(request, response, file)
        if not interactions:
            return
        opened.positions = {id(cassette.data[position][1]): position for position in interactions}
        opened.bedrock = self._begin(
            Cassette(path.stem, tuple(interactions.values())),
            path.parent,
            _Chooser({i.file: n for n, i in interactions.items()}),
        )

    def close(self, context: object) -> None:
        """Ends the context's cassettes, and counts Bedrock's entries that VCR.py itself played."""
        for opened in [each for each in self._open if each.context is context]:
            self._open.remove(opened)
            if opened.bedrock is not None:
                played = sum(
                    opened.cassette.play_counts[position] for position in opened.positions.values()
                )
                opened.bedrock.tally.by_vcr += played - len(opened.taken)
                self._end(opened.bedrock)
                if self._migrated is not None:
                    _migrate(opened, self._migrated())

    def take(self, request: Any) -> bool:
        """Redirects botocore's request to the server, if VCR.py would answer it."""
        opened = self._open[-1] if self._open else None
        if opened is None or opened.bedrock is None or _is_socket_blocked():
            return False
        sent = sys.modules["vcr.request"].Request(
            request.method, request.url, request.body, dict(request.headers)
        )
        position = _find_position(opened, sent)
        if position is None:
            return False
        opened.cassette.play_response(sent)  # VCR.py counts what was played
        opened.taken.append((position, sent))
        request.headers[_ENTRY] = str(position)
        request.url = f"{opened.bedrock.url}{path_of(request.method, request.url)}"
        return True


def ignore_requests(cassette: Any, is_own: Callable[[str], bool]) -> None:
    """Lets VCR.py pass requests to bedtape's server. is_own: whether a URL is of that server."""
    filter_request = cassette._before_record_request

    def filter_others(request: Any) -> Any:
        return None if is_own(request.uri) else filter_request(request)

    cassette._before_record_request = filter_others


def _is_socket_blocked() -> bool:
    """Whether pytest-socket blocks sockets. VCR.py needs none, so it plays the test alone."""
    kind = sys.modules["socket"].socket
    return "pytest_socket" in (kind.__module__, getattr(kind.connect, "__module__", None))


def _find_position(opened: VcrCassette, sent: Any) -> int | None:
    """Returns the position of the entry that VCR.py would play, if it is Bedrock's."""
    cassette = opened.cassette
    if not cassette.can_play_response_for(sent):
        return None
    everywhere = {id(response): position for position, (_, response) in enumerate(cassette.data)}
    for response in cassette.responses_of(sent):
        position = everywhere[id(response)]
        if cassette.allow_playback_repeats or not cassette.play_counts[position]:
            return opened.positions.get(id(response))
    return None


class _Chooser:
    """Chooses the recording of a request's entry. numbers: entries' positions by file."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = numbers
        self._recordings: dict[str, IndexedRecording] = {}

    def __call__(self, call: Call, index: Index) -> IndexedRecording | None:
        if not self._recordings:
            each = (recording for queue in index.queues() for recording in queue)
            self._recordings = {str(self._numbers[one.interaction.file]): one for one in each}
        return self._recordings.get(call.head.get(_ENTRY) or "")


def _migrate(opened: VcrCassette, test: MigratedTest) -> None:
    """Gives a migrated test what it played: bedtape's requests, then those of VCR.py."""
    data = opened.cassette.data
    left = Counter(
        {position: opened.cassette.play_counts[position] for position in opened.positions.values()}
    )
    left.subtract(position for position, _ in opened.taken)
    for position, sent in (
        *opened.taken,
        *((position, data[position][0]) for position in left.elements()),
    ):
        recorded, response = data[position]
        test.played.append(
            PlayedAnswer(
                *(
                    _read_entry(request, response, "", exact=test.exact)
                    for request in (recorded, sent)
                )
            )
        )
    for position, (request, _) in enumerate(data):
        if position not in opened.positions.values():
            test.hosts[host_of(request.uri)] += 1
    test.sources.add(Path(opened.cassette._path))


def _read_entry(request: Any, response: Any, file: str, *, exact: bool = True) -> Interaction:
    """Converts an entry in VCR.py's memory, still with its secrets. Raises Unusable."""
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    elif not isinstance(body, bytes | str | None):
        body = b"".join(body)
    plain = {
        "method": request.method,
        "uri": request.uri,
        "headers": dict(request.headers),
        "body": body,
    }
    exchange = read_vcrpy_entry({"request": plain, "response": response})
    return replace(convert(exchange, None, exact=exact).interaction, file=file)
