"""The variables by which programs trust one more certificate authority, beside all
that they trust already.

The files are in the state folder, named by their content, so that processes at once share them
and none is half written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.storage.store import find_state_folder, replace_file

# boto3, aiobotocore and Go; requests; httpx, Go, Rust and OpenSSL; curl; Node.js.
BUNDLE_VARIABLES = (
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
# Debian, Fedora, openSUSE, Alpine and macOS.
_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n.*?-----END CERTIFICATE-----", re.DOTALL
)
# Java's options in the environment, and the password of Java's own trust store.
_JAVA = "JAVA_TOOL_OPTIONS"
_STORE = "javax.net.ssl.trustStore"
_PASSWORD = "changeit"  # noqa: S105 -- a trust store contains no secret, and Java requires a password


def trust(environ: Mapping[str, str], certificate: bytes) -> dict[str, str]:
    """Return the environment in which clients of every language trust a certificate authority too.

    certificate: in PEM. The other authorities are those of the user's variables, of the system and
    of botocore. Java's trust store stays as it is if the user chose one. Raises CassetteError if
    the files cannot be written.
    """
    folder = find_state_folder(environ)
    try:
        bundle = dict.fromkeys((*_CERTIFICATE.findall(certificate), *_read_authorities(environ)))
        data = b"\n".join(bundle) + b"\n"
        stem = folder / f"tls-trust-{blake2b(data, digest_size=8).hexdigest()}"
        pem, java = stem.with_suffix(".pem"), stem.with_suffix(".p12")
        if not pem.exists():
            replace_file(pem, data)
        if _STORE in environ.get(_JAVA, "") or not (
            java.exists() or _write_java_store(java, list(bundle))
        ):
            return {**environ, **dict.fromkeys(BUNDLE_VARIABLES, str(pem))}
    except OSError as error:
        fix = "name another folder in BEDTAPE_STATE_DIR"
        raise CassetteError(
            f"{folder}: expected a folder for certificates, found: {error}; {fix}"
        ) from None
    options = {_STORE: f'"{java}"', f"{_STORE}Type": "PKCS12", f"{_STORE}Password": _PASSWORD}
    tool = (environ.get(_JAVA, ""), *(f"-D{name}={value}" for name, value in options.items()))
    return {
        **environ,
        **dict.fromkeys(BUNDLE_VARIABLES, str(pem)),
        _JAVA: " ".join(filter(None, tool)),
    }


def _read_authorities(environ: Mapping[str, str]) -> Iterable[bytes]:
    named = [Path(file) for name in BUNDLE_VARIABLES if (file := environ.get(name))]
    botocore = Path(str(files("botocore").joinpath("cacert.pem")))
    for path in (*named, *map(Path, _SYSTEM), botocore):
        if path.is_file():  # a variable that names no file is the doctor's to report
            yield from _CERTIFICATE.findall(path.read_bytes())


def _write_java_store(path: Path, bundle: Sequence[bytes]) -> bool:
    """Write a trust store. Return whether cryptography of version 45 or later is installed."""
    try:
        data: bytes | None = import_module(
            "bedtape_cassettes.storage.certificates"
        ).render_java_store(bundle, _PASSWORD)
    except ImportError:
        return False
    if data is not None:
        replace_file(path, data)
    return data is not None
