"""CreateGuardrail and the other operations of the control plane, on the guardrails of a session.

Shapes are from botocore's service model. A guardrail is READY at once. What the service writes in
the messages of these errors is not known; the texts here are bedtape's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl

from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.guardrail import make_arn
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
    names = {v.policy.document.get("name") for _, g in request.store for v in g.versions.values()}
    if document["name"] in names:
        raise _Refusal("ConflictException", f"a guardrail has the name {document['name']} already")
    if len(request.store) >= MOST:
        raise _Refusal("ServiceQuotaExceededException", f"an account has {MOST} guardrails at most")
    identifier = request.store.create(document, request.now)
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
    created = request.list_versions(identifier)[DRAFT].created
    request.store.keep(identifier, DRAFT, Version(Policy(document), created, request.now))
    return {**_name(identifier), "version": DRAFT, "updatedAt": _time(request.now)}


def _add_version(request: _Request) -> JsonObject:
    identifier, description = request.identifier, request.body.get("description")
    request.check_own(identifier)
    if len(request.list_versions(identifier)) > MOST_VERSIONS:
        raise _Refusal(
            "ServiceQuotaExceededException", f"a guardrail has {MOST_VERSIONS} versions at most"
        )
    text = description if isinstance(description, str) else None
    number = request.store.add_version(identifier, request.now, text)
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
