"""The upstream's thread: listens on loopback, on a port that the system chooses.

The only file here that opens one.
"""

import asyncio
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from random import Random
from typing import Self

from support import WAIT
from support.upstream.answers import Answer, Answers, RecordedExchange, answer_of
from support.upstream.connection import Connection
from support.upstream.log import Failure, Log, Request, SentAnswer
from support.upstream.service import Service
from support.upstream.sigv4 import Credentials, Keys
from support.upstream.tls import server_context

CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
BEARER_TOKEN = "bedrock-api-key-of-no-one"


class Upstream:
    """A running upstream, as a context manager; what it saw can still be read when it is closed.

    exchanges: Answers, or what `answer_of` takes. alpn: what it offers in TLS; without TLS, HTTP/2
    is had by prior knowledge. varying: changes ids, latencies and times in every answer. ca: the
    PEM file that clients are to trust (with TLS; gone when the upstream is closed).
    """

    def __init__(
        self,
        exchanges: Iterable[Answer | RecordedExchange] = (),
        *,
        credentials: Sequence[Credentials] = (CREDENTIALS,),
        bearer_tokens: Iterable[str] = (BEARER_TOKEN,),
        tls: bool = True,
        alpn: Sequence[str] = ("h2", "http/1.1"),
        varying: Random | None = None,
    ) -> None:
        self.credentials = credentials[0]
        self.log = Log()
        self._answers = Answers()
        self.add(*exchanges)
        self.service = Service(
            Keys(tuple(credentials), frozenset(bearer_tokens)), self._answers, self.log
        )
        self.service.chance = varying
        self._folder = tempfile.TemporaryDirectory(prefix="bedtape-upstream-")
        self.ca = Path(self._folder.name) / "ca.pem"
        self.context: ssl.SSLContext | None = server_context(self.ca, alpn) if tls else None
        self.port = 0
        self.resumed = asyncio.Semaphore(0)
        self._errors: list[BaseException] = []
        self._connections: set[Connection] = set()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._listening: Future[int] = Future()

    # -- for tests

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://localhost:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """What it received, in the order in which the requests were whole; also what it refused."""
        return self.log.requests

    @property
    def sent(self) -> list[SentAnswer]:
        """What it answered, in the order in which it began to."""
        return self.log.sent

    @property
    def failures(self) -> list[Failure]:
        """The requests that were not signed as they must be."""
        return self.log.failures

    @property
    def unmatched(self) -> list[Request]:
        """The requests that it was not told to answer."""
        return self.log.unmatched

    @property
    def handshakes_failed(self) -> list[BaseException]:
        """How TLS handshakes failed: with clients that do not trust the
        certificate, or that left.
        """
        return self.log.handshakes_failed

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def add(self, *exchanges: Answer | RecordedExchange) -> None:
        """Answers these too. To be called while nothing is asked that they answer."""
        self._answers.add(e if isinstance(e, Answer) else answer_of(e) for e in exchanges)

    def clear(self) -> None:
        """Forgets all answers and all that was seen: for the next test on the same upstream."""
        self._answers.clear()
        self.log.clear()
        self.resumed = asyncio.Semaphore(0)

    def resume(self, stalls: int = 1) -> None:
        """Lets so many stalled answers go on; one that has not stalled yet will not stop."""
        for _ in range(stalls):
            self._loop.call_soon_threadsafe(self.resumed.release)

    def wait_for(self, predicate: Callable[[], bool], timeout: float = WAIT) -> None:
        """Returns when the predicate of what was seen holds.

        Raises TimeoutError after so many seconds.
        """
        self.log.wait_for(predicate, timeout)

    # -- its life

    def start(self) -> None:
        """Listens when it returns."""
        self._thread.start()
        self.port = self._listening.result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drops every connection and ends.

        Raises what went wrong in the upstream itself, or with what it was sent.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._folder.cleanup()
        errors, self._errors = self._errors, []
        if errors:
            raise BaseExceptionGroup("in the upstream", errors)

    def _run(self) -> None:
        try:
            # The standard library's loop, whatever else this process has chosen.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the thread that waits for the port is told
            if self._listening.done():
                self._errors.append(error)
            else:
                self._listening.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        numbers = count()
        server = await self._loop.create_server(
            lambda: Connection(self, next(numbers)), "127.0.0.1", 0, backlog=512
        )
        async with server:
            self._listening.set_result(server.sockets[0].getsockname()[1])
            await self._stopping.wait()
            server.close()
            for connection in tuple(self._connections):
                connection.abort()
            while self._connections:
                # an aborted connection tells of it when the loop comes round
                await asyncio.sleep(0)

    # -- what connections say

    def add_connection(self, connection: Connection) -> None:
        self._connections.add(connection)

    def remove_connection(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self.log.notify()

    def add_error(self, error: BaseException) -> None:
        self._errors.append(error)
