"""Finds the credentials for the real service: keys from boto3's chain, or a bearer token."""

from __future__ import annotations

import re
from collections.abc import Mapping

import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from bedtape_cassettes.addresses import BEARER, RUNTIME, render_host
from bedtape_cassettes.admission import is_loopback
from bedtape_cassettes.model import Headers
from bedtape_recorder import gate
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import DEFAULT_REGION, Route
from bedtape_recorder.settings import Upstream, read_own_secrets
from bedtape_recorder.signing import EventSigner, sign

_FIX = f"configure them as for boto3 (profile, SSO, environment), or set {BEARER}"

# A Bedrock API key, long-term or short-term. Other x-api-key values are placeholders.
_API_KEY = re.compile(r"(?:ABSK|bedrock-api-key-)\S{20,}")


# Where botocore finds credentials outside profiles, by botocore's names.
_SOURCES = {
    "env": "the variable AWS_ACCESS_KEY_ID",
    "container-role": "the role of this container",
    "iam-role": "the role of this machine",
}


def check_transport(headers: Headers, scheme: str, host: str) -> None:
    """Raises RecorderError if the headers would send a bearer key or session token unencrypted to another machine.

    A signature reveals no secret, but whoever reads a key or token can use it.
    """
    if scheme == "https" or is_loopback(host):
        return
    for name, value in headers:
        kind = _SECRET_HEADERS.get(name.lower())
        if kind and (name.lower() != "authorization" or value[:7].lower() == "bearer "):
            raise RecorderError(f"expected https:// to {host}, because the request contains {kind}, found {scheme}://")


_SECRET_HEADERS = {
    "authorization": "a bearer key",
    "x-api-key": "an API key",
    "x-amz-security-token": "a session token",
}


def _make_error(error: Exception) -> RecorderError:
    return RecorderError(f"expected AWS credentials, found: {error}; {_FIX}")


class Credentials:
    """Signs requests to the real service. Raises GateShut, or RecorderError without credentials.

    source: where they come from, with the last four characters of the key id.
    """

    def __init__(
        self, profile: str | None, region: str | None, environ: Mapping[str, str], upstream: Upstream | None = None
    ) -> None:
        gate.require(environ)
        session = botocore.session.Session(profile=profile)
        self.bearer = environ.get(BEARER) or None
        self.secrets = read_own_secrets(environ)
        try:
            self._credentials = None if self.bearer else session.get_credentials()
            self.region = region or environ.get("AWS_REGION") or session.get_config_variable("region") or DEFAULT_REGION
        except (BotoCoreError, OSError) as error:  # OSError: a profile's program is missing
            raise _make_error(error) from None
        if self.bearer is None:
            if self._credentials is None:
                raise RecorderError(f"found no AWS credentials: {_FIX}")
            keys, method = self._freeze(), self._credentials.method
            source = _SOURCES.get(method) or f"the profile {session.profile or 'default'} ({method})"
            self.source = f"{source}, key id …{str(keys.access_key)[-4:]}"
        else:
            self.source = f"the bearer key of the variable {BEARER}"
        if upstream is not None:
            self._check_upstream(*upstream[:2])

    def _freeze(self) -> ReadOnlyCredentials:
        """Returns the current keys. May fetch them over the network."""
        if self._credentials is None:
            raise RecorderError(
                "a bidirectional stream is signed event by event: it needs access keys, not a bearer token"
            )
        try:
            keys = self._credentials.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:  # such as an expired SSO login
            raise _make_error(error) from None
        self.secrets |= {secret for secret in (keys.secret_key, keys.token) if secret}
        return keys

    def describe(self, upstream: Upstream | None) -> str:
        """Return the host and region of requests that name no other region, and who signs them, as one line."""
        shown = "{}://{}:{}".format(*upstream) if upstream else render_host(RUNTIME, self.region)
        return f"{shown}, region {self.region}, signed with {self.source}"

    def _check_upstream(self, scheme: str, host: str) -> None:
        """Raises RecorderError if these credentials must not be sent to a host by this scheme."""
        if self.bearer is not None:
            check_transport((("authorization", "Bearer "),), scheme, host)
        elif self._freeze().token:
            check_transport((("x-amz-security-token", ""),), scheme, host)

    def sign_headers(self, route: Route, method: str, path: str, headers: Headers, body: bytes) -> dict[str, str]:
        """Returns the headers that authorise a request. May fetch credentials over the network.

        Keeps the client's own bearer token or Bedrock API key (x-api-key).
        """
        by_name = {name.lower(): value for name, value in reversed(headers)}
        authorization, key = by_name.get("authorization", ""), by_name.get("x-api-key", "")
        own = {"x-api-key": key} if _API_KEY.fullmatch(key) else {}
        if authorization[:7].lower() == "bearer ":
            own["Authorization"] = authorization
        if own:
            return own
        if self.bearer is not None:
            return {"Authorization": f"Bearer {self.bearer}"}
        url = f"https://{route.host}{path}"
        signed = sign(
            method, url, headers, body, credentials=self._freeze(), service=route.scope_service, region=route.region
        )
        return dict(signed)

    def make_event_signer(self, route: Route, signature: str) -> EventSigner:
        """Returns a signer for the events that follow a request's head."""
        return EventSigner(self._freeze(), service=route.scope_service, region=route.region, signature=signature)
