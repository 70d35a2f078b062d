"""`bedtape cassette` in this process, and programs in their own."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from typer.testing import CliRunner

from bedtape_cassettes.cli.app import cassette


def run(*arguments: str, code: int = 0) -> str:
    """All that the command writes."""
    result = CliRunner().invoke(cassette, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def run_program(
    arguments: Sequence[str | Path], environ: Mapping[str, str], folder: Path | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end, whatever its code is, and keeps what it writes."""
    return subprocess.run(
        arguments, env=environ, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )
