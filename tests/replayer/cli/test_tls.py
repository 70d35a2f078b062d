"""`bedtape replay` with TLS as a user sees it: its address, the certificate, and errors
for files that do not fit.
"""

import http.client
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cryptography.hazmat.primitives import serialization

from bedtape_cassettes.storage import certificates
from bedtape_cassettes.storage.authority import open_authority
from support import WAIT
from support.commands import run_program

# Most tests start processes.
pytestmark = pytest.mark.slow

_COMMAND = (
    sys.executable,
    "-c",
    "from bedtape_cassettes.cli.main import main; main()",
    "replay",
    "--port",
    "0",
)
AUTHORITY = certificates.create_authority((), datetime.now(UTC))
LEAF, OTHER = (
    certificates.issue_leaf(AUTHORITY, ["localhost"], datetime.now(UTC)) for _ in range(2)
)
KEY, OTHER_KEY = (pair.pem.removesuffix(pair.certificate_pem) for pair in (LEAF, OTHER))
LOCKED = LEAF.key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"secret"),
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "BEDTAPE_CACHE_DIR": "", "BEDTAPE_STATE_DIR": str(tmp_path / "state")}


@contextmanager
def _serve(options: Sequence[str], environ: dict[str, str], folder: Path) -> Iterator[int]:
    """The port of a server, which prints that it listens with https."""
    started = subprocess.Popen(
        [*_COMMAND, *options], env=environ, cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        assert line.startswith("bedtape: listening on https://127.0.0.1:")
        yield int(line.rpartition(":")[2])
    finally:
        started.terminate()
        assert started.wait() == 0
        started.stdout.close()


def _get_health(port: int, authority: bytes, name: str) -> int:
    context = ssl.create_default_context(cadata=authority.decode())
    client = http.client.HTTPSConnection(name, port, context=context, timeout=WAIT)
    client.request("GET", "/_bedtape/health")
    status = client.getresponse().status
    client.close()
    return status


def test_a_certificate_of_bedtapes_authority(environ: dict[str, str], tmp_path: Path) -> None:
    with _serve(["--tls"], environ, tmp_path) as port:
        assert _get_health(port, open_authority(environ).certificate, "127.0.0.1") == 200


@pytest.mark.parametrize("files", [1, 2])
def test_a_certificate_of_the_users_own(
    environ: dict[str, str], tmp_path: Path, files: int
) -> None:
    """In one file with its key, or in two. It needs neither the extra nor the state folder."""
    (tmp_path / "cert.pem").write_bytes(LEAF.pem if files == 1 else LEAF.certificate_pem)
    (tmp_path / "key.pem").write_bytes(KEY)
    options = ["--tls-cert", "cert.pem", *(["--tls-key", "key.pem"] if files == 2 else [])]
    with _serve(options, environ, tmp_path) as port:
        assert _get_health(port, AUTHORITY.certificate_pem, "localhost") == 200
    assert not (tmp_path / "state").exists()


def test_files_of_settings(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(LEAF.certificate_pem)
    (tmp_path / "key.pem").write_bytes(KEY)
    (tmp_path / "bedtape.toml").write_text("[replay]\ntls-cert = 'cert.pem'\ntls-key = 'key.pem'\n")
    with _serve([], environ, tmp_path) as port:
        assert _get_health(port, AUTHORITY.certificate_pem, "localhost") == 200


REFUSED: dict[str, tuple[bytes, bytes | None, str]] = {
    "a key of another certificate": (LEAF.certificate_pem, OTHER_KEY, "KEY_VALUES_MISMATCH"),
    "a key with a password": (LEAF.certificate_pem, LOCKED, "the key has a password"),
    "no key": (LEAF.certificate_pem, None, "found cert.pem ("),
    "no certificate": (b"", KEY, "found cert.pem and key.pem ("),
    "another content": (b"\x00" * 100, b"\xff" * 100, "found cert.pem and key.pem ("),
}


@pytest.mark.parametrize(("certificate", "key", "reason"), REFUSED.values(), ids=REFUSED)
def test_files_that_do_not_fit_are_refused(
    environ: dict[str, str], tmp_path: Path, certificate: bytes, key: bytes | None, reason: str
) -> None:
    (tmp_path / "cert.pem").write_bytes(certificate)
    (tmp_path / "key.pem").write_bytes(key or b"")
    options = ["--tls-cert", "cert.pem", *(["--tls-key", "key.pem"] if key is not None else [])]
    ended = run_program([*_COMMAND, *options], environ, tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(
        "bedtape: --tls-cert, --tls-key: expected a certificate chain and its private key"
    )
    assert reason in ended.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["--tls-cert", "none.pem"],
            "--tls-cert: expected a readable file, found none.pem: No such file",
        ),
        (
            ["--tls-cert", "cert.pem", "--tls-key", "none.pem"],
            "--tls-key: expected a readable file, found none.pem",
        ),
        (["--tls-key", "cert.pem"], "--tls-key: expected --tls-cert too, found cert.pem alone"),
    ],
)
def test_options_that_name_no_file_are_refused(
    environ: dict[str, str], tmp_path: Path, options: list[str], problem: str
) -> None:
    (tmp_path / "cert.pem").write_bytes(LEAF.pem)
    ended = run_program([*_COMMAND, *options], environ, tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"bedtape: {problem}")


