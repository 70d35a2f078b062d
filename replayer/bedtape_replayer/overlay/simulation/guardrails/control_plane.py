"""CreateGuardrail and the other operations of the control plane, on the guardrails of a session.

Shapes are from botocore's service model. A guardrail is READY at once. Of the messages of errors,
only the one for a name that is taken is known; the other texts are bedtape's own. A request with
the token of an earlier one gets the answer of the earlier one (docs.aws.amazon.com/bedrock/latest/
APIReference/API_CreateGuardrail.html).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import parse_qsl

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.guardrail import make_arn
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.model import Body, JsonValue, Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.simulation.guardrails.policy import BLOCKED, Policy
from bedtape_replayer.overlay.simulation.guardrails.schema import REQUEST
from bedtape_replayer.overlay.simulation.guardrails.store import (
    DRAFT,
    MOST,
    MOST_VERSIONS,
    GuardrailStore,
    Version,
)

# The virtual clock's zero, so that equal tests get equal answers.
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_LISTED = 1000
_TOKEN = "clientRequestToken"  # noqa: S105 - the name of a member
# Several logs of deployments.
_NAME_TAKEN = "Another guardrail in your account already has this name."
_OTHER_REQUEST = f"bedtape: another request with other members had this {_TOKEN}"
# The members of the request, and of the answer of GetGuardrail.
_MEMBERS = {
    "topicPolicyConfig": ("topicPolicy", {"topicsConfig": "topics"}),
    "contentPolicyConfig": ("contentPolicy", {"filtersConfig": "filters"}),
    "wordPolicyConfig": (
        "wordPolicy",
        {"wordsConfig": "words", "managedWordListsConfig": "managedWordLists"},
    ),
    "sensitiveInformationPolicyConfig": (
        "sensitiveInformationPolicy",
        {"piiEntitiesConfig": "piiEntities", "regexesConfig": "regexes"},
    ),
    "contextualGroundingPolicyConfig": ("contextualGroundingPolicy", {"filtersConfig": "filters"}),
}


class _Refusal(Exception):
    """The request gets an error."""

    def __init__(self, error: str, message: str) -> None:
        self.error, self.message = error, message
        super().__init__(message)


class ControlAnswer(NamedTuple):
    """An answer of the control plane. error: Bedrock's name of the error in it."""

    response: Response
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    """A request to the control plane. policies: of the overlay, which no request changes."""

    call: Call
    store: GuardrailStore
    policies: Mapping[str, Policy]
    now: float

    @property
    def identifier(self) -> str:
        """The guardrail in the path: its id, without the rest of the ARN."""
        return self.call.path.partition("?")[0].rpartition("/")[2].split("%2F")[-1]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.call.path.partition("?")[2]))

    @property
    def body(self) -> JsonObject:
        return self.call.json if isinstance(self.call.json, dict) else {}

    def read(self, schema: Schema) -> JsonObject:
        if wrong := problems(self.body, schema):
            raise _Refusal("ValidationException", "; ".join(str(each) for each in wrong))
        return self.body

    def list_versions(self, identifier: str) -> dict[str, Version]:
        """The versions of a guardrail, the draft first. Raises _Refusal if it does not exist."""
        guardrail = self.store.get(identifier)
        if guardrail is not None:
            return guardrail.versions
        versions = {
            name.partition(":")[2] or DRAFT: Version(policy, 0.0, 0.0)
            for name, policy in self.policies.items()
            if name.partition(":")[0] == identifier
        }
        if not versions:
            raise _missing(identifier)
        return dict(sorted(versions.items(), key=lambda pair: (pair[0] != DRAFT, pair[0])))

    @property
    def signature(self) -> tuple[str, bytes]:
        """The token of the request, and a digest of its other members."""
        members = {name: value for name, value in self.body.items() if name != _TOKEN}
        digest = blake2b(bodies.compact(members), digest_size=16).digest()
        return json_access.text(self.body, _TOKEN), digest

    def find_made(self, versions: Mapping[str, Version]) -> str | None:
        """Return the name of what a request with the same token has created, or None.

        Raises _Refusal if that request was another one.
        """
        token, digest = self.signature
        for name, version in versions.items():
            if token and version.request[0] == token:
                if version.request[1] != digest:
                    raise _Refusal("ConflictException", _OTHER_REQUEST)
                return name
        return None

    def check_name(self, document: JsonObject, identifier: str | None = None) -> None:
        """Raise _Refusal if another guardrail than `identifier` has the name of the document."""
        drafts = [(name, guardrail.versions[DRAFT].policy) for name, guardrail in self.store]
        drafts += [(name.partition(":")[0], policy) for name, policy in self.policies.items()]
        for name, policy in drafts:
            if name != identifier and policy.document.get("name", name) == document["name"]:
                raise _Refusal("ConflictException", _NAME_TAKEN)

    def check_own(self, identifier: str) -> None:
        """Raise _Refusal if no request has created the guardrail."""
        if self.store.get(identifier) is not None:
            return
        self.list_versions(identifier)
        raise _Refusal(
            "ValidationException",
            f"bedtape: the guardrail {identifier} is a policy in `simulate`; change it there, or"
            " create a guardrail with CreateGuardrail",
        )


def answer_control(
    call: Call, store: GuardrailStore, policies: Mapping[str, Policy], now: float
) -> ControlAnswer:
    """Answer a request to the control plane. Its operation is one of `OPERATIONS`."""
    handle, status = _HANDLERS[call.operation or ""]
    try:
        value = handle(_Request(call, store, policies, now))
    except _Refusal as refusal:
        failure = Failure(refusal.error, refusal.message)
        return ControlAnswer(failure.build_response(call.dialect, call.service), refusal.error)
    headers = (("content-type", "application/json"),)
    return ControlAnswer(Response(status, headers, Body("json", bodies.compact(value))))


