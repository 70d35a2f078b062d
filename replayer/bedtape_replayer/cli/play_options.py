"""The options about how recordings are played, for the commands that serve them."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.server.tls_contexts import Certificates, open_certificates, read_certificates

DEFAULT_FOLDER = Path("cassettes")


class IdChoice(StrEnum):
    """Whether answers of rules to equal requests have equal ids."""

    equal = "equal"
    unique = "unique"


class FeatureChoice(StrEnum):
    """The features of the service that have values of the real service."""

    caching = "caching"
    guardrails = "guardrails"
    limits = "limits"
    service_tiers = "service_tiers"
    structured_output = "structured_output"


class ValidationChoice(StrEnum):
    """When requests are checked as Bedrock checks them."""

    always = "always"
    rules = "rules"
    never = "never"


class DefaultChoice(StrEnum):
    """The answer to a call that no rule and no recording answers."""

    strict = "strict"
    canned = "canned"
    echo = "echo"
    schema = "schema"


Default = Annotated[
    DefaultChoice,
    typer.Option(
        "--default",
        help=(
            "The answer where nothing else answers: a miss, a fixed text, the prompt, or the"
            " required members."
        ),
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(
        "--speed",
        help=(
            "Replay the recorded timing: 1 as recorded, 10 ten times as fast. Default: no waiting."
        ),
    ),
]
Ids = Annotated[
    IdChoice,
    typer.Option(
        "--ids", help="Whether answers of rules to equal requests have equal or unique ids."
    ),
]
Simulate = Annotated[
    list[FeatureChoice] | None,
    typer.Option(
        "--simulate",
        help="A feature of the service to simulate, with the service's values. Repeatable.",
    ),
]
Validate = Annotated[
    ValidationChoice,
    typer.Option(
        "--validate",
        help=(
            "When to refuse requests that Bedrock would refuse: before a rule answers, always, or"
            " never."
        ),
    ),
]

Tls = Annotated[
    bool,
    typer.Option(
        "--tls/--no-tls",
        help=(
            "Serve https with a certificate of bedtape's own authority (see bedtape ca), and http"
            " too."
        ),
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert", metavar="FILE", help="Serve https with this certificate chain in PEM instead."
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(
        "--tls-key", metavar="FILE", help="The key of --tls-cert, if that file does not contain it."
    ),
]


def choose_certificates(
    host: str, certificate: Path | None, key: Path | None, *, tls: bool
) -> Certificates | None:
    """Return the user's certificates, or those of bedtape's own authority with `tls`.

    Raises CassetteError for files that cannot be used, and for a key without a certificate.
    """
    if certificate is not None:
        return read_certificates(certificate, key)
    if key is not None:
        raise CassetteError(
            f"--tls-key: expected --tls-cert too, found {key} alone; name the certificate of"
            " this key"
        )
    return open_certificates(os.environ, host) if tls else None
