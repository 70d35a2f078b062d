"""The local copy of a shared session: what a call changed, and what the state server has.

A server computes an answer from its copy. The commit of the call then compares what the answer
depends on. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bedtape_cassettes.format.bodies import compact
from bedtape_replayer.engine.session_state import SessionState
from bedtape_replayer.history.values import decode, encode
from bedtape_replayer.overlay.expressions import TemplatedAnswer
from bedtape_replayer.overlay.overlay import NOTHING, Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.schedule import ALWAYS
from bedtape_replayer.server.shared.layers import read_document

# The kinds of counts: recordings played, calls seen, calls that matched a layer, calls that a layer
# applied to.
PLAYED, SEEN, MATCHED, FIRED = b"p", b"k", b"m", b"f"
# The number of calls of a session, on which few layers depend.
CALLS = b"n"


@dataclass(frozen=True, slots=True)
class Change:
    """What a call changed in its session.

    exact: the counts on which its answer depends, with their values before and after the call.
    added: the other counts, and what was added to them. memory: what layers remember now; `None` if
    that is unchanged. epoch: that of the copy when the answer was computed.
    """

    exact: Mapping[bytes, tuple[int, int]]
    added: Mapping[bytes, int]
    memory: bytes | None
    epoch: int


@dataclass(slots=True, eq=False)
class SessionCopy:
    """A session as this server knows it.

    generation, document, memory: their values at the state server, or names of these.
    remembered: what layers remember, encoded. epoch: how often the copy was replaced or corrected.
    history: the key of the history that is in the copy. last: the id of its newest call. numbers:
    of its calls.
    """

    session: SessionState
    generation: bytes = b""
    document: bytes = b"0"
    memory: bytes = b"0"
    remembered: bytes = b""
    epoch: int = 0
    history: bytes = b""
    last: bytes = b"0"
    numbers: set[int] = field(default_factory=set)
    _corrected: dict[bytes, int] = field(default_factory=dict)
    _numbered: tuple[Overlay, bool] = (NOTHING, False)

    def watch(self, key: bytes, *, varies: bool) -> Callable[[], Change]:
        """Begin to watch a call with this match key. Return what gives its change.

        varies: whether the number of played recordings decides what the call gets.
        """
        session, before, number = self.session, self._count(key), self.session.calls
        played = PLAYED + key

        def compare() -> Change:
            exact, added = {}, {}
            after = self._count(key)
            ordered = self._find_ordered()
            for name, count in after.items():
                known = before.get(name, 0)
                if count == known:
                    continue
                if name[:1] == SEEN or (varies if name == played else name[1:] in ordered):
                    exact[name] = (known, count)
                else:
                    added[name] = count - known
            if self._reads_number():
                exact[CALLS] = (number, number)
            remembered = dump_memory(session)
            memory = remembered if remembered != self.remembered else None
            if memory is not None:
                self.remembered = memory
            return Change(exact, added, memory, self.epoch)

        return compare

    def _count(self, key: bytes) -> dict[bytes, int]:
        layers = self.session.layers
        counts = {PLAYED + key: self.session.count_played(key), SEEN + key: layers.count_seen(key)}
        for name, (matched, fired) in layers.counts.items():
            counts[MATCHED + name.encode()] = matched
            counts[FIRED + name.encode()] = fired
        return counts

    def _find_ordered(self) -> set[bytes]:
        """The layers whose answer depends on how many calls came before."""
        return {
            layer.id.encode()
            for layer in self.session.layers.effective.layers
            if _is_ordered(layer)
        }

    def _reads_number(self) -> bool:
        """Return whether a layer could depend on the number of a call in its session."""
        overlay = self.session.layers.effective
        if self._numbered[0] is not overlay:
            text = compact([each.document for each in overlay.layers])
            reads = b'"call":' in text or (b"{{" in text and b"call" in text)
            self._numbered = overlay, reads
        return self._numbered[1]

    def begin_history(self, key: bytes) -> None:
        """The copy has no call of this history."""
        self.history, self.last = key, b"0"
        self.numbers.clear()

    def correct(self, change: Change, counts: Mapping[bytes, int]) -> None:
        """Replace counts by those of the state server, unless that was done
        since the change was made.
        """
        outdated = {
            name: count
            for name, count in counts.items()
            if self._corrected.get(name, 0) <= change.epoch
        }
        if change.epoch == self.epoch or outdated:
            self.epoch += 1
        for name, count in outdated.items():
            self._corrected[name] = self.epoch
            self._set(name, count)

    def replace(self, fields: Mapping[bytes, bytes]) -> None:
        """Replace the copy by the session of the state server.

        fields: of the session's hash; see the module `scripts`. Raises ValueDamaged.
        """
        self.epoch += 1
        self._corrected.clear()
        session, same = self.session, self.generation == fields.get(b"g", b"")
        if same:
            session.reset_state()
        else:
            session.reset()
            self.begin_history(b"")
        self.generation = fields.get(b"g", b"")
        self.document, self.memory = fields.get(b"dv", b"0"), fields.get(b"bv", b"0")
        read_document(session, fields.get(b"d", b""))
        self.remembered = fields.get(b"b", b"")
        load_memory(session, self.remembered)
        session.calls = int(fields.get(CALLS, b"0"))
        for name, value in fields.items():
            if len(name) > 1 and name[:1] in (PLAYED, SEEN, MATCHED, FIRED):
                self._set(name, int(value))

    def _set(self, name: bytes, count: int) -> None:
        kind, rest, layers = name[:1], name[1:], self.session.layers
        if name == CALLS:
            self.session.calls = count
        elif kind == PLAYED:
            self.session.set_played(rest, count)
        elif kind == SEEN:
            layers.set_seen(rest, count)
        elif kind == MATCHED:
            layers.set_counts(rest.decode(), count, None)
        else:
            layers.set_counts(rest.decode(), None, count)


def _is_ordered(layer: Rule | Fault) -> bool:
    if layer.schedule is not ALWAYS or isinstance(layer, Fault):
        return layer.schedule is not ALWAYS
    first = layer.answers[0]
    return len(layer.answers) > 1 or callable(first) or isinstance(first, TemplatedAnswer)


def dump_memory(session: SessionState) -> bytes:
    """Return what the session remembers beside counts, or nothing if it remembers nothing."""
    faults, acted, made = session.layers.dump_memory()
    parts = (
        *(faults, acted, dict(made)),
        *(session.responses.dump(), session.simulated.dump(), tuple(session.conversations.played)),
    )
    return encode(parts) if any(parts) else b""


def load_memory(session: SessionState, data: bytes) -> None:
    """Replace what the session remembers. data: of `dump_memory`. Raises ValueDamaged."""
    parts = decode(data) if data else ({}, (), {}, (), (), ())
    faults, acted, made, responses, simulated, played = parts
    session.layers.load_memory(faults, acted, made)
    session.responses.load(responses)
    session.simulated.load(simulated)
    session.conversations.played = dict.fromkeys(played)
