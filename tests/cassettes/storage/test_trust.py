"""The bundle that programs get: all that they trusted before, and one authority more."""

import shutil
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage import certificates, trust

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def _make() -> bytes:
    return certificates.create_authority((), NOW).certificate_pem


OURS, COMPANY, OTHER = _make(), _make(), _make()


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """No certificates of this system, so that the tests see the same everywhere."""
    monkeypatch.setattr(trust, "_SYSTEM", ())
    return {"BEDTAPE_STATE_DIR": str(tmp_path / "state"), "PATH": "/bin"}


def _read(environ: dict[str, str]) -> bytes:
    (file,) = {environ[name] for name in trust.BUNDLE_VARIABLES}
    return Path(file).read_bytes()


def test_every_variable_names_one_bundle_with_ours_and_botocores(environ: dict[str, str]) -> None:
    trusting = trust.trust(environ, OURS)
    bundle = _read(trusting)
    assert bundle.startswith(OURS)
    assert bundle.count(b"BEGIN CERTIFICATE") > 100
    assert trusting["PATH"] == "/bin"
    context = ssl.create_default_context(cafile=trusting["SSL_CERT_FILE"])
    assert context.cert_store_stats()["x509_ca"] > 100


@pytest.mark.parametrize("name", trust.BUNDLE_VARIABLES)
def test_what_the_user_trusts_stays_trusted(
    environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    company = tmp_path / "company.pem"
    company.write_bytes(b"# our proxy\n" + COMPANY + OTHER)
    bundle = _read(trust.trust({**environ, name: str(company)}, OURS))
    assert [bundle.count(each.strip()) for each in (OURS, COMPANY, OTHER)] == [1, 1, 1]
    assert b"our proxy" not in bundle


def test_a_program_within_a_program_gets_the_same_file(environ: dict[str, str]) -> None:
    once = trust.trust(environ, OURS)
    assert trust.trust(once, OURS) == once


@pytest.mark.parametrize("value", ["", "/no/such/file.pem", "/"])
def test_a_variable_without_a_file_changes_nothing(environ: dict[str, str], value: str) -> None:
    assert _read(trust.trust({**environ, "AWS_CA_BUNDLE": value}, OURS)) == _read(
        trust.trust(environ, OURS)
    )


def test_java_keeps_a_trust_store_that_the_user_chose(environ: dict[str, str]) -> None:
    chosen = "-Djavax.net.ssl.trustStore=/company.jks"
    assert (
        trust.trust({**environ, "JAVA_TOOL_OPTIONS": chosen}, OURS)["JAVA_TOOL_OPTIONS"] == chosen
    )


def test_java_keeps_its_other_options(environ: dict[str, str]) -> None:
    options = trust.trust({**environ, "JAVA_TOOL_OPTIONS": "-Xmx1g"}, OURS)["JAVA_TOOL_OPTIONS"]
    assert options.startswith('-Xmx1g -Djavax.net.ssl.trustStore="')


@pytest.mark.slow
def test_java_reads_the_trust_store(environ: dict[str, str]) -> None:
    keytool = shutil.which("keytool")
    if keytool is None:
        pytest.skip("keytool is not installed: install a JDK")
    options = trust.trust(environ, OURS)["JAVA_TOOL_OPTIONS"]
    store = options.partition('trustStore="')[2].partition('"')[0]
    command = [keytool, "-list", "-keystore", store, "-storepass", "changeit"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert listed.count("trustedCertEntry") > 100


def test_without_cryptography_everything_but_java_is_set(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bedtape_cassettes.storage.certificates", None)
    trusting = trust.trust(environ, OURS)
    assert OURS in _read(trusting)
    assert "JAVA_TOOL_OPTIONS" not in trusting


def test_an_older_cryptography_writes_no_trust_store(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(certificates.pkcs12, "serialize_java_truststore")
    assert "JAVA_TOOL_OPTIONS" not in trust.trust(environ, OURS)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_fix(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CassetteError, match="name another folder in BEDTAPE_STATE_DIR"):
        trust.trust({**environ, "BEDTAPE_STATE_DIR": str(tmp_path / "file" / "state")}, OURS)
