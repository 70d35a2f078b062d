"""The gate: without `RUN_REAL_BEDROCK_TESTS=1`, nothing in this project talks to AWS."""

from __future__ import annotations

from collections.abc import Mapping

from bedtape_recorder.errors import GateShut

__all__ = ["VARIABLE", "require"]

VARIABLE = "RUN_REAL_BEDROCK_TESTS"


def require(environ: Mapping[str, str]) -> None:
    """Raises GateShut unless the environment says that real calls may be made."""
    found = environ.get(VARIABLE)
    if found != "1":
        said = "it is not set" if found is None else f"it is {found!r}"
        raise GateShut(f"this calls real Amazon Bedrock, which costs money: set {VARIABLE}=1 to allow it ({said})")
