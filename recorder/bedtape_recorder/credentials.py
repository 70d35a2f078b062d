"""What the real service is asked with: keys as boto3's chain finds them, or a bearer token. Found early, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping

import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from bedtape_cassettes.addresses import BEARER
from bedtape_cassettes.model import Headers
from bedtape_recorder import gate
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import DEFAULT_REGION, Route
from bedtape_recorder.signing import EventSigner, sign

__all__ = ["Credentials"]

_FIX = f"configure them as for boto3 (profile, SSO, environment), or set {BEARER}"

# A Bedrock API key, of either kind; anything else that a client sends as x-api-key is there to satisfy its library.
_API_KEY = re.compile(r"(?:ABSK|bedrock-api-key-)\S{20,}")


def _unusable(error: Exception) -> RecorderError:
    return RecorderError(f"expected AWS credentials, found: {error}; {_FIX}")


class Credentials:
    """Signs requests to the real service, behind the gate. Raises RecorderError where there is nothing to sign with."""

    def __init__(self, profile: str | None, region: str | None, environ: Mapping[str, str]) -> None:
        gate.require(environ)
        session = botocore.session.Session(profile=profile)
        self.bearer = environ.get(BEARER) or None
        try:
            self._credentials = None if self.bearer else session.get_credentials()
            self.region = region or environ.get("AWS_REGION") or session.get_config_variable("region") or DEFAULT_REGION
        except (BotoCoreError, OSError) as error:  # OSError: a profile's program that is not there
            raise _unusable(error) from None
        if self.bearer is None:
            if self._credentials is None:
                raise RecorderError(f"found no AWS credentials: {_FIX}")
            self._frozen()

    def _frozen(self) -> ReadOnlyCredentials:
        """The keys as they are now. May fetch them over the network."""
        if self._credentials is None:
            raise RecorderError(
                "a bidirectional stream is signed event by event: it needs access keys, not a bearer token"
            )
        try:
            return self._credentials.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:  # an SSO login that has expired, a role that may not be assumed
            raise _unusable(error) from None

    def headers(self, route: Route, method: str, path: str, headers: Headers, body: bytes) -> dict[str, str]:
        """The headers that authorise a request to the real service. May fetch credentials over the network.

        What the client authorises itself with stays: a bearer token, or a Bedrock API key as x-api-key.
        """
        named = {name.lower(): value for name, value in reversed(headers)}
        sent, key = named.get("authorization", ""), named.get("x-api-key", "")
        own = {"x-api-key": key} if _API_KEY.fullmatch(key) else {}
        if sent[:7].lower() == "bearer ":
            own["Authorization"] = sent
        if own:
            return own
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
