"""A capture without a proxy, with a clock that the test sets and a journal in memory."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from bedtape_cassettes.format import journal
from bedtape_cassettes.model import Headers
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction
from bedtape_recorder.capture import Capture
from bedtape_recorder.finish import WriteResult, recover_file

JSON: Headers = (("Content-Type", "application/json"),)
STREAM: Headers = (("Content-Type", "application/vnd.amazon.eventstream"),)
SSE: Headers = (("Content-Type", "text/event-stream"),)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cuts the data at the places. A place after the end means the end."""
    ends = sorted({0, len(data), *(min(place, len(data)) for place in places)})
    return [data[one:other] for one, other in pairwise(ends)]


class CaptureRun:
    """A capture, its clock and its journal."""

    def __init__(
        self,
        *,
        name: str | None = None,
        exact: bool = False,
        mode: str | None = None,
        redaction: Redaction = ALWAYS,
    ) -> None:
        self.now = 100.0
        self._written = bytearray()
        self.capture = Capture(
            self._write, lambda: self.now, name=name, exact=exact, mode=mode, redaction=redaction
        )
        self._redaction = redaction

    def _write(self, data: bytes) -> None:
        self._written += data

    @property
    def data(self) -> bytes:
        """The journal as it is now."""
        return bytes(self._written)

    @property
    def records(self) -> list[journal.Record]:
        return list(journal.read(self.data, "test.journal"))

    @property
    def body(self) -> bytes:
        """Every byte of every response body that is in the journal."""
        return b"".join(record.data for record in self.records if isinstance(record, journal.Chunk))

    def exchange(
        self,
        path: str,
        request: bytes,
        response: bytes,
        *,
        cuts: Iterable[int] = (),
        method: str = "POST",
        session: str = "default",
        status: int = 200,
        sent: Headers = JSON,
        headers: Headers = JSON,
        error: str | None = None,
    ) -> None:
        """Captures one complete exchange."""
        number = self.capture.add_request(session, method, path, sent, request)
        self.capture.add_head(number, status, headers)
        for piece in cut(response, cuts):
            self.capture.add_chunk(number, piece)
        self.capture.end(number, error)

    def recover(self, folder: Path, *, prune: bool = False) -> WriteResult:
        """Makes cassettes of the journal as it is now, in `folder`, as `--record all` does."""
        path = folder.parent / f"{folder.name}.journal"
        path.write_bytes(self.data)
        return recover_file(path, folder, mode="all", prune=prune, redaction=self._redaction)
