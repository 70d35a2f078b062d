"""Answers the calls of one server among several that share their sessions.

An answer is computed from a copy of the session. The state server then commits what the call
changes, in one round trip, if the copy was right. Otherwise the copy is corrected, and the answer
computed again. So counts are exact, and a server that ends loses nothing but the calls that are not
in a history yet.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.answering.answer import Answer, Outcome
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.answering.reply import build_error_reply, build_own_reply, make_request_id
from bedtape_replayer.api.monitor_routes import CHECKED, LOCAL
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.engine.session_state import SessionState, read_session
from bedtape_replayer.history.values import ValueDamaged
from bedtape_replayer.server.monitoring.metrics import Measure
from bedtape_replayer.server.shared.client import StateClient, StateUnavailable
from bedtape_replayer.server.shared.copies import FIRED, MATCHED, Change, SessionCopy, dump_memory
from bedtape_replayer.server.shared.histories import Keys, SharedHistories, number_call
from bedtape_replayer.server.shared.layers import build_document
from bedtape_replayer.server.shared.scripts import CHANGE, COMMIT, RESET

# The error of a call while the state server cannot be asked. SDKs send such a call again.
UNAVAILABLE: Final = "StateUnavailable"
# The seconds that a probe waits for the state server. Kubernetes waits a second for the answer.
_PROBE_SECONDS: Final = 0.5
# A call that so many other calls of its session overtook is answered with 503.
_MOST_TRIES: Final = 100
_MOST_COPIES: Final = 20_000
_SESSION = re.compile(r"/_bedtape/(?:inspector/)?sessions/([^/?]+)")
_RESET = re.compile(r"/_bedtape/reset/?(?:\?.*)?")


class SharedState:
    """The sessions of several servers, at a state server.

    namespace: servers with another namespace see nothing of these sessions. version: of bedtape;
    servers of two versions do not share. lifetime: the seconds after which a session without calls
    ends; `None` for no limit. limit: the number of calls that each history keeps. budget: the bytes
    that all histories of the namespace keep at the state server. Raises CassetteError for a URL
    that is none.
    """

    def __init__(
        self,
        engine: Engine,
        url: str,
        version: str,
        *,
        namespace: str = "default",
        limit: int = 10_000,
        budget: int = Memory.LIMIT,
        lifetime: float | None = None,
    ) -> None:
        self._engine = engine
        self._client = StateClient(url)
        self._version = version
        self._keys = Keys(namespace, int((lifetime or 0) * 1000), self._client.database)
        self._histories = SharedHistories(self._client, self._keys, limit, budget, self._claim)
        # Why this server must not use the sessions; empty if it may.
        self._refusal = ""
        self._copies: dict[str, SessionCopy] = {}
        self._clock = b"0"
        self._server, self._named = uuid4().hex.encode(), 0
        self._failures = 0
        self._checking: asyncio.Task[None] | None = None
        engine.share_outcome = self._keep

    async def start(self) -> None:
        """Connect, and listen to the other servers.

        Raises CassetteError if the state server does not answer, or serves another version.
        """
        try:
            await self._refuse_cluster()
            await self._claim()
            if self._refusal:
                raise CassetteError(f"--state: {self._refusal}")
        except StateUnavailable as error:
            await self._client.close()
            raise CassetteError(f"--state: {error}") from None
        except CassetteError:
            await self._client.close()
            raise
        await self._histories.start()

    async def _claim(self) -> None:
        """Give the namespace this version, if it has none, and find out whether it has another.

        Raises StateUnavailable. A state server that lost its data has no version.
        """
        version = self._version.encode()
        await self._client.send("HSETNX", self._keys.namespace, "version", version)
        other = await self._client.send("HGET", self._keys.namespace, "version")
        self._refusal = (
            ""
            if other == version
            else f"expected sessions of bedtape {self._version}, found those of bedtape"
            f" {other.decode(errors='replace')}; start all servers with one version, or choose"
            " another --namespace"
        )

    async def _refuse_cluster(self) -> None:
        """Raises CassetteError for a cluster, because a script uses keys of several nodes."""
        information = await self._client.send("INFO", "cluster")
        if str(information.get("cluster_enabled")) == "1":
            raise CassetteError(
                "--state: expected one state server, or a primary with replicas, found a cluster;"
                " turn cluster mode off (cluster-enabled no)"
            )

    async def stop(self) -> None:
        """Send the outcomes that wait, and disconnect."""
        if self._checking is not None:
            self._checking.cancel()
        await self._histories.stop()
        await self._client.close()

    def list_measures(self) -> Iterator[Measure]:
        """The metrics of the sharing."""
        yield Measure(
            "bedtape_state_failures_total",
            "counter",
            "Requests that were answered with StateUnavailable.",
            lambda: self._failures,
        )
        yield Measure(
            "bedtape_history_unsent_calls",
            "gauge",
            "Calls that wait in this process until they are sent to their histories.",
            lambda: self._histories.unsent,
        )

    # -- calls -------------------------------------------------------------------------------------

    async def answer(
        self, method: str, target: str, head: Head, body: bytes, prepared: Call | None = None
    ) -> Answer:
        """Return the answer to a request, as `Engine.answer`. It raises no StateUnavailable."""
        session, prefix, path = read_session(target, head)
        name = session or DEFAULT_SESSION
        control = self._engine.control
        is_control = control is not None and control.owns(path)
        try:
            if is_control:
                if CHECKED.match(path):
                    await self._check()
                elif LOCAL.match(path):
                    self._start_check()
                if LOCAL.match(path):
                    return self._engine.answer(method, target, head, body)
                self._check_refusal()
                return await self._control(name, method, target, path, head, body)
            self._check_refusal()
            for _ in range(_MOST_TRIES):
                call = prepared or self._engine.prepare(method, target, head, body)
                answer = await self._try(name, call, (method, target, head, body))
                if answer is not None:
                    return answer
            raise StateUnavailable(f"{_MOST_TRIES} calls of other servers changed the session")
        except (StateUnavailable, ValueDamaged) as error:
            self._failures += 1
            self._forget_copies()
            namespace = self._engine.namespace
            call = Call(name, method, path, head, body, prefix=prefix, namespace=namespace)
            if is_control:
                message = f"{UNAVAILABLE}: {error}; send the request again"
                reply = build_own_reply(503, compact({"error": message}))
                return Answer(call, reply, "control")
            message, request_id = f"bedtape: {error}; send the call again", make_request_id(body)
            reply = build_error_reply(503, UNAVAILABLE, message, request_id, call.dialect)
            return Answer(call, reply, "overlay", str(error))

    def _check_refusal(self) -> None:
        if self._refusal:
            raise StateUnavailable(self._refusal)

    def _start_check(self) -> None:
        """Check without waiting, for the next request that reads the result."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())

    async def _check(self) -> None:
        """Find out whether the state server answers, for the readiness."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await (self._claim() if self._refusal else self._client.send("PING"))
        except (StateUnavailable, TimeoutError):
            self._engine.problems["state"] = "the state server does not answer"
        else:
            self._engine.problems.pop("state", None)
            if self._refusal:
                self._engine.problems["state"] = self._refusal

    async def _try(
        self, name: str, call: Call, request: tuple[str, str, Head, bytes]
    ) -> Answer | None:
        """Compute an answer and commit it. Return None if the copy of the session was not right."""
        engine = self._engine
        copy = self._copy(engine.sessions.get(name))
        session = copy.session
        index = session.index(engine.library)
        key = index.key(call)
        strict = engine.strict if session.strict is None else session.strict
        compare = copy.watch(key, varies=strict or len(index.queue(key)) > 1)
        answer = engine.answer(*request, call)
        change, known = compare(), (copy.generation, copy.document, copy.memory)
        if change.memory is not None:
            copy.memory = self._make_name()
        kind, *rest = await self._client.run(
            COMMIT, self._keys.find(name), *self._arguments(name, known, change, copy.memory)
        )
        if kind == 2:
            copy.generation = rest[1]
            return number_call(answer, int(rest[0]), session.generation)
        self._correct(copy, change, kind, *rest)
        return None

    def _arguments(
        self, name: str, known: tuple[bytes, bytes, bytes], change: Change, memory: bytes
    ) -> Iterable[bytes]:
        yield from (name.encode(), self._keys.find_lifetime(name), *known, self._clock)
        yield change.memory or b""
        yield memory if change.memory is not None else b""
        yield b"%d" % len(change.exact)
        for field, (before, after) in change.exact.items():
            yield from (field, b"%d" % before, b"%d" % after)
        for field, added in change.added.items():
            yield from (field, b"%d" % added)

    def _make_name(self) -> bytes:
        """Return a name of what a session remembers, which no server uses again."""
        self._named += 1
        return b"%b:%d" % (self._server, self._named)

    def _correct(
        self, copy: SessionCopy, change: Change, kind: int, clock: bytes, pairs: Any
    ) -> None:
        """Correct the copy of a session by what the state server answered."""
        self._set_clock(clock)
        fields = _read_pairs(pairs)
        if kind == 0:
            copy.replace(fields)
        else:
            copy.correct(change, {field: int(count) for field, count in fields.items()})

    def _set_clock(self, clock: bytes) -> None:
        self._clock = clock
        self._engine.clock.now = float(clock)

    def _copy(self, session: SessionState) -> SessionCopy:
        copy = self._copies.get(session.name)
        if copy is None or copy.session is not session:
            if len(self._copies) > _MOST_COPIES:  # sessions that this server has dropped
                live = self._engine.sessions.find
                self._copies = {name: each for name, each in self._copies.items() if live(name)}
            copy = self._copies[session.name] = SessionCopy(session)
        return copy

    def _forget_copies(self) -> None:
        """Read all sessions again, because it is not known what the state server has."""
        for copy in self._copies.values():
            copy.document = b"-"

    def _keep(self, outcome: Outcome) -> None:
        """Keep the outcome of a call for the history that servers share."""
        if (copy := self._copies.get(outcome.answer.call.session)) is not None:
            self._histories.keep(copy, outcome)

    # -- the control API ---------------------------------------------------------------------------

    async def _control(
        self, name: str, method: str, target: str, path: str, head: Head, body: bytes
    ) -> Answer:
        """Answer a control request from fresh copies, and write what it changed."""
        engine = self._engine
        if named := _SESSION.match(path):
            name = unquote(named[1])
        names: Iterable[str] = [name]
        if not named:
            members = await self._client.send("SMEMBERS", self._keys.names)
            local = (session.name for session in engine.sessions)
            names = {name, *local, *(each.decode() for each in members)}
        for _ in range(_MOST_TRIES):
            await self._histories.gather()
            for each in sorted(names):
                await self._refresh(each)
            session, clock = engine.sessions.find(name), engine.clock.now
            calls, generation = (
                (len(session.history), session.generation) if session is not None else (0, 0)
            )
            before = build_document(session) if session is not None else None
            own = session.layers.own if session is not None else None
            counted = set(session.layers.counts) if session is not None else set()
            answer = engine.answer(method, target, head, body)
            if method in ("GET", "HEAD"):
                return answer
            if engine.clock.now != clock:
                added = repr(engine.clock.now - clock)
                now = await self._client.send("HINCRBYFLOAT", self._keys.namespace, "clock", added)
                self._set_clock(now)
            if method == "POST" and answer.reply.status == 200 and _RESET.fullmatch(path):
                await self._drop_all(names)
                return answer
            after = engine.sessions.find(name)
            if after is None:
                action = None if session is None else "drop"
            elif session is not None and after.generation != generation:
                action = "begin"
            elif calls and not after.history:
                action = "forget"
            else:
                same = after.layers.own is own and before == build_document(after)
                action = None if same else "write"
            removed = counted - set(after.layers.counts) if after is not None else set()
            if action is None or await self._change(name, after, action, removed):
                return answer
        raise StateUnavailable(f"{_MOST_TRIES} requests of other servers changed the session")

    async def _change(
        self, name: str, session: SessionState | None, action: str, removed: Iterable[str]
    ) -> bool:
        """Write a change to the state server. Return whether the copy was right.

        removed: the layers whose counts end.
        """
        copy = self._copies.get(name) or SessionCopy(SessionState(name))
        document = memory = b""
        if session is not None:
            document, memory = build_document(session), dump_memory(session)
        known = (copy.generation, copy.document, copy.memory)
        changed: int = await self._client.run(
            CHANGE,
            self._keys.find(name),
            *(
                name.encode(),
                self._keys.find_lifetime(name),
                *known,
                action.encode(),
                document,
                memory,
            ),
            *(kind + layer.encode() for layer in removed for kind in (MATCHED, FIRED)),
        )
        # the next request reads what was written
        if session is not None:
            self._copy(session).document = b"-"
        elif name in self._copies:
            self._copies[name].document = b"-"
        return changed == 1

    async def _drop_all(self, names: Iterable[str]) -> None:
        await self._client.run(RESET, self._keys.find(DEFAULT_SESSION))
        for name in names:
            self._engine.sessions.drop(name)
        self._copies.clear()

    async def _refresh(self, name: str) -> None:
        """Make the copy of a session equal to that of the state server, with its history."""
        sessions = self._engine.sessions
        pairs = await self._client.send("HGETALL", self._keys.find(name)[0])
        fields = _read_pairs(pairs)
        clock = await self._client.send("HGET", self._keys.namespace, "clock")
        self._set_clock(clock or b"0")
        if not fields:
            await self._client.send("SREM", self._keys.names, name)
            if name in self._copies:
                del self._copies[name]
                sessions.drop(name)
            return
        copy = self._copy(sessions.get(name))
        copy.replace(fields)
        await self._histories.read(copy, fields)


def _read_pairs(pairs: Any) -> Mapping[bytes, bytes]:
    """Return the fields of a hash, which newer protocols send as a map."""
    return pairs if isinstance(pairs, Mapping) else dict(zip(pairs[::2], pairs[1::2], strict=True))
