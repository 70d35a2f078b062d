"""Errors before an answer begins, as botocore parses them.

How often clients ask again is in tests/clients.
"""

from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from bedtape_cassettes.failures import FAILURES
from bedtape_cassettes.model import Body, Response
from bedtape_replayer.overlay.faults.error_response import Failure
from bedtape_replayer.overlay.faults.errors import Refuse
from support.faulty import call, make_context

OPERATION = (
    botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse")
)


def parsed(response: Response) -> dict[str, Any]:
    assert isinstance(response.body, Body)
    told = {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": response.body.data,
    }
    document = create_parser("rest-json").parse(told, OPERATION.output_shape)
    assert isinstance(document, dict)
    return document


def test_it_answers_instead() -> None:
    kind = Refuse(Failure("ThrottlingException", retry_after_ms=5))
    response = kind.build_answer(call(), make_context())
    assert kind.replaces
    assert response == kind.failure.build_response()


@pytest.mark.parametrize("name", FAILURES)
def test_every_error_by_its_name(name: str) -> None:
    parsed_error = parsed(Failure(name).build_response())
    assert parsed_error["Error"] == {"Code": name, "Message": FAILURES[name].message}
    assert parsed_error["ResponseMetadata"]["HTTPStatusCode"] == FAILURES[name].status


def test_everything_of_it_may_be_told() -> None:
    failure = Failure(
        "ModelErrorException", "m", 500, {"originalStatusCode": 503}, 1234, (("X-More", "1"),)
    )
    response = failure.build_response()
    parsed_error = parsed(response)
    assert parsed_error["Error"] == {"Code": "ModelErrorException", "Message": "m"}
    assert parsed_error["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert isinstance(response.body, Body)
    assert response.body.data == b'{"message":"m","originalStatusCode":503}'
    headers = dict(response.headers)
    assert (headers["x-amz-retry-after"], headers["x-more"]) == ("1234", "1")


def test_a_status_with_a_body_of_any_kind() -> None:
    response = Failure(
        status=503, body=b"<html>", headers=(("Content-Type", "text/html"),)
    ).build_response()
    assert response == Response(503, (("content-type", "text/html"),), Body("text", b"<html>"))
    assert parsed(response)["Error"] == {"Code": "503", "Message": "Service Unavailable"}


@pytest.mark.parametrize("status", [429, 502, 504])
def test_a_status_that_names_no_error(status: int) -> None:
    assert parsed(Failure(status=status).build_response())["Error"]["Code"] == str(status)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "found None without a status"),
        ({"error": "ThrotlingException"}, r"without a status; did you mean ThrottlingException\?"),
        ({"status": 199}, "from 200 to 599"),
        ({"status": 600}, "from 200 to 599"),
        ({"status": 204}, "may have a body"),
        ({"error": "ThrottlingException", "retry_after_ms": -1}, "milliseconds from 0"),
        ({"status": 500, "body": b"", "message": "m"}, "found both"),
        ({"status": 500, "body": b"", "members": {"a": 1}}, "found both"),
        ({"error": "a\r\nb", "status": 500}, "what an HTTP header can hold"),
        ({"error": "", "status": 500}, "what an HTTP header can hold"),
        ({"status": 500, "headers": (("a b", "1"),)}, "found 'a b'"),
    ],
)
def test_what_no_answer_can_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Failure(**wrong)
