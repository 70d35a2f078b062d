"""What both wires say to a request that they refuse: JSON in the form of Bedrock's errors."""

from __future__ import annotations

from bedtape_cassettes.format.bodies import compact

__all__ = ["refusal_body"]


def refusal_body(message: str) -> bytes:
    return compact({"message": f"bedtape: {message}"})
