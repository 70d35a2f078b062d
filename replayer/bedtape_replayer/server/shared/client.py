"""The connection to Valkey or Redis: sends commands in batches, in order, and fails quickly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

try:
    from redis import exceptions
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError:  # the extra `state` is not installed
    Redis = None  # type: ignore[assignment, misc]

from bedtape_cassettes.errors import CassetteError

# The seconds that a call waits for the state server. Then it is answered with 503, and SDKs retry.
TIMEOUT: Final = 2.0
_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss"}


class StateUnavailable(Exception):
    """The state server does not answer, or answers with an error."""


class StateClient:
    """Sends commands to the state server. A batch is one round trip for all that wait.

    url: as `redis://`, `rediss://`, `valkey://` or `valkeys://`. Raises CassetteError for another
    URL, or if the package `redis` is not installed.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in _SCHEMES or not rest:
            # the rest may contain a password
            actual = f"{scheme!r} before ://" if "://" in url else "no ://"
            raise CassetteError(
                f"--state: expected valkey://HOST[:PORT][/DB], valkeys://, redis:// or rediss://,"
                f" found {actual}"
            )
        if Redis is None:
            raise CassetteError(
                "--state needs the package redis; install it with: pip install 'bedtape[state]'"
            )
        try:
            self._redis: Any = Redis.from_url(
                f"{_SCHEMES[scheme]}://{rest}",
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            raise CassetteError(
                "--state: expected valkey://USER:PASSWORD@HOST:PORT/DB, found another form; encode"
                " special characters of the password as %XX"
            ) from None
        database = urlsplit(f"redis://{rest}").path.strip("/")
        if database and not (database.isascii() and database.isdigit()):
            raise CassetteError(
                f"--state: expected the number of a database after the /, found {database!r}"
            )
        self._errors: tuple[type[Exception], ...] = (exceptions.RedisError, OSError, TimeoutError)
        self._no_script: type[Exception] = exceptions.NoScriptError
        self._refusals: tuple[type[Exception], ...] = (
            exceptions.AuthenticationError,
            exceptions.ResponseError,
        )
        self._lost: type[Exception] = exceptions.ConnectionError
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._digests: dict[str, str] = {}

    @property
    def database(self) -> int:
        """The number of the database. Channels are the same in all databases."""
        number: int = self._redis.connection_pool.connection_kwargs.get("db") or 0
        return number

    async def close(self) -> None:
        """Close the connections. A command that waits gets no answer."""
        if self._sender is not None:
            self._sender.cancel()
        await self._redis.aclose()

    async def run(self, script: str, keys: Sequence[bytes], *arguments: bytes) -> Any:
        """Run a script, and return its answer as the client library decodes it.

        keys, arguments: of the script. Raises StateUnavailable.
        """
        digest = self._digests.get(script)
        if digest is None:
            digest = self._digests[script] = await self.send("SCRIPT LOAD", script.encode())
        try:
            return await self._send(("EVALSHA", digest, len(keys), *keys, *arguments))
        except self._no_script:  # the state server was started anew
            self._digests.clear()
            return await self._send(("EVAL", script, len(keys), *keys, *arguments))

    async def send(self, *command: Any) -> Any:
        """Send a command, together with others that wait, and return its answer.

        command: the name and the arguments. Raises StateUnavailable, also for an error that the
        state server answers, and if no answer comes in `TIMEOUT` seconds.
        """
        return await self._send(command)

    async def pop(self, key: bytes, seconds: float) -> bool:
        """Wait for an item of a list, on a connection of its own, and remove the item.

        Return whether an item came within these seconds. Raises StateUnavailable.
        """
        try:
            return await self._redis.blpop([key], timeout=seconds) is not None
        except self._errors as error:
            raise self._fail(error) from None

    async def listen(self, channel: bytes) -> AsyncIterator[bytes]:
        """Yield the messages of a channel, and first an empty one, when it listens.

        Raises StateUnavailable when the connection is lost.
        """
        try:
            async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(channel)
                yield b""
                async for message in subscription.listen():
                    yield message["data"]
        except self._errors as error:
            raise self._fail(error) from None

    async def _send(self, command: tuple[Any, ...]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, answer))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())
        return await answer

    async def _send_all(self) -> None:
        """Send all commands that wait, until none waits."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for command, _ in batch:
                        pipeline.execute_command(*command)
                    async with asyncio.timeout(TIMEOUT):
                        results = await pipeline.execute(raise_on_error=False)
            except Exception as error:  # noqa: BLE001 - every caller gets an answer, whatever the parser raises
                results = [error] * len(batch)
                if isinstance(error, self._lost):  # the idle connections are lost too
                    await self._redis.connection_pool.disconnect(inuse_connections=False)
            for (_, answer), result in zip(batch, results, strict=True):
                if answer.done():  # its caller has gone
                    continue
                if not isinstance(result, Exception):
                    answer.set_result(result)
                elif isinstance(result, self._no_script):
                    answer.set_exception(result)
                else:
                    answer.set_exception(self._fail(result))

    def _fail(self, error: Exception) -> StateUnavailable:
        reason = " ".join(str(error).split()) or type(error).__name__
        problem = "refuses" if isinstance(error, self._refusals) else "does not answer"
        return StateUnavailable(f"the state server {problem}: {reason}")
