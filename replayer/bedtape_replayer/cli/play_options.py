"""The options that say how recordings are played, for the commands that serve them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from bedtape_cassettes.errors import CassetteError


class Identifying(StrEnum):
    """Whether answers of rules to equal requests have equal ids."""

    equal = "equal"
    unique = "unique"


class Validating(StrEnum):
    """When requests are checked as Bedrock checks them."""

    always = "always"
    rules = "rules"
    never = "never"


Speed = Annotated[
    float | None,
    typer.Option(
        "--speed", help="Replay the recorded timing: 1 as recorded, 10 ten times as fast. Default: no waiting."
    ),
]
Ids = Annotated[
    Identifying, typer.Option("--ids", help="Whether answers of rules to equal requests have equal or unique ids.")
]
Validate = Annotated[
    Validating,
    typer.Option(
        "--validate", help="When to refuse requests that Bedrock would refuse: before a rule answers, always, or never."
    ),
]


def check_speed(speed: float | None) -> float | None:
    """Raises CassetteError for what is no pace."""
    if speed is not None and not 0 < speed < float("inf"):
        raise CassetteError(f"--speed: expected a number above 0 (1 is the recorded pace), found {speed:g}")
    return speed