def _create(request: _Request) -> JsonObject:
    document = request.read(REQUEST)
    drafts = {name: guardrail.versions[DRAFT] for name, guardrail in request.store}
    if (made := request.find_made(drafts)) is not None:
        return {**_name(made), "version": DRAFT, "createdAt": _time(drafts[made].created)}
    request.check_name(document)
    if len(request.store) >= MOST:
        raise _Refusal("ServiceQuotaExceededException", f"an account has {MOST} guardrails at most")
    identifier = request.store.create(document, request.now, request.signature)
    return {**_name(identifier), "version": DRAFT, "createdAt": _time(request.now)}


def _get(request: _Request) -> JsonObject:
    identifier, name = request.identifier, request.query.get("guardrailVersion", DRAFT)
    versions = request.list_versions(identifier)
    if name not in versions and identifier not in request.policies:
        raise _missing(f"{identifier}:{name}")
    version = versions.get(name) or versions[DRAFT]
    document, policies = version.policy.document, dict[str, JsonValue]()
    for config, (member, lists) in _MEMBERS.items():
        if isinstance(given := document.get(config), dict):
            renamed = {**lists, "tierConfig": "tier"}
            policies[member] = {renamed[key]: given[key] for key in given}
    return {
        **_name(identifier),
        **_summarize(identifier, name, version),
        **policies,
        "blockedInputMessaging": document.get("blockedInputMessaging", BLOCKED),
        "blockedOutputsMessaging": document.get("blockedOutputsMessaging", BLOCKED),
        "statusReasons": [],
        "failureRecommendations": [],
    }


def _list(request: _Request) -> JsonObject:
    identifier = request.query.get("guardrailIdentifier", "").rpartition("/")[2]
    names = dict.fromkeys(name.partition(":")[0] for name in request.policies)
    names |= dict.fromkeys(name for name, _ in request.store)
    rows = list(_list_rows(request, [identifier] if identifier else list(names), bool(identifier)))
    most, begin = (
        _read_number(request.query.get(key), default)
        for key, default in (("maxResults", _MOST_LISTED), ("nextToken", 0))
    )
    page: JsonObject = {"guardrails": rows[begin : begin + most]}
    return page if begin + most >= len(rows) else {**page, "nextToken": str(begin + most)}


def _list_rows(request: _Request, names: list[str], every: bool) -> Iterator[JsonValue]:
    """Yield the drafts of guardrails, or every version of one guardrail."""
    for identifier in names:
        versions = request.list_versions(identifier)
        for name in versions if every else list(versions)[:1]:
            yield {
                "id": identifier,
                "arn": make_arn(identifier),
                **_summarize(identifier, name, versions[name]),
            }


def _read_number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise _Refusal("ValidationException", f"expected a number, found {text[:40]!r}")
    return int(text)


def _update(request: _Request) -> JsonObject:
    identifier = request.identifier
    request.check_own(identifier)
    document = request.read(REQUEST)
    request.check_name(document, identifier)
    draft = request.list_versions(identifier)[DRAFT]
    version = replace(draft, policy=Policy(document), updated=request.now)
    request.store.keep(identifier, DRAFT, version)
    return {**_name(identifier), "version": DRAFT, "updatedAt": _time(request.now)}


def _add_version(request: _Request) -> JsonObject:
    identifier, description = request.identifier, request.body.get("description")
    request.check_own(identifier)
    versions = request.list_versions(identifier)
    numbered = {name: version for name, version in versions.items() if name != DRAFT}
    if (made := request.find_made(numbered)) is not None:
        return {"guardrailId": identifier, "version": made}
    if len(numbered) >= MOST_VERSIONS:
        raise _Refusal(
            "ServiceQuotaExceededException", f"a guardrail has {MOST_VERSIONS} versions at most"
        )
    text = description if isinstance(description, str) else None
    number = request.store.add_version(identifier, request.now, text, request.signature)
    return {"guardrailId": identifier, "version": number}


def _delete(request: _Request) -> JsonObject:
    identifier, name = request.identifier, request.query.get("guardrailVersion")
    request.check_own(identifier)
    if name is not None and (name == DRAFT or name not in request.list_versions(identifier)):
        raise _missing(f"{identifier}:{name}")
    request.store.delete(identifier, name)
    return {}


_HANDLERS: Mapping[str, tuple[Callable[[_Request], JsonObject], int]] = {
    "CreateGuardrail": (_create, 202),
    "GetGuardrail": (_get, 200),
    "ListGuardrails": (_list, 200),
    "UpdateGuardrail": (_update, 202),
    "CreateGuardrailVersion": (_add_version, 202),
    "DeleteGuardrail": (_delete, 202),
}
OPERATIONS = frozenset(_HANDLERS)


def _missing(name: str) -> _Refusal:
    return _Refusal("ResourceNotFoundException", f"the guardrail {name} does not exist")


def _name(identifier: str) -> JsonObject:
    return {"guardrailId": identifier, "guardrailArn": make_arn(identifier)}


def _summarize(identifier: str, name: str, version: Version) -> JsonObject:
    document = version.policy.document
    description = version.description or document.get("description")
    return {
        "name": document.get("name") or identifier,
        **({"description": description} if description else {}),
        "version": name,
        "status": "READY",
        "createdAt": _time(version.created),
        "updatedAt": _time(version.updated),
    }


def _time(now: float) -> str:
    return (_BEGIN + timedelta(seconds=now)).strftime("%Y-%m-%dT%H:%M:%SZ")
