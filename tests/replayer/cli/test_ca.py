"""`bedtape ca` as a user sees it: a certificate on stdout, its place on stderr, and an
error for a damaged file.
"""

import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

from cryptography import x509

from support.commands import run_program

_COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "ca"]


def _run(state: Path) -> "CompletedProcess[str]":
    return run_program(_COMMAND, {**os.environ, "BEDTAPE_STATE_DIR": str(state)})


def test_it_prints_the_same_certificate_each_time_and_no_key(tmp_path: Path) -> None:
    first, second = _run(tmp_path), _run(tmp_path)
    assert first.stdout == second.stdout
    x509.load_pem_x509_certificate(first.stdout.encode())
    assert "PRIVATE" not in first.stdout + first.stderr
    assert f"bedtape: the key is in {tmp_path}/tls-authority.pem" in first.stderr


def test_a_damaged_file_ends_with_2_and_a_fix(tmp_path: Path) -> None:
    _run(tmp_path)
    file = tmp_path / "tls-authority.pem"
    file.write_text("damaged")
    ended = _run(tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"remove {file}, and bedtape creates a new one" in ended.stderr
    assert "Traceback" not in ended.stderr
