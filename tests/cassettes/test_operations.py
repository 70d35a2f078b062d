"""The table of operations: against botocore's service models, and against the ways in
which clients write a path.
"""

import re
import time

import botocore.session
import pytest
from botocore.model import OperationModel
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.operations import (
    DUPLEX,
    IDEMPOTENCY_TOKENS,
    OPERATIONS,
    Operation,
    find_operation,
    identify,
    kebab,
)
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from support.examples import examples

MODELLED = [operation for operation in OPERATIONS if operation.service != "bedrock-mantle"]
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
ENCODED = ARN.replace(":", "%3A").replace("/", "%2F")


def model(service: str) -> dict[str, OperationModel]:
    described = botocore.session.get_session().get_service_model(service)
    return {name: described.operation_model(name) for name in described.operation_names}


@pytest.mark.parametrize("service", sorted({operation.service for operation in MODELLED}))
def test_the_table_is_botocores(service: str) -> None:
    known = model(service)
    for operation in (operation for operation in MODELLED if operation.service == service):
        theirs = known[operation.name]
        assert (operation.method, operation.path) == (
            theirs.http["method"],
            theirs.http["requestUri"].rstrip("/"),
        )
        assert operation.streaming == theirs.has_event_stream_output, operation


def test_duplex_operations_are_botocores() -> None:
    """In all services of Bedrock, those whose request and answer are event streams."""
    duplex = {
        (service, name)
        for service in botocore.session.get_session().get_available_services()
        if service.startswith("bedrock")
        for name, operation in model(service).items()
        if operation.has_event_stream_input and operation.has_event_stream_output
    }
    rows = (*OPERATIONS, *SERVICE_OPERATIONS)
    assert {(row.service, row.name) for row in rows if row.duplex} == duplex
    assert {name for _, name in duplex} == DUPLEX


def test_idempotency_tokens_are_botocores() -> None:
    """In all services of Bedrock, members and parameters have these names if and only
    if they are such tokens.
    """
    services = [
        name
        for name in botocore.session.get_session().get_available_services()
        if name.startswith("bedrock")
    ]
    tokens, count = set(), 0
    for operation in (operation for service in services for operation in model(service).values()):
        for name, shape in operation.input_shape.members.items() if operation.input_shape else ():
            spelled = shape.serialization.get("name", name)
            if shape.serialization.get("location") in ("header", "headers", "uri"):
                continue
            # One operation's token, of this type, lacks the trait.
            is_token = "idempotencyToken" in shape.metadata or shape.name == "IdempotencyToken"
            assert (spelled in IDEMPOTENCY_TOKENS) == is_token, (operation.name, name, shape.name)
            if "idempotencyToken" in shape.metadata:
                tokens.add(spelled)
                count += 1
    assert (sorted(tokens), count >= 100) == (sorted(IDEMPOTENCY_TOKENS), True)


