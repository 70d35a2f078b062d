"""Finds the credentials for the real service: keys from boto3's chain, or a bearer token.

A program can use several AWS accounts: `Profiles` finds the profile that a
client signed a request with.
"""

from __future__ import annotations

import re
from base64 import b32decode
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from bedtape_cassettes.addresses import BEARER, RUNTIME, read_scope, render_host, requests_fips
from bedtape_cassettes.admission import is_loopback
from bedtape_cassettes.model import Headers
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import DEFAULT_REGION, Route
from bedtape_recorder.settings import Upstream, check_gate, read_own_secrets
from bedtape_recorder.signing import EventSigner, sign

_FIX = f"configure them as for boto3 (profile, SSO, environment), or set {BEARER}"

# A Bedrock API key, long-term or short-term. Other x-api-key values are placeholders.
_API_KEY = re.compile(r"(?:ABSK|bedrock-api-key-)\S{20,}")


# The id of an access key. Ids that end with EXAMPLE are those of AWS's documentation, which
# tests use as placeholders.
_KEY_ID = re.compile(r"(?:AKIA|ASIA)(?!.*EXAMPLE$)[A-Z2-7]{16}")
_ARN_ACCOUNT = re.compile(r"arn:[^:]+:iam::([0-9]{12}):")

# Where botocore finds credentials outside profiles, by botocore's names.
_SOURCES = {
    "env": "the variable AWS_ACCESS_KEY_ID",
    "container-role": "the role of this container",
    "iam-role": "the role of this machine",
}


def check_transport(headers: Headers, scheme: str, host: str) -> None:
    """Raises RecorderError if the headers would send a bearer key or session token
    unencrypted to another machine.

    A signature reveals no secret, but whoever reads a key or token can use it.
    """
    if scheme == "https" or is_loopback(host):
        return
    for name, value in headers:
        kind = _SECRET_HEADERS.get(name.lower())
        if kind and (name.lower() != "authorization" or value[:7].lower() == "bearer "):
            raise RecorderError(
                f"expected https:// to {host}, because the request contains {kind}, found"
                f" {scheme}://"
            )


_SECRET_HEADERS = {
    "authorization": "a bearer key",
    "x-api-key": "an API key",
    "x-amz-security-token": "a session token",
}


def _make_error(error: Exception) -> RecorderError:
    return RecorderError(f"expected AWS credentials, found: {error}; {_FIX}")


def _is_true(value: object) -> bool:
    """Return whether a value of the AWS configuration is a switch that is on."""
    return str(value).lower() == "true"


class Credentials:
    """Signs requests to the real service. Raises GateError, or RecorderError without credentials.

    source: where they come from, with the last four characters of the key id. fips: whether
    requests go to endpoints for FIPS 140.
    """

    def __init__(
        self,
        profile: str | None,
        region: str | None,
        environ: Mapping[str, str],
        upstream: Upstream | None = None,
    ) -> None:
        check_gate(environ)
        session = botocore.session.Session(profile=profile)
        self.bearer = environ.get(BEARER) or None
        self.secrets = read_own_secrets(environ)
        self._profiles = Profiles(session)
        try:
            self._credentials = None if self.bearer else session.get_credentials()
            self.fips = requests_fips(environ) or _is_true(
                session.get_config_variable("use_fips_endpoint")
            )
            self.region = (
                region
                or environ.get("AWS_REGION")
                or session.get_config_variable("region")
                or DEFAULT_REGION
            )
        except (BotoCoreError, OSError) as error:  # OSError: a profile's program is missing
            raise _make_error(error) from None
        if self.bearer is None:
            if self._credentials is None:
                raise RecorderError(f"found no AWS credentials: {_FIX}")
            keys, method = self._freeze(), self._credentials.method
            source = (
                _SOURCES.get(method) or f"the profile {session.profile or 'default'} ({method})"
            )
            self.source = f"{source}, key id …{str(keys.access_key)[-4:]}"
        else:
            self.source = f"the bearer key of the variable {BEARER}"
        if upstream is not None:
            self._check_upstream(*upstream[:2])

    def _freeze(self) -> ReadOnlyCredentials:
        """Returns the current keys. May fetch them over the network."""
        if self._credentials is None:
            raise RecorderError(
                "a bidirectional stream is signed event by event: it needs access keys, not a"
                " bearer token"
            )
        try:
            keys = self._credentials.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:  # such as an expired SSO login
            raise _make_error(error) from None
        self.secrets |= {secret for secret in (keys.secret_key, keys.token) if secret}
        return keys

    def describe(self, upstream: Upstream | None) -> str:
        """Return, as one line, host and region of requests without a region, and who signs them."""
        shown = (
            "{}://{}:{}".format(*upstream)
            if upstream
            else render_host(RUNTIME, self.region, fips=self.fips)
        )
        return f"{shown}, region {self.region}, signed with {self.source}"

    def _check_upstream(self, scheme: str, host: str) -> None:
        """Raises RecorderError if these credentials must not be sent to a host by this scheme."""
        if self.bearer is not None:
            check_transport((("authorization", "Bearer "),), scheme, host)
        elif self._freeze().token:
            check_transport((("x-amz-security-token", ""),), scheme, host)

    def sign_headers(
        self, route: Route, method: str, path: str, headers: Headers, body: bytes
    ) -> dict[str, str]:
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
        keys = self._find_keys(authorization)
        signed = sign(
            method,
            url,
            headers,
            body,
            credentials=keys,
            service=route.scope_service,
            region=route.region,
        )
        return dict(signed)

    def _find_keys(self, authorization: str) -> ReadOnlyCredentials:
        """Returns the keys of the account that signed the client's request.

        Raises RecorderError for another account.
        """
        own, scope = self._freeze(), read_scope(authorization)
        if (
            scope is None
            or (profile := self._profiles.find(scope.access_key, str(own.access_key))) is None
        ):
            return own
        keys = self._profiles.read_keys(profile)
        self.secrets |= {secret for secret in (keys.secret_key, keys.token) if secret}
        return keys

    def make_event_signer(self, route: Route, authorization: str, signature: str) -> EventSigner:
        """Returns a signer for the events after a request's head. authorization: the client's."""
        keys = self._find_keys(authorization)
        return EventSigner(
            keys, service=route.scope_service, region=route.region, signature=signature
        )


