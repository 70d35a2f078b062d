"""The histories that servers share: each sends the outcomes of its calls and reads those of all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.history.values import decode_outcome, encode_outcome
from bedtape_replayer.server.shared.client import StateClient, StateUnavailable
from bedtape_replayer.server.shared.copies import SessionCopy
from bedtape_replayer.server.shared.scripts import APPEND

# Outcomes are sent together: after this time, in seconds, or with this number of them.
_BATCH_SECONDS: Final = 0.02
_BATCH: Final = 256
# The seconds that a reader waits for the outcomes that another server has not sent yet.
_FLUSH_SECONDS: Final = 1.0
# The seconds until a lost subscription is tried again.
_RETRY_SECONDS: Final = 0.1


class Keys:
    """The keys of a namespace at the state server, and its channel.

    database: is in the name of the channel, because a channel is the same in all databases.
    lifetime: milliseconds; 0 for no limit.
    """

    def __init__(self, namespace: str, lifetime: int, database: int) -> None:
        self._prefix = f"bedtape:{namespace}:".encode()
        self._lifetime = b"%d" % lifetime
        self.namespace, self.names = self._prefix + b"namespace", self._prefix + b"sessions"
        self.flush = self._prefix + b"flush:%d" % database

    def find(self, name: str) -> tuple[bytes, bytes, bytes]:
        """The keys of the scripts for a session."""
        return self._prefix + b"session:" + name.encode(), self.namespace, self.names

    def find_lifetime(self, name: str) -> bytes:
        """The milliseconds until an unused session ends. The default session does not end."""
        return b"0" if name == DEFAULT_SESSION else self._lifetime

    def find_history(self, name: str, fields: Mapping[bytes, bytes]) -> bytes:
        """The key of a history, which is another one after the calls were forgotten."""
        generation, cleared = fields.get(b"g", b""), fields.get(b"hg", b"0")
        return b"%bhistory:%b:%b:%b" % (self._prefix, name.encode(), generation, cleared)

    def make_reply(self) -> bytes:
        """A new key for the answers to a reader."""
        return self._prefix + b"flushed:" + uuid4().hex.encode()


class SharedHistories:
    """The histories of all sessions.

    limit: the number of calls that each keeps. budget: the bytes that all together keep at the
    state server. connected: is called when this server listens, also again after an outage; it may
    raise StateUnavailable. The methods are called in the thread of one event loop.
    """

    def __init__(
        self,
        client: StateClient,
        keys: Keys,
        limit: int,
        budget: int,
        connected: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._connected = connected
        self._keys = keys
        self._limit = limit
        self._budget = budget
        self._unsent: list[tuple[str, bytes, bytes, int]] = []
        self._sending = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None

    @property
    def unsent(self) -> int:
        """The number of outcomes that wait."""
        return len(self._unsent)

    async def start(self) -> None:
        """Listen to the servers that read. Returns when this server is subscribed."""
        listening = asyncio.Event()
        self._listener = asyncio.create_task(self._answer_readers(listening))
        await listening.wait()

    async def stop(self) -> None:
        """Send the outcomes that wait."""
        if self._listener is not None:
            self._listener.cancel()  # `end_tasks` waits for its end
        await asyncio.gather(*self._tasks)
        await self._flush()

    def keep(self, copy: SessionCopy, outcome: Outcome) -> None:
        """Keep the outcome of a call until it is sent with others."""
        encoded, number = encode_outcome(outcome), outcome.answer.call.number
        self._unsent.append((copy.session.name, copy.generation, encoded, number))
        if len(self._unsent) >= _BATCH:
            self._start(self._flush())
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_BATCH_SECONDS, lambda: self._start(self._flush()))

    async def gather(self) -> None:
        """Let all servers send the outcomes that wait. Raises StateUnavailable."""
        await self._flush()  # also if this server does not listen yet, after an outage
        reply = self._keys.make_reply()
        for _ in range(await self._client.send("PUBLISH", self._keys.flush, reply)):
            if not await self._client.pop(reply, _FLUSH_SECONDS):
                break  # a server that ends loses the calls of its last batch

    async def read(self, copy: SessionCopy, fields: Mapping[bytes, bytes]) -> None:
        """Add the calls of all servers that the copy does not have.

        fields: of the session's hash at the state server. Raises StateUnavailable, and ValueDamaged
        for a call that another version has written.
        """
        history = copy.session.history
        key = self._keys.find_history(copy.session.name, fields)
        if copy.history != key:
            history.clear()
            copy.begin_history(key)
        for entry, members in await self._client.send("XRANGE", key, b"(" + copy.last, "+"):
            copy.last = entry
            outcome = decode_outcome(members[b"o"] if isinstance(members, dict) else members[1])
            number = outcome.answer.call.number
            if number not in copy.numbers:
                copy.numbers.add(number)
                answer = number_call(outcome.answer, number, copy.session.generation)
                history.add(outcome.with_answer(answer))
        while len(history) > await self._client.send("XLEN", key):
            history.forget_oldest()  # as the state server has
        history.forgotten = max(int(fields.get(b"h", b"0")) - len(history), history.forgotten)

    async def _flush(self) -> None:
        """Send the outcomes that wait. Those that cannot be sent go on waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._sending:
            batch, self._unsent = self._unsent, []
            results = await asyncio.gather(*(self._append(*each) for each in batch))
            failed = [each for each, sent in zip(batch, results, strict=True) if not sent]
            self._unsent = [*failed, *self._unsent][-self._limit :]

    async def _append(self, name: str, generation: bytes, outcome: bytes, number: int) -> bool:
        """Send an outcome, and return whether the state server has answered."""
        lifetime = self._keys.find_lifetime(name)
        limits = (b"%d" % self._limit, lifetime)
        arguments = (*limits, outcome, b"%d" % number, b"%d" % self._budget)
        try:
            keys = self._keys.find(name)
            await self._client.run(APPEND, keys, name.encode(), generation, *arguments)
        except StateUnavailable:
            return False
        return True

    async def _answer_readers(self, listening: asyncio.Event) -> None:
        """Send the outcomes that wait when another server reads a history."""
        while True:
            with suppress(StateUnavailable):
                async for reply in self._client.listen(self._keys.flush):
                    listening.set()
                    # not cancelled with this task, so that no batch is lost at the end
                    await asyncio.shield(self._start(self._flush()))
                    if reply:
                        await self._client.send("RPUSH", reply, b"1")
                        await self._client.send("EXPIRE", reply, b"10")
                    else:
                        await self._connected()
            await asyncio.sleep(_RETRY_SECONDS)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def number_call(answer: Answer, number: int, generation: int) -> Answer:
    """Return the answer to the call with this number, of this generation of its session."""
    call = answer.call
    if (call.number, call.generation) == (number, generation):
        return answer
    call = replace(call, number=number, generation=generation)
    call.share(answer.call.findings)
    return replace(answer, call=call)
