"""The command `bedtape ca`: prints the certificate that clients must trust for TLS."""

from __future__ import annotations

import os

import typer

from bedtape_cassettes.cli.errors import exit_on_error, report
from bedtape_cassettes.storage.authority import open_authority


def ca() -> None:
    """Print the certificate of bedtape's certificate authority, and create the
    authority if there is none.

    Clients that trust it accept bedtape's servers over TLS. It can sign loopback names and
    Bedrock's hosts, and no other names. bedtape run --tls and the fixture bedrock pass it to
    clients; nothing is installed.

    \b
    Example:
      bedtape ca > bedtape-ca.pem
    """
    with exit_on_error():
        authority = open_authority(os.environ)
    typer.echo(authority.certificate.decode(), nl=False)
    report(
        f"the key is in {authority.file}; the certificate is valid until"
        f" {authority.expires:%Y-%m-%d}, for loopback names and {len(authority.hosts) - 1} hosts of"
        " Bedrock"
    )
