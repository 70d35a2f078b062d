"""What the real service is asked with: keys as boto3's chain finds them, or a bearer token. Found early, or not at all."""

from __future__ import annotations

from collections.abc import Mapping

import botocore.session
from botocore.credentials import ReadOnlyCredentials

from bedtape_cassettes.model import Headers
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import Route
from bedtape_recorder.signing import EventSigner, sign

__all__ = ["BEARER", "Credentials"]

BEARER = "AWS_BEARER_TOKEN_BEDROCK"


class Credentials:
    """Signs requests to the real service. Raises RecorderError where there is nothing to sign with."""

    def __init__(self, profile: str | None, region: str | None, environ: Mapping[str, str]) -> None:
        session = botocore.session.Session(profile=profile)
        self.bearer = environ.get(BEARER)
        self.region = region or session.get_config_variable("region") or "us-east-1"
        self._credentials = None if self.bearer else session.get_credentials()
        if self.bearer is None and self._credentials is None:
            raise RecorderError(
                f"found no AWS credentials: configure them as for boto3 (profile, SSO, environment), or set {BEARER}"
            )

    def _frozen(self) -> ReadOnlyCredentials:
        if self._credentials is None:
            raise RecorderError(
                "a bidirectional stream is signed event by event: it needs access keys, not a bearer token"
            )
        return self._credentials.get_frozen_credentials()

    def headers(self, route: Route, method: str, path: str, headers: Headers, body: bytes) -> dict[str, str]:
        """The headers that authorise a request to the real service. May fetch credentials over the network."""
        sent = next((value for name, value in headers if name.lower() == "authorization"), "")
        if sent.startswith("Bearer "):
            return {"Authorization": sent}
        if self.bearer is not None:
            return {"Authorization": f"Bearer {self.bearer}"}
        url = f"https://{route.host}{path}"
        signed = sign(
            method, url, headers, body, credentials=self._frozen(), service=route.signing_name, region=route.region
        )
        return dict(signed)

    def events(self, route: Route, signature: str) -> EventSigner:
        """A signer for the events that follow a request's head."""
        return EventSigner(self._frozen(), service=route.signing_name, region=route.region, signature=signature)