# -- several accounts ------------------------------------------------------------------------------


def read_account(key_id: str) -> str | None:
    """Returns the account in an access key id; None for ids of before 2019, which have none."""
    if not _KEY_ID.fullmatch(key_id) or key_id[4] < "Q":
        return None
    number = int.from_bytes(b32decode(key_id[4:])[:6], "big")
    return f"{(number & 0x7FFFFFFFFF80) >> 7:012d}"


class Profiles:
    """The profiles of the AWS configuration. Reads them when the first request needs them."""

    def __init__(self, session: botocore.session.Session) -> None:
        self._session = session
        self._found: dict[str, str | None] = {}
        self._credentials: dict[str, Any] = {}

    def find(self, key_id: str, own: str) -> str | None:
        """Returns the profile that owns the key id, or None if the recorder's own key is to sign.

        own: the id of the recorder's key. It signs requests of the same account, because keys of a
        role differ from process to process, and requests with a made-up key. Raises RecorderError
        for an account without a profile.
        """
        if key_id == own or not _KEY_ID.fullmatch(key_id):
            return None
        if key_id not in self._found:
            self._found[key_id] = self._search(key_id, own)
        return self._found[key_id]

    def _search(self, key_id: str, own: str) -> str | None:
        account = read_account(key_id)
        profiles: Mapping[str, Mapping[str, Any]] = self._session.full_config.get("profiles", {})
        for name, values in profiles.items():
            if values.get("aws_access_key_id") == key_id:
                return name
        if account is not None:
            if account == read_account(own):
                return None
            for name, values in profiles.items():
                if account in _list_accounts(values):
                    return name
        whose = f" of account {account}" if account else ""
        fix = (
            "add its profile to the AWS configuration, or use --mode forward, where the program"
            " signs"
        )
        raise RecorderError(
            f"expected a key id of an account that the recorder signs for (…{own[-4:]} or a"
            f" profile), found …{key_id[-4:]}{whose}; {fix}"
        )

    def read_keys(self, profile: str) -> ReadOnlyCredentials:
        """Returns a profile's current keys, maybe from the network. Raises RecorderError."""
        try:
            if profile not in self._credentials:
                self._credentials[profile] = botocore.session.Session(
                    profile=profile
                ).get_credentials()
            if (credentials := self._credentials[profile]) is None:
                raise RecorderError(f"expected credentials of the profile {profile}, found none")
            keys: ReadOnlyCredentials = credentials.get_frozen_credentials()
        except (BotoCoreError, OSError) as error:
            raise RecorderError(
                f"expected credentials of the profile {profile}, found: {error}"
            ) from None
        return keys


def _list_accounts(values: Mapping[str, Any]) -> list[str | None]:
    """Returns the accounts that a profile's own settings name, without asking AWS."""
    role = _ARN_ACCOUNT.match(str(values.get("role_arn", "")))
    key_account = None if role else read_account(str(values.get("aws_access_key_id", "")))
    return [role and role[1], values.get("sso_account_id"), key_account]
