"""What several servers share: sessions at a state server, and the cassettes of a bucket.

Both need packages that take a tenth of a second to import, so they are imported when they are used.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import store
from bedtape_replayer.api.route import VERSION
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.server.monitoring.metrics import Measure

if TYPE_CHECKING:
    from bedtape_replayer.server.shared.state import SharedState

# The seconds between two looks at the newest version.
INTERVAL = 5.0
# The digits of a version in messages.
_SHOWN = 12


class Mirror:
    """A `.tape` file with the version of the cassettes that an address names.

    folder: of all mirrors; each address has its own file. Raises CassetteError for an address that
    is none.
    """

    def __init__(self, address: str, folder: Path) -> None:
        from bedtape_cassettes.storage.bucket import Bucket, BucketAddress

        self._address = BucketAddress.parse(address)
        self.name = str(self._address)
        self._bucket = Bucket(self._address)
        self.file = folder / f"{sha256(address.encode()).hexdigest()[:32]}{store.TAPE}"
        self._reached, self._failures = 0.0, 0
        self._digest: str | None = None

    def __str__(self) -> str:
        """Return the address, and the version that was fetched if the address names none."""
        if self._digest is None or self._address.digest is not None:
            return self.name
        return f"{self.name}, version {self._digest[:_SHOWN]}…"

    def update(self) -> None:
        """Fetch the version, unless the file is that version. Raises CassetteError."""
        try:
            digest = self._bucket.find_digest()
            self._bucket.fetch(self.file, digest)
            self._digest = digest
            self._reached = time.time()
        except OSError as error:  # of the disk
            raise CassetteError(f"{self.file}: cannot be written: {error}") from None

    def open(self, report: Callable[[str], object]) -> Path:
        """Return the file. If the bucket cannot be reached, it has the last version that was
        fetched, and `report` gets a line. Raises CassetteError if no version was fetched.
        """
        try:
            self.update()
        except CassetteError as error:
            if not self.file.exists():
                raise
            report(f"{error}; the last version that was fetched is played")
        return self.file

    def list_measures(self) -> Iterator[Measure]:
        """Yield the metrics of the bucket, whose address is a label."""
        labels = {"bucket": self.name}
        yield Measure(
            "bedtape_bucket_success_timestamp_seconds",
            "gauge",
            "Unix time at which the bucket was last read; 0 if it was never read.",
            lambda: self._reached,
            labels,
        )
        yield Measure(
            "bedtape_bucket_failures_total",
            "counter",
            "Attempts to read a newer version that failed.",
            lambda: self._failures,
            labels,
        )

    async def follow(self, report: Callable[[str], object]) -> None:
        """Fetch each newer version until cancelled. Each new problem is reported once."""
        reported = ""
        while self._address.digest is None:
            await asyncio.sleep(INTERVAL)
            try:
                await asyncio.to_thread(self.update)
                reported = ""
            except CassetteError as error:
                self._failures += 1
                if str(error) != reported:
                    reported = str(error)
                    report(f"{reported}; the last version that was fetched is played")


def open_folders(
    places: Sequence[str | Path], report: Callable[[str], object]
) -> tuple[list[Path], list[Mirror]]:
    """Return the folders and files of places, and the mirrors of those that are buckets.

    Raises CassetteError.
    """
    paths, mirrors = list[Path](), dict[str, Mirror]()
    for place in places:
        if (address := read_address(place)) is None:
            paths.append(Path(place))
        elif (mirror := open_mirror(address)).name not in mirrors:
            mirrors[mirror.name] = mirror
            paths.append(mirror.open(report))
    return paths, [*mirrors.values()]


def read_address(place: str | Path) -> str | None:
    """Return the address of a bucket, which a path has with one slash, or `None`."""
    start, _, rest = str(place).partition(":/")
    return f"s3://{rest.removeprefix('/')}" if start == "s3" else None


def open_mirror(address: str) -> Mirror:
    """Return the mirror of a bucket's cassettes, in the folder for bedtape's private files.

    Raises CassetteError.
    """
    return Mirror(address, store.find_state_folder(os.environ) / "buckets")


def share_sessions(engine: Engine, url: str, namespace: str, idle: float) -> SharedState:
    """Let the engine share its sessions at a state server. Raises CassetteError.

    idle: the seconds without calls after which a session ends; 0 for no limit.
    """
    from bedtape_replayer.server.shared.state import SharedState

    return SharedState(
        engine, url, VERSION, namespace=namespace, budget=engine.memory.limit, lifetime=idle or None
    )
