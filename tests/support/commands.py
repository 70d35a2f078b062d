"""`bedtape cassette` as the tests of its commands call it."""

from __future__ import annotations

from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette


def run(*arguments: str, code: int = 0) -> str:
    """All that the command writes."""
    result = CliRunner().invoke(cassette, list(arguments))
    assert result.exit_code == code, result.output
    return result.output
