"""The certificate authority: what it may sign, who can read its key, and what
happens to a damaged file.
"""

import ipaddress
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from bedtape_cassettes.addresses import SERVICES, read_host
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import authority, certificates
from bedtape_cassettes.storage.store import find_state_folder

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"BEDTAPE_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}, Path("/a")),
        ({"BEDTAPE_STATE_DIR": "", "XDG_STATE_HOME": "/b"}, Path("/b/bedtape")),
        ({"XDG_STATE_HOME": ""}, Path.home() / ".local/state/bedtape"),
        ({}, Path.home() / ".local/state/bedtape"),
    ],
)
def test_the_state_folder(environ: dict[str, str], folder: Path) -> None:
    assert find_state_folder(environ) == folder


def test_without_a_home_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(CassetteError, match="found no home; name one in BEDTAPE_STATE_DIR"):
        find_state_folder({})


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"BEDTAPE_STATE_DIR": str(tmp_path / "state")}


def test_the_first_use_creates_a_private_file_and_later_uses_read_it(
    environ: dict[str, str],
) -> None:
    first, second = authority.open_authority(environ), authority.open_authority(environ)
    assert first.certificate == second.certificate
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.file.parent.stat().st_mode) == 0o700
    assert [path.name for path in first.file.parent.iterdir()] == [authority.FILE]
    assert b"PRIVATE" not in first.certificate


def test_processes_at_once_create_one_authority(environ: dict[str, str]) -> None:
    code = (
        "import os, sys; from bedtape_cassettes.storage.authority import open_authority;"
        " sys.stdin.read(); sys.stdout.buffer.write(open_authority(os.environ).certificate)"
    )
    run = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(run, env={**os.environ, **environ}, stdin=pipe, stdout=pipe)
        for _ in range(4)
    ]
    # each has imported its modules or does so now; the end of its input lets it begin
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    printed = set()
    for process in started:
        assert process.stdout is not None
        printed.add(process.stdout.read())
        process.stdout.close()
        assert process.wait() == 0
    assert printed == {authority.open_authority(environ).certificate}
    assert [path.name for path in Path(environ["BEDTAPE_STATE_DIR"]).iterdir()] == [authority.FILE]


def test_a_process_that_comes_second_keeps_the_file_of_the_first(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """The race without a race: the file appears between the question whether it
    exists and its creation.
    """
    first = authority.open_authority(environ)
    authority._create(first.file, b"of the second")
    assert authority.open_authority(environ).certificate == first.certificate


def _damage(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(change(file.read_bytes())) and None


def _replace_key(data: bytes) -> bytes:
    other = certificates.create_authority((), NOW)
    return (
        other.pem.removesuffix(other.certificate_pem) + certificates.parse_pem(data).certificate_pem
    )


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_damage(lambda _: b""), "found an empty file"),
        (_damage(lambda data: data[:-400]), "found another content"),
        (_damage(lambda data: data[: len(data) // 2]), "found another content"),
        (_damage(lambda _: b"\x00\xff" * 50), "found another content"),
        (_damage(lambda data: data.partition(b"-----BEGIN CERT")[0]), "found another content"),
        (_damage(_replace_key), "found another content"),
        (
            _damage(lambda _: certificates.create_authority((), NOW - timedelta(days=9999)).pem),
            "found one that expired on",
        ),
        (lambda file: file.chmod(0o640), r"found one that other users can use \(mode 0640\)"),
    ],
)
def test_a_damaged_file_is_an_error_with_a_fix(
    environ: dict[str, str], damage: Callable[[Path], None], problem: str
) -> None:
    file = authority.open_authority(environ).file
    damage(file)
    with pytest.raises(CassetteError, match=problem) as raised:
        authority.open_authority(environ)
    assert str(raised.value).startswith(f"{file}: expected ")
    assert f"remove {file}" in str(raised.value)
    file.unlink()
    authority.open_authority(environ)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CassetteError, match="name another folder in BEDTAPE_STATE_DIR"):
        authority.open_authority({"BEDTAPE_STATE_DIR": str(tmp_path / "file" / "state")})


def test_without_the_extra_the_error_names_it(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bedtape_cassettes.storage.certificates", None)
    with pytest.raises(
        CassetteError,
        match=r"pip install 'bedtape\[tls\]', or name your own certificate with --tls-cert",
    ):
        authority.open_authority(environ)


def test_it_may_sign_loopback_names_and_every_host_of_bedrock(environ: dict[str, str]) -> None:
    opened = authority.open_authority(environ)
    hosts = opened.hosts - {"localhost"}
    read = [read_host(host) for host in hosts]
    assert {host.service for host in read if host} == set(SERVICES)
    assert {"us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"} <= {
        h.region for h in read if h
    }
    assert None not in read
    assert opened.permits("bedrock-runtime.us-east-1.amazonaws.com")
    assert not opened.permits("s3.us-east-1.amazonaws.com")
    # LibreSSL refuses a certificate with more than 512 constraints.
    constraints = x509.load_pem_x509_certificate(
        opened.certificate
    ).extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert len(constraints.value.permitted_subtrees or ()) <= 512


def _shake_hands(opened: authority.Authority, signed: str, requested: str, tmp_path: Path) -> None:
    """Complete a handshake in memory. Raises ssl.SSLError if the client refuses the certificate."""
    pem = tmp_path / "leaf.pem"
    pem.write_bytes(opened.issue([signed]))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    trusting = ssl.create_default_context(cadata=opened.certificate.decode())
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of Python 3.13
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=requested)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    client.write(b"x")
    assert server.read() == b"x"


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "a.localhost",
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "bedrock-runtime.eu-west-1.amazonaws.com",
    ],
)
def test_a_client_accepts_a_leaf_of_a_permitted_name(
    environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    _shake_hands(authority.open_authority(environ), name, name, tmp_path)


@pytest.mark.parametrize(
    "name", ["example.com", "s3.us-east-1.amazonaws.com", "amazonaws.com", "10.0.0.1", "::2"]
)
def test_a_client_refuses_a_leaf_of_any_other_name(
    environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    """A stolen key is useless for other hosts, because clients check the
    constraints of the authority.
    """
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        _shake_hands(authority.open_authority(environ), name, name, tmp_path)


def test_a_client_refuses_a_leaf_of_another_name_than_it_asked_for(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _shake_hands(authority.open_authority(environ), "localhost", "127.0.0.1", tmp_path)


def test_a_leaf_is_valid_for_days_and_for_servers_alone() -> None:
    made = certificates.create_authority((), NOW)
    leaf = certificates.issue_leaf(made, ["localhost", "::1"], NOW).certificate
    leaf.verify_directly_issued_by(made.certificate)
    assert leaf.not_valid_after_utc - NOW == timedelta(days=7)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("::1"))]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_pair_is_the_same_after_its_pem_is_read() -> None:
    pair = certificates.create_authority(["bedrock.us-east-1.amazonaws.com"], NOW)
    read = certificates.parse_pem(pair.pem)
    assert read.certificate == pair.certificate
    assert read.key.private_numbers() == pair.key.private_numbers()
    assert certificates.list_permitted(read.certificate) == {
        "localhost",
        "bedrock.us-east-1.amazonaws.com",
    }
