"""The class of the fixture `bedrock` whose session is on a server in another process.

Layers are checked here and sent to the server. Calls come from the server with all that a history
has, so that filters, assertions, reports and the verdict work as with a server in the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack
from urllib.parse import quote

from bedtape_cassettes.addresses import CLIENT_VARIABLES, isolate_environment
from bedtape_cassettes.errors import CassetteError, Problem
from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.redaction.scrub import Redaction, scrub
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count
from bedtape_replayer.api.inspector.capture import Part
from bedtape_replayer.engine.session import Responder
from bedtape_replayer.history.assertions import CallsMismatch
from bedtape_replayer.history.calls import Calls
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.values import decode, decode_outcome
from bedtape_replayer.overlay.document import (
    OverlayInvalid,
    make_json,
    parse_fault,
    parse_overlay,
    parse_rule,
    parse_simulation,
)
from bedtape_replayer.overlay.explain import describe
from bedtape_replayer.overlay.keywords import SimulateDict
from bedtape_replayer.overlay.overlay import Fault, Overlay
from bedtape_replayer.overlay.rule import Rule
from bedtape_replayer.overlay.session_layers import NameTaken
from bedtape_replayer.plugin.bedrock import Bedrock
from bedtape_replayer.plugin.marks import PlayRequest
from bedtape_replayer.plugin.remote.server import RemoteServer
from bedtape_replayer.server.control_client import ControlError
from bedtape_replayer.server.shared.layers import dump_overlay

__tracebackhide__ = True  # so that pytest shows the line of the test
_NO_FUNCTION = (
    "a server in another process cannot call it: use answers, a template or a script, or run the"
    " test without --bedtape-url"
)


class RemoteBedrock(Bedrock):
    """A session on a server that runs already.

    name: of the session, which no other run uses. The session plays the cassette of the test, or no
    cassette if the server does not have it.
    """

    def __init__(
        self, play_request: PlayRequest, server: RemoteServer, here: Path, name: str
    ) -> None:
        url = server.session_url(name)
        super().__init__(play_request, server, url, None, None, here, name=name)
        self._client = server.client
        self._own_cassette = ""
        self._is_open = False
        self._kept_calls = Calls()
        self._counted: set[int] = set()

    def __repr__(self) -> str:
        """Returns the name, and what the session has."""
        try:
            state = self._ask("GET")
        except ControlError:
            return f"<Bedrock {self.name!r} on {self._client.address}>"
        counts = (format_count(state[f"{kind}s"], kind) for kind in ("call", "rule", "fault"))
        return f"<Bedrock {self.name!r} on {self._client.address}: {', '.join(counts)}>"

    def _ask(self, method: str, path: str = "", value: Any = None) -> Any:
        return self._client.ask_session(self.name, method, path, value)

    # -- layers ------------------------------------------------------------------------------------

    def _respond_by(self, function: Responder, keywords: dict[str, Any]) -> str:  # noqa: ARG002 - as in the base class
        raise OverlayInvalid([Problem.at(("answer",), "an answer", "a function", _NO_FUNCTION)])

    def _add_rule(self, document: Mapping[str, Any]) -> str:
        json = make_json(document)
        parse_rule(json, str)  # raises the errors of a session in this process
        return self._send_layer("/rules", json)

    def _add_fault(self, document: Mapping[str, Any]) -> str:
        json = make_json(document)
        parse_fault(json, str)
        return self._send_layer("/faults", json)

    def _send_layer(self, path: str, document: Mapping[str, Any]) -> str:
        try:
            return str(self._ask("POST", path, document)["name"])
        except ControlError as error:
            if error.status == 409:
                raise NameTaken(str(document["name"])) from None
            raise

    def overlay(self, document: Mapping[str, Any]) -> None:
        """Replace the session's layers. See `Session.overlay`."""
        json = make_json(document)
        self._send_overlay(parse_overlay(json), json)

    def _send_overlay(self, overlay: Overlay, document: Mapping[str, Any]) -> None:
        try:
            self._ask("PUT", "/overlay", document)
        except ControlError as error:
            if error.status == 409:
                taken = {each["name"] for each in self._list_layers()}
                names = [layer.id for layer in overlay.layers]
                raise NameTaken(next(filter(taken.__contains__, names), names[0])) from None
            raise

    def simulate(self, **features: Unpack[SimulateDict]) -> None:
        """Simulate features of the service. See `Session.simulate`."""
        json = make_json(features)
        parse_simulation(json)
        self._ask("PUT", "/simulate", json)

    def remove(self, name: str) -> None:
        """Remove a rule or fault of the session. Raises KeyError for another name."""
        try:
            self._ask("DELETE", f"/layers/{quote(name, safe='')}")
        except ControlError as error:
            if error.status == 404:
                raise KeyError(f"the session has no layer of its own named {name!r}") from None
            raise

    def _list_layers(self) -> list[dict[str, Any]]:
        layers = self._ask("GET", "/overlay")
        return [*layers["rules"], *layers["faults"]]

    @property
    def unused(self) -> tuple[str, ...]:
        """The rules and faults that did not act."""
        return tuple(self._ask("GET", "/unused"))

    def begin_body(self) -> None:
        """Note the layers of marks and fixtures before the body of the test runs."""
        self._shared = tuple(layer["name"] for layer in self._list_layers())

    def _find_unused(self) -> list[tuple[Rule | Fault, str]]:
        if not self._is_open or not (texts := self.unused):
            return []
        unused: list[tuple[Rule | Fault, str]] = []
        for document in self._list_layers():
            name, fired = document["name"], document.pop("fired")
            read = parse_fault if _is_fault(document) else parse_rule
            layer: Rule | Fault = read(document, str)
            if (text := describe(layer, fired)) in texts and name not in self._shared:
                needs_more = isinstance(layer, Rule) and layer.needed > 1
                unused.append((layer, f"{'did not end' if needs_more else 'never acted'}: {text}"))
        return unused

    # -- calls -------------------------------------------------------------------------------------

    @property
    def calls(self) -> Calls:
        """The calls so far, in the order in which they were sent."""
        if self._is_open:
            path = f"/_bedtape/inspector/sessions/{quote(self.name, safe='')}/outcomes"
            forgotten, encoded = decode(self._client.read("GET", path))
            records = [Record(decode_outcome(each)) for each in encoded]
            self._kept_calls = Calls(tuple(sorted(records, key=_number_of)), forgotten)
            for record in self._kept_calls:
                if record.number not in self._counted:
                    self._counted.add(record.number)
                    self.take(record.outcome.answer)
        return self._kept_calls

    def gather(self) -> None:
        """Count the calls that the server has answered since the last time."""
        _ = self.calls

    def assert_all_played(self) -> None:
        """Raise CallsMismatch if a recording was not played."""
        self._judge(self._assert_all_played)

    def _assert_all_played(self) -> None:
        asserted = self._ask("POST", "/assert", {"all_played": True})
        if not asserted["passed"]:
            raise CallsMismatch(str(asserted["report"]).splitlines())

    def capture(self, title: str, redaction: Redaction) -> Part:
        """Return the calls of the test for the report."""
        path = f"/_bedtape/inspector/sessions/{quote(self.name, safe='')}/capture"
        part = self._client.ask("GET", f"{path}?title={quote(title, safe='')}")
        scrubbed: Any = parse(scrub(compact(part), redaction))
        return dict(scrubbed)

    # -- the session itself ------------------------------------------------------------------------

    def open(self, overlay: Overlay) -> None:
        """Create the session with the overlay of the test's mark.

        Raises CassetteError for what a server in another process cannot do.
        """
        played = self.play_request
        if played.speed is not None:
            raise CassetteError(
                "expected no speed with --bedtape-url, found speed in the mark; start the server"
                " with --speed"
            )
        strict = {} if played.strict is None else {"strict": played.strict}
        self._is_open = True
        if self._choose(played.cassette, strict):
            self._own_cassette = played.cassette
            self._hold_unplayed()
        elif self._has_local_cassette():
            raise CassetteError(
                f"expected the cassette {played.cassette!r} on {self._client.address}, found it in"
                f" {played.folder} alone; let the server play this folder (`bedtape cassette"
                " push`, if it plays from a bucket), or run the test without --bedtape-url"
            )
        else:
            self._choose("", strict)
        if overlay.layers or overlay.features or overlay.ids or overlay.seed:
            self._send_overlay(overlay, dump_overlay(overlay))
        self._shared = tuple(layer.id for layer in overlay.layers)

    def _choose(self, cassette: str, more: Mapping[str, Any]) -> bool:
        """Let the session play a cassette. Return whether the server has it."""
        try:
            self._ask("PUT", "", {"cassette": cassette, **more})
        except ControlError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _hold_unplayed(self) -> None:
        """Count the recordings of the cassette that was chosen."""
        self.tally.held.update(map(self._place, self._ask("GET", "/unplayed")))

    def _has_local_cassette(self) -> bool:
        path = self.play_request.folder / self.play_request.cassette
        return bool(
            store.fingerprint([path]) or path.with_name(f"{path.name}{store.TAPE}").exists()
        )

    def play(self, cassette: str | None, *, strict: bool | None = None) -> None:
        """Play another cassette of the server; `None` for the test's own cassette.

        strict: play each recording once; `None` for the value of the test's mark or the settings.
        """
        settings = {"strict": self.play_request.strict if strict is None else strict}
        chosen = cassette or self._own_cassette
        if not self._choose(chosen, settings):
            raise ValueError(f"expected a cassette {chosen!r} on the server, found none")
        self._hold_unplayed()

    def advance(self, seconds: float) -> None:
        """Advance the virtual clock of quotas, which all sessions of the namespace share."""
        self._client.ask("POST", "/_bedtape/clock", {"advance": seconds})

    def reset(self) -> None:
        """Remove layers, positions and calls, as at the test's start. Misses stay."""
        self.gather()
        self._ask("POST", "/reset")
        self._counted.clear()
        self._calls_before = 0

    def become_default(self) -> None:
        """Do nothing, because other programs use the default session of the server."""

    def close(self, *, keeps: bool = False) -> None:
        """Count the last calls, and remove the session from the server."""
        self.gather()
        self._is_open = False
        if not keeps:
            self._ask("DELETE")

    def _isolate(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the test, with the token where clients send credentials."""
        wanted = isolate_environment(environ, mark_url(self.url))
        for name in ("NO_PROXY", "no_proxy"):
            wanted[name] = ",".join(filter(None, (wanted.get(name), self._client.host)))
        if (token := self._client.token) is not None:
            wanted["AWS_SESSION_TOKEN"] = token
            keys = {key for variable in CLIENT_VARIABLES.values() for key in variable.keys}
            wanted |= {key: token for key in keys if wanted.get(key) == "bedtape"}
        return wanted

    def _suggest_fix(self) -> str:
        fixture = self.play_request.fixture
        if self._is_open and self._list_layers():
            return f"Correct the rule that should answer, or add one with {fixture}.respond(...)."
        lacks = (
            f"The cassette {self._own_cassette} of the server lacks it."
            if self._own_cassette
            else f"The server has no cassette {self.play_request.cassette}."
        )
        return (
            f"{lacks} Record it without --bedtape-url, and give the server the cassette,\nor answer"
            f" with {fixture}.respond(...)."
        )


def mark_url(url: str) -> str:
    """Return the endpoint of a session as the environment has it: with another spelling of the last
    character. So a request of a client that has read the environment is known, and goes to the
    session of the running test, although the client may be of another test.
    """
    return f"{url[:-1]}%{ord(url[-1]):02X}"


def _number_of(record: Record) -> int:
    return record.number


def _is_fault(document: Mapping[str, Any]) -> bool:
    return not document.keys() & {"answer", "answers", "script"}
