"""The upstream's certificate: of a CA made for it alone, valid for loopback and for
Bedrock's hosts in some regions.
"""

import ssl
from collections.abc import Sequence
from pathlib import Path

import trustme

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1")
VPC_ENDPOINT = "vpce-0123456789abcdef0-a1b2c3d4.bedrock-runtime.us-east-1.vpce.amazonaws.com"
HOSTS = (
    "localhost",
    "127.0.0.1",
    VPC_ENDPOINT,
    *(f"*.{region}.{suffix}" for region in REGIONS for suffix in ("amazonaws.com", "api.aws")),
)


def server_context(ca_path: Path, alpn: Sequence[str]) -> ssl.SSLContext:
    """A server's context; the CA that clients are to trust is written to `ca_path`, as PEM."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*HOSTS).configure_cert(context)
    context.set_alpn_protocols(list(alpn))
    return context
