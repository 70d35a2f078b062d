"""The answer of a rule in the words of the service models, ready to send.

`building` makes it when a rule is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Body, Response, is_header
from bedtape_cassettes.operations import Operation, read_labels
from bedtape_replayer.answering.call import Call


@dataclass(frozen=True, slots=True)
class PreparedResponse:
    """A response of one operation.

    members, headers: places in the response, with the names of the members of the request that have
    the same value. The place of a member is its name, with the name of the structure that contains
    it before it.
    """

    response: Response
    members: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def build(self, operation: Operation, call: Call) -> Response:
        response = self.response
        if not self.members and not self.headers:
            return response
        body = call.outline_json if isinstance(call.outline_json, dict) else {}
        named = {**body, **read_labels(operation, call.path)}
        sent = {
            name: value
            for name, value in named.items()
            if isinstance(value, str) and is_header("x", value)
        }
        headers = {
            **dict(response.headers),
            **{name: sent[key] for name, key in self.headers.items() if key in sent},
        }
        response = replace(response, headers=tuple(headers.items()))
        if self.members and isinstance(response.body, Body):
            value = bodies.parse(response.body.data)
            assert isinstance(value, dict)
            for place, key in self.members.items():
                if key in sent:
                    part: Any = value[place[0]] if len(place) > 1 else value
                    part[place[-1]] = sent[key]
            response = replace(response, body=Body("json", bodies.compact(value)))
        return response


@dataclass(frozen=True, slots=True)
class Output:
    """A rule's answer in the words of the service models: a response for each operation."""

    responses: Mapping[tuple[str, str], PreparedResponse]

    def build_response(self, call: Call) -> Response:
        """Return the response to a call. May raise RenderError for an unprepared operation."""
        operation = call.known
        prepared = self.responses.get((operation.service, operation.name)) if operation else None
        if operation is None or prepared is None:
            known = ", ".join(sorted(" ".join(key) for key in self.responses))
            raise RenderError(
                f"its output is that of {known}; name the operation in a rule of its own"
            )
        return prepared.build(operation, call)
