"""Renders the kinds of secrets that bedtape searches for in every recording."""

from __future__ import annotations

from tables import cell, code, table

from bedtape_cassettes.redaction.kinds import SECRETS

__all__ = ["render_secrets"]


def render_secrets() -> list[str]:
    rows = ((code(kind.name), cell(kind.title), code(kind.placeholder)) for kind in SECRETS)
    return table(("kind", "description", "placeholder"), rows)
