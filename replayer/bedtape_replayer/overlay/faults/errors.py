"""Errors instead of an answer: a modelled error by its name, or a raw status."""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.faults.base import FaultContext, FaultKind
from bedtape_replayer.overlay.faults.error_response import Failure


@dataclass(frozen=True, slots=True)
class Refuse(FaultKind):
    """Answers with an error. Recordings and rules stay available to a retry."""

    failure: Failure
    replaces = True

    @property
    def error_name(self) -> str | None:
        return self.failure.error

    def build_answer(self, call: Call, context: FaultContext) -> Response:  # noqa: ARG002 - the same every time
        return self.failure.build_response(call.dialect, call.service)
