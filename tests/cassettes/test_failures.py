"""Bedrock's errors as botocore's models have them."""

import botocore.session
import pytest
from botocore.model import OperationModel

from bedtape_cassettes.failures import FAILURES, get_namespace, stream_member

SESSION = botocore.session.get_session()
# In the order in which their statuses count: conflicts are 400 of the runtime's, 409 of agents'.
MODELS = [SESSION.get_service_model(name) for name in ("bedrock-runtime", "bedrock-agent-runtime")]
ERRORS = {shape.name: shape for model in reversed(MODELS) for shape in model.error_shapes}
STREAMED = [
    operation
    for model in MODELS
    for operation in map(model.operation_model, model.operation_names)
    if operation.has_event_stream_output
]


def test_every_modelled_error_is_known_and_no_other_is_said_to_be() -> None:
    assert {name for name, known in FAILURES.items() if not known.unmodelled} == set(ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_statuses_are_those_of_the_models(name: str) -> None:
    assert FAILURES[name].status == ERRORS[name].metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize("name", [shape.name for shape in MODELS[0].error_shapes])
def test_members_of_the_runtimes_errors_are_those_of_the_models(name: str) -> None:
    assert {"message", *FAILURES[name].members} == set(ERRORS[name].members)


@pytest.mark.parametrize("operation", STREAMED, ids=lambda operation: operation.name)
def test_streams_have_the_exceptions_of_their_unions(operation: OperationModel) -> None:
    members = operation.get_event_stream_output().members
    expected = {name for name, member in members.items() if member.metadata.get("exception")}
    ours = {
        stream_member(name) for name, known in FAILURES.items() if operation.name in known.streams
    }
    assert ours == expected


def test_every_stream_is_one_of_the_models() -> None:
    assert {name for known in FAILURES.values() for name in known.streams} == {
        model.name for model in STREAMED
    }


def test_every_error_says_something() -> None:
    assert all(known.message for known in FAILURES.values())


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("ThrottlingException", "com.amazon.bedrock"),
        ("SomethingElse", "com.amazon.bedrock"),
        ("ExpiredTokenException", "com.amazon.coral.service"),
    ],
)
def test_the_namespace_tells_the_layer(name: str, layer: str) -> None:
    assert get_namespace(name) == f":http://internal.amazon.com/coral/{layer}/"