# Prints the endpoint, and what a client gets that trusts the certificates of the environment.
_PROGRAM = (
    "import os, ssl, urllib.request as r; url = os.environ['BEDTAPE_URL'];"
    "trusted = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE']);"
    "answer = r.urlopen(f'{url}/_bedtape/health', context=trusted);"
    "print(url.partition(':')[0], os.environ['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] == url, answer.status)"
)


def _run(options: Sequence[str], environ: dict[str, str], folder: Path) -> CompletedProcess[str]:
    command = (*_COMMAND[:3], "run", *options, "--", sys.executable, "-c", _PROGRAM)
    return run_program(command, environ, folder)


@pytest.mark.parametrize("files", [1, 2])
def test_run_serves_and_trusts_the_users_own_certificate(
    environ: dict[str, str], tmp_path: Path, files: int
) -> None:
    """The file contains the chain, so that the program trusts its authority."""
    leaf = certificates.issue_leaf(AUTHORITY, ["127.0.0.1"], datetime.now(UTC))
    chain = leaf.certificate_pem + AUTHORITY.certificate_pem
    key = leaf.pem.removesuffix(leaf.certificate_pem)
    (tmp_path / "cert.pem").write_bytes(key + chain if files == 1 else chain)
    (tmp_path / "key.pem").write_bytes(key)
    options = ["--tls-cert", "cert.pem", *(["--tls-key", "key.pem"] if files == 2 else [])]
    ended = _run(options, environ, tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "https True 200\n"), ended.stderr
    assert not (tmp_path / "state" / "tls-authority").exists()
    written = b"".join(each.read_bytes() for each in (tmp_path / "state").glob("*.pem"))
    assert AUTHORITY.certificate_pem.strip() in written
    assert b"PRIVATE KEY" not in written


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--tls-key", "cert.pem"], "--tls-key: expected --tls-cert too, found cert.pem alone"),
        (["--tls-cert", "none.pem"], "--tls-cert: expected a readable file, found none.pem"),
        (
            ["--tls-cert", "cert.pem", "--intercept"],
            "--intercept: expected certificates of bedtape's own authority for Bedrock's hosts,",
        ),
    ],
)
def test_run_refuses_options_that_do_not_fit(
    environ: dict[str, str], tmp_path: Path, options: list[str], problem: str
) -> None:
    (tmp_path / "cert.pem").write_bytes(LEAF.pem)
    ended = _run(options, environ, tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"bedtape: {problem}")
