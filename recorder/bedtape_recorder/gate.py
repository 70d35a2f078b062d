"""The gate: the recorder calls AWS if the environment contains `RUN_REAL_BEDROCK_TESTS=1`."""

from __future__ import annotations

from collections.abc import Mapping

from bedtape_recorder.errors import GateShut

VARIABLE = "RUN_REAL_BEDROCK_TESTS"


def require(environ: Mapping[str, str]) -> None:
    """Raises GateShut unless `environ` allows real calls."""
    value = environ.get(VARIABLE)
    if value != "1":
        state = "it is not set" if value is None else f"it is {value!r}"
        raise GateShut(f"this calls real Amazon Bedrock, which costs money: set {VARIABLE}=1 to allow it ({state})")
