"""`bedtape replay --workers N`: several processes that serve one port, and each a port of its own besides.

They are forked when the cassettes are loaded, and share nothing that changes after. The kernel deals connections
out; a client that must find again what it left says so by the port. This file never reads a request.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from bedtape_replayer.server.server import BACKLOG

__all__ = ["Serve", "Worker", "run", "workers_on"]


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker listens on: its part of the shared port, and the port that is its own."""

    shared: socket.socket
    own: socket.socket

    @property
    def sockets(self) -> tuple[socket.socket, socket.socket]:
        return self.shared, self.own


# Serves on a worker's sockets until the leash, the read end of a pipe, is at its end.
Serve = Callable[[Worker, int], None]


def workers_on(host: str, port: int, count: int) -> tuple[Worker, ...]:
    """Sockets that listen, for so many workers. Their own ports follow the shared one; all are free ones where it is 0.

    Raises OSError where a port cannot be had.
    """
    opened: list[socket.socket] = []
    try:
        if port:  # SO_REUSEPORT would share it with a stranger too, if it is another server of this kind
            _bound(host, port).close()
        opened.append(_bound(host, port, shared=True))
        for _ in range(1, count):
            opened.append(_bound(host, opened[0].getsockname()[1], shared=True))
        for number in range(1, count + 1):
            opened.append(_bound(host, port and port + number))
        for listener in opened:
            listener.listen(BACKLOG)
    except BaseException:
        for listener in opened:
            listener.close()
        raise
    return tuple(map(Worker, opened[:count], opened[count:]))


def _bound(host: str, port: int, *, shared: bool = False) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(workers: Sequence[Worker], serve: Serve) -> int:
    """Runs the workers until a signal comes or one of them ends; the exit code: 0 where all ended in order."""
    leash, held = os.pipe()
    gc.collect()
    gc.freeze()  # a collection marks what it looks at, and so would copy all that is shared
    # A signal that comes while the workers begin waits until somebody is there to hear it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    children = [_forked(worker, workers, serve, leash, held, before) for worker in workers]
    os.close(leash)
    for each in workers:
        for listener in each.sockets:
            listener.close()
    ending = _Ending(held, children)
    for number in _SIGNALS:
        signal.signal(number, ending.on_signal)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return max(_codes(children, ending))


def _codes(children: Sequence[int], ending: _Ending) -> Iterator[int]:
    """How each ended. One that ends takes the others with it: half a server would look like a whole one."""
    for _ in children:
        pid, status = os.wait()
        ending.over(pid)
        yield 0 if os.waitstatus_to_exitcode(status) == 0 else 1


class _Ending:
    """Lets go of the leash once, which ends all workers in order; a second signal ends them at once."""

    def __init__(self, held: int, children: Sequence[int]) -> None:
        self._held: int | None = held
        self._alive = set(children)

    def on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as Python calls it
        if self._held is None:
            for child in self._alive:
                os.kill(child, signal.SIGTERM)
        self._let_go()

    def over(self, child: int) -> None:
        """One of them has ended."""
        self._alive.discard(child)
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _forked(worker: Worker, workers: Sequence[Worker], serve: Serve, leash: int, held: int, heard: set[int]) -> int:
    """The process id of a new worker; in it, this never returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _work(worker, workers, serve, leash, held, heard)
    return child


def _work(worker: Worker, workers: Sequence[Worker], serve: Serve, leash: int, held: int, heard: set[int]) -> NoReturn:
    code = 1
    try:
        os.close(held)  # or the leash would never end
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first process passes it on
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        for other in workers:
            if other is not worker:
                other.shared.close()
                other.own.close()
        serve(worker, leash)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