def test_every_operation_of_the_runtime_is_in_the_table() -> None:
    assert {op.name for op in OPERATIONS if op.service == "bedrock-runtime"} == set(
        model("bedrock-runtime")
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
def test_every_operation_is_found_by_its_own_path(operation: object) -> None:
    path = operation.path.replace("{", "x").replace("}", "y")  # type: ignore[attr-defined]
    target = identify(operation.method, path)  # type: ignore[attr-defined]
    assert target.operation == operation
    assert target.path == path
    assert identify("PUT", path).operation is None


@pytest.mark.parametrize(
    ("method", "path", "name", "names", "decoded"),
    [
        ("POST", "/model/a.b-v1:0/converse", "Converse", "a.b-v1:0", "/model/a.b-v1:0/converse"),
        ("POST", "/model/a.b-v1%3A0/converse", "Converse", "a.b-v1:0", "/model/a.b-v1:0/converse"),
        (
            "POST",
            f"/model/{ENCODED}/converse-stream",
            "ConverseStream",
            ARN,
            f"/model/{ARN}/converse-stream",
        ),
        (
            "POST",
            f"/model/{ARN}/converse-stream",
            "ConverseStream",
            ARN,
            f"/model/{ARN}/converse-stream",
        ),
        ("POST", "/s/test-1/model/a/invoke", "InvokeModel", "a", "/model/a/invoke"),
        ("POST", "//model//a///invoke/", "InvokeModel", "a", "/model/a/invoke"),
        ("POST", "/model/a/invoke?", "InvokeModel", "a", "/model/a/invoke"),
        ("POST", "/model/a/invoke?b=2&a=1", "InvokeModel", "a", "/model/a/invoke?a=1&b=2"),
        ("POST", "/model/converse/invoke", "InvokeModel", "converse", "/model/converse/invoke"),
        (
            "POST",
            "/model/a/invoke-with-response-stream",
            "InvokeModelWithResponseStream",
            "a",
            None,
        ),
        (
            "GET",
            f"/foundation-models/{ENCODED}",
            "GetFoundationModel",
            ARN,
            f"/foundation-models/{ARN}",
        ),
        (
            "GET",
            "/foundation-models/?byProvider=x",
            "ListFoundationModels",
            None,
            "/foundation-models?byProvider=x",
        ),
        (
            "GET",
            f"/inference-profiles/{ENCODED}",
            "GetInferenceProfile",
            ARN,
            f"/inference-profiles/{ARN}",
        ),
        ("GET", "/guardrails/arn%3Aaws%2Fx", "GetGuardrail", None, "/guardrails/arn:aws/x"),
        ("POST", "/openai/v1/responses", "Responses", None, "/openai/v1/responses"),
        ("GET", "/v1/models", "ListModels", None, "/v1/models"),
        ("GET", "/openai/v1/models", "ListModels", None, "/openai/v1/models"),
        (
            "GET",
            "/openai/v1/models/openai.gpt-oss-20b-1%3A0",
            "GetModel",
            "openai.gpt-oss-20b-1:0",
            "/openai/v1/models/openai.gpt-oss-20b-1:0",
        ),
        (
            "POST",
            "/service/bedrock-mantle/openai/v1/embeddings",
            "Embeddings",
            None,
            "/openai/v1/embeddings",
        ),
        ("POST", "/x/v1/responses", "Responses", None, "/v1/responses"),
        ("POST", "/agents/a/agentAliases/b/sessions/c/text", "InvokeAgent", None, None),
        ("POST", "/agents/a", "InvokeInlineAgent", None, "/agents/a"),
        ("GET", "/model/a/converse", None, None, "/model/a/converse"),
        ("POST", "/model//converse", None, None, "/model/converse"),
        ("POST", "/model/a/converse/more", None, None, "/model/a/converse/more"),
        ("POST", "/other%20path?b&a", None, None, "/other path?a&b"),
        ("POST", "/", None, None, "/"),
        ("POST", "", None, None, ""),
        ("POST", "/model/%FF/invoke", "InvokeModel", "\ufffd", "/model/\ufffd/invoke"),
    ],
)
def test_identify(
    method: str, path: str, name: str | None, names: str | None, decoded: str | None
) -> None:
    target = identify(method, path)
    assert (target.name, target.model) == (name, names)
    assert target.path == (path if decoded is None else decoded)


@pytest.mark.parametrize(
    "path",
    ["/model/a", "/agents/", "/model/a/converse/", "/guardrail/a/version/b", "/foundation-models/"],
)
def test_a_long_path_takes_no_time(path: str) -> None:
    """Searching for the pattern of each took 13 s."""
    began = time.process_time()
    for method in ("GET", "POST"):
        identify(method, path * (65536 // len(path)))
    assert time.process_time() - began < 0.5


@settings(derandomize=True, deadline=None, max_examples=examples(200))
@given(
    st.sampled_from(["GET", "POST"]), st.text("/model?&=%3A%2Fconversinvoke-a{}\n.", max_size=40)
)
def test_any_path_is_a_target(method: str, path: str) -> None:
    target = identify(method, path)
    assert (target.operation is None) == (target.name is None)
    assert target.model is None or target.operation is not None


@pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.name}{operation.path}"
)
def test_an_operation_is_known_at_its_whole_path_and_at_its_own_service(
    operation: Operation,
) -> None:
    path = re.sub(r"\{\w+\}", "a%3Ab", operation.path)
    for service in (operation.service, "bedrock-runtime"):  # a client that names no service
        assert find_operation(service, operation.method, f"{path}?a=b") == operation
    assert find_operation("bedrock-agent", operation.method, path) is None
    for other in (
        f"/x{path}",
        f"/..{path}",
        path.replace("a%3Ab", "..", 1) if "%" in path else "/..",
        "/",
    ):
        assert find_operation(operation.service, operation.method, other) != operation
    assert find_operation(operation.service, "PATCH", path) is None


def test_kebab() -> None:
    assert [kebab(name) for name in ("ConverseStream", "CountTokens", "GET", "Rerank")] == [
        "converse-stream",
        "count-tokens",
        "get",
        "rerank",
    ]
    assert all(
        kebab(operation.name).replace("-", "") == operation.name.lower() for operation in OPERATIONS
    )
