"""The kinds of secrets that every recording is searched for, as a table."""

from __future__ import annotations

from tables import cell, code, table

from bedtape_cassettes.redaction.kinds import SECRETS

__all__ = ["secrets"]


def secrets() -> list[str]:
    rows = ((code(kind.name), cell(kind.title), code(kind.placeholder)) for kind in SECRETS)
    return table(("kind", "what", "becomes"), rows)
