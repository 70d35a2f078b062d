"""CreateGuardrail and the other operations of the control plane, with boto3."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bedtape_replayer import Replayer
from bedtape_replayer.answering.memory import Memory
from bedtape_replayer.overlay.simulation.guardrails.store import MOST_VERSIONS, GuardrailStore
from support.five_apis import NOVA

TEXTS = {"blockedInputMessaging": "No question.", "blockedOutputsMessaging": "No answer."}
WORDS = {"wordsConfig": [{"text": "secret"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer((), simulate=["guardrails"]) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    return server


def _client(bedrock: Replayer, service: str = "bedrock") -> Any:
    keys = {"aws_access_key_id": "bedtape", "aws_secret_access_key": "bedtape"}
    return boto3.client(service, endpoint_url=bedrock.url, region_name="us-east-1", **keys)


def _create(bedrock: Replayer, name: str = "mine", **more: Any) -> str:
    answer = _client(bedrock).create_guardrail(
        **{"name": name, "wordPolicyConfig": WORDS, **TEXTS, **more}
    )
    return str(answer["guardrailId"])


def _ask(bedrock: Replayer, identifier: str, version: str = "DRAFT") -> str:
    named = {"guardrailIdentifier": identifier, "guardrailVersion": version}
    answer = _client(bedrock, "bedrock-runtime").converse(
        modelId=NOVA,
        messages=[{"role": "user", "content": [{"text": "a secret"}]}],
        guardrailConfig=named,
    )
    return str(answer["output"]["message"]["content"][0]["text"])


def test_a_created_guardrail_acts(bedrock: Replayer) -> None:
    bedrock.respond(text="Hello.")
    identifier = _create(bedrock)
    assert _ask(bedrock, identifier) == "No question."
    assert [call.operation for call in bedrock.calls] == ["CreateGuardrail", "Converse"]
    assert bedrock.calls[0].simulated == ("guardrails: CreateGuardrail",)


def test_a_version_is_a_copy_of_the_draft(bedrock: Replayer) -> None:
    bedrock.respond(text="Hello.")
    control, identifier = _client(bedrock), _create(bedrock)
    made = control.create_guardrail_version(guardrailIdentifier=identifier, description="first")
    assert made["version"] == "1"
    control.update_guardrail(guardrailIdentifier=identifier, name="mine", **TEXTS)
    assert (_ask(bedrock, identifier), _ask(bedrock, identifier, "1")) == ("Hello.", "No question.")
    with pytest.raises(ClientError, match="identifier or version"):
        _ask(bedrock, identifier, "2")
    one = control.get_guardrail(guardrailIdentifier=identifier, guardrailVersion="1")
    assert (one["wordPolicy"], one["description"]) == ({"words": [{"text": "secret"}]}, "first")
    assert "wordPolicy" not in control.get_guardrail(guardrailIdentifier=identifier)


def test_get_returns_what_create_got(bedrock: Replayer) -> None:
    policies: dict[str, Any] = {
        "topicPolicyConfig": {
            "topicsConfig": [{"name": "Investing", "definition": "Money.", "type": "DENY"}],
            "tierConfig": {"tierName": "CLASSIC"},
        },
        "contentPolicyConfig": {
            "filtersConfig": [{"type": "HATE", "inputStrength": "LOW", "outputStrength": "HIGH"}]
        },
        "wordPolicyConfig": {**WORDS, "managedWordListsConfig": [{"type": "PROFANITY"}]},
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": "EMAIL", "action": "BLOCK"}],
            "regexesConfig": [{"name": "a", "pattern": "b", "action": "ANONYMIZE"}],
        },
        "contextualGroundingPolicyConfig": {
            "filtersConfig": [{"type": "GROUNDING", "threshold": 0.5}]
        },
    }
    identifier = _create(bedrock, **policies, description="All.")
    bedrock.advance(60)
    guardrail = _client(bedrock).get_guardrail(guardrailIdentifier=identifier)
    assert (guardrail["name"], guardrail["status"], guardrail["version"]) == (
        *("mine", "READY", "DRAFT"),
    )
    assert guardrail["description"] == "All."
    for name, policy in policies.items():
        lists = guardrail[name.removesuffix("Config")]
        assert {key.removesuffix("Config"): value for key, value in policy.items()} == lists


def test_guardrails_are_listed(bedrock: Replayer) -> None:
    control = _client(bedrock)
    first, second = _create(bedrock, "first"), _create(bedrock, "second")
    control.create_guardrail_version(guardrailIdentifier=first)
    pages = control.get_paginator("list_guardrails").paginate(PaginationConfig={"PageSize": 1})
    listed = [[each["id"] for each in page["guardrails"]] for page in pages]
    assert listed == [[first], [second]]
    versions = control.list_guardrails(guardrailIdentifier=first)["guardrails"]
    assert [each["version"] for each in versions] == ["DRAFT", "1"]


def test_a_deleted_guardrail_is_unknown(bedrock: Replayer) -> None:
    control, identifier = _client(bedrock), _create(bedrock)
    control.create_guardrail_version(guardrailIdentifier=identifier)
    control.delete_guardrail(guardrailIdentifier=identifier, guardrailVersion="1")
    control.get_guardrail(guardrailIdentifier=identifier)
    control.delete_guardrail(guardrailIdentifier=identifier)
    assert control.list_guardrails()["guardrails"] == []
    with pytest.raises(control.exceptions.ResourceNotFoundException):
        control.get_guardrail(guardrailIdentifier=identifier)


def test_ids_are_those_of_the_last_run(bedrock: Replayer) -> None:
    first = _create(bedrock)
    bedrock.reset()
    assert _create(bedrock) == first


def test_policies_of_the_overlay_are_read_only(bedrock: Replayer) -> None:
    bedrock.simulate(guardrails={"abc": {"name": "given"}, "abc:1": {"name": "one"}})
    control = _client(bedrock)
    assert control.get_guardrail(guardrailIdentifier="abc")["name"] == "given"
    one = control.get_guardrail(guardrailIdentifier="abc", guardrailVersion="1")
    assert one["name"] == "one"
    (row,) = control.list_guardrails()["guardrails"]
    assert (row["id"], row["name"]) == ("abc", "given")
    for change in (
        lambda: control.update_guardrail(guardrailIdentifier="abc", name="x", **TEXTS),
        lambda: control.create_guardrail_version(guardrailIdentifier="abc"),
        lambda: control.delete_guardrail(guardrailIdentifier="abc"),
    ):
        with pytest.raises(control.exceptions.ValidationException, match="policy in `simulate`"):
            change()


def test_names_and_numbers_have_limits(bedrock: Replayer) -> None:
    control, identifier = _client(bedrock), _create(bedrock)
    with pytest.raises(control.exceptions.ConflictException, match="already has this name"):
        _create(bedrock)
    for _ in range(MOST_VERSIONS):
        control.create_guardrail_version(guardrailIdentifier=identifier)
    with pytest.raises(control.exceptions.ServiceQuotaExceededException):
        control.create_guardrail_version(guardrailIdentifier=identifier)


def test_a_name_belongs_to_one_guardrail(bedrock: Replayer) -> None:
    bedrock.simulate(guardrails={"abc": {"name": "given"}, "def": {}})
    control, first = _client(bedrock), _create(bedrock)
    second = _create(bedrock, "second")
    for name in ("second", "given", "def"):
        with pytest.raises(control.exceptions.ConflictException, match="already has this name"):
            control.update_guardrail(guardrailIdentifier=first, name=name, **TEXTS)
    assert control.get_guardrail(guardrailIdentifier=first)["name"] == "mine"
    control.update_guardrail(guardrailIdentifier=first, name="mine", **TEXTS)
    control.update_guardrail(guardrailIdentifier=first, name="renamed", **TEXTS)
    control.update_guardrail(guardrailIdentifier=second, name="mine", **TEXTS)


def test_a_request_with_the_same_token_creates_nothing(bedrock: Replayer) -> None:
    """The SDKs send a request that got no answer again, with the same token."""
    control, token = _client(bedrock), {"clientRequestToken": "token-1"}
    identifier = _create(bedrock, **token)
    bedrock.advance(60)
    assert _create(bedrock, **token) == identifier
    control.update_guardrail(guardrailIdentifier=identifier, name="renamed", **TEXTS)
    assert _create(bedrock, **token) == identifier
    with pytest.raises(control.exceptions.ConflictException, match="clientRequestToken"):
        _create(bedrock, description="Another one.", **token)
    assert len(control.list_guardrails()["guardrails"]) == 1
    request = {"guardrailIdentifier": identifier, **token}
    assert [control.create_guardrail_version(**request)["version"] for _ in range(2)] == ["1", "1"]
    with pytest.raises(control.exceptions.ConflictException, match="clientRequestToken"):
        control.create_guardrail_version(description="Another one.", **request)
    control.delete_guardrail(guardrailIdentifier=identifier)
    assert _create(bedrock, **token) != identifier


def test_an_answer_that_is_lost_is_not_created_twice(bedrock: Replayer) -> None:
    bedrock.fault(reset={}, when={"operation": "CreateGuardrail"}, times=1)
    identifier = _create(bedrock)
    assert [call.status for call in bedrock.calls] == [None, 202]
    assert [each["id"] for each in _client(bedrock).list_guardrails()["guardrails"]] == [identifier]


INVALID: list[dict[str, Any]] = [
    {"name": "my guardrail!"},
    {"blockedInputMessaging": "x" * 501},
    {"wordPolicyConfig": {"wordsConfig": [{"text": "x" * 101}]}},
]


@pytest.mark.parametrize("more", INVALID)
def test_a_request_that_the_service_refuses_is_refused(
    bedrock: Replayer, more: dict[str, Any]
) -> None:
    control = _client(bedrock)
    with pytest.raises(control.exceptions.ValidationException, match="1 validation error detected"):
        control.create_guardrail(**{"name": "mine", **TEXTS, **more})
    assert bedrock.calls[-1].source == "validation"
    runtime = _client(bedrock, "bedrock-runtime")
    with pytest.raises(ClientError, match=r"1 validation error detected.*source"):
        runtime.apply_guardrail(
            guardrailIdentifier="abc",
            guardrailVersion="1",
            source="ANSWER",
            content=[{"text": {"text": "x"}}],
        )


def test_a_request_of_another_form_is_refused(bedrock: Replayer) -> None:
    control = _client(bedrock)
    with pytest.raises(control.exceptions.ValidationException, match="regular expression"):
        _create(
            bedrock,
            sensitiveInformationPolicyConfig={
                "regexesConfig": [{"name": "a", "pattern": "(", "action": "BLOCK"}]
            },
        )
    assert control.list_guardrails()["guardrails"] == []


def test_without_simulation_nothing_answers(bedrock: Replayer) -> None:
    bedrock.simulate(guardrails=False)
    with pytest.raises(ClientError, match="no recording"):
        _create(bedrock)


def test_memory_is_counted() -> None:
    memory = Memory()
    store = GuardrailStore(memory)
    identifier = store.create({"name": "a"}, 0.0)
    store.add_version(identifier, 0.0, None)
    assert memory.used > 2_000
    store.delete(identifier, "1")
    store.create({"name": "b"}, 0.0)
    store.clear()
    assert (memory.used, len(store)) == (0, 0)
