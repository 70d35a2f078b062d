"""Runs a command of `bedtape cassette` in this process."""

from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cassette, list(arguments))
    assert result.exit_code == code, result.output
    return result.output
