"""X.509 certificates: a certificate authority for this machine's loopback names and
Bedrock's hosts, and its leaves.

Bytes to values and back, without disk access. This module imports `cryptography`, which the extra
`tls` installs, so `authority.py` imports it on demand.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Every client checks the name constraints, and the key stays on this machine, so a
# long time adds no risk.
_AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=7)
# A client in a container or a virtual machine may have a clock that is slow.
_SLOW_CLOCK = timedelta(days=1)
# RFC 5280, section 4.2.1.10: a subtree of IP addresses is a network.
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_PKCS8 = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, without the key."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pem(self) -> bytes:
        """The key and the certificate."""
        return self.key.private_bytes(*_PKCS8) + self.certificate_pem


def create_authority(hosts: Iterable[str], now: datetime) -> KeyPair:
    """Create a certificate authority. hosts: names that it may sign, beside those of loopback."""
    permitted = [*map(x509.DNSName, ("localhost", *hosts)), *map(x509.IPAddress, _LOOPBACK)]
    key = ec.generate_private_key(ec.SECP256R1())
    name = _render_name("bedtape CA")
    builder = (
        _begin(name, name, key.public_key(), now, _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_limit_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


def issue_leaf(authority: KeyPair, names: Iterable[str], now: datetime) -> KeyPair:
    """Create a server's certificate, valid for `LEAF_LIFETIME`. names: hosts and IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = authority.certificate
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    builder = (
        _begin(_render_name("bedtape"), signer.subject, key.public_key(), now, LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_limit_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(_parse_name, names)), critical=False)
        .add_extension(identifier, critical=False)
    )
    return KeyPair(builder.sign(authority.key, hashes.SHA256()), key)


def parse_pem(data: bytes) -> KeyPair:
    """Return the key and the certificate of a file.

    Raises ValueError if one is absent, damaged, or of another pair.
    """
    certificate = x509.load_pem_x509_certificate(data)
    key = serialization.load_pem_private_key(data, None)
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise ValueError("a key that does not belong to the certificate")
    return KeyPair(certificate, key)


def list_permitted(authority: x509.Certificate) -> frozenset[str]:
    """Return the host names that an authority may sign, without the loopback addresses."""
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    return frozenset(
        name.value
        for name in constraints.permitted_subtrees or ()
        if isinstance(name, x509.DNSName)
    )


def render_java_store(certificates: Iterable[bytes], password: str) -> bytes | None:
    """Return a PKCS12 trust store as Java reads it.

    Return `None` if the installed cryptography cannot write one.

    certificates: in PEM. One that is invalid, as some old roots are, is left out.
    """
    render = getattr(pkcs12, "serialize_java_truststore", None)
    if render is None:
        return None
    trusted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some roots have a serial number of 0
        for number, pem in enumerate(certificates):
            with suppress(ValueError):
                trusted.append(
                    pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(pem), b"%d" % number)
                )
    store: bytes = render(trusted, serialization.BestAvailableEncryption(password.encode()))
    return store


def _begin(
    name: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCK)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _render_name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "bedtape"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _parse_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _limit_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
