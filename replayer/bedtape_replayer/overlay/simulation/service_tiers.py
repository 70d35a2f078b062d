"""Service tiers that a model or an account does not have.

Sources: docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html, and the texts of
the errors as users of the service report them: a tier that does not exist, a reserved tier without
a reservation, and a tier that the model does not have. Answers repeat the tier without simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

from bedtape_cassettes.families.requests.service_tier import read_service_tier
from bedtape_cassettes.model import Response
from bedtape_replayer.overlay.simulation.context import Context, Feature
from bedtape_replayer.overlay.simulation.models import has_tiers

_TIERS = ("default", "flex", "priority", "reserved")
_UNKNOWN = "service tier provided is invalid"
_NO_RESERVATION = "Reservation not found."
_UNSUPPORTED = "The provided service tier is not supported for this model."


@dataclass(frozen=True, slots=True)
class ServiceTiers(Feature):
    """supported: the tiers beside `default`; None for the tiers of the model."""

    supported: list[str] | None = None

    def refuse(self, context: Context) -> Response | None:
        """Return the error for a tier that is not supported."""
        tier = read_service_tier(context.body, context.call.head.get)
        supported = self.supported
        if supported is None:
            supported = ["flex", "priority"] if has_tiers(context.model) else []
        if tier == "default" or tier in supported:
            return None
        text = (
            _UNKNOWN
            if tier not in _TIERS
            else _NO_RESERVATION
            if tier == "reserved"
            else _UNSUPPORTED
        )
        return context.refuse(text, f"service_tiers: {tier!r} is not supported")
