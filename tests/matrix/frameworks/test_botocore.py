"""botocore's three ways of retrying, each as far as it goes: what is asked again,
how often, and what is not.
"""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bedtape_replayer.engine.session import Session

MODEL = "us.amazon.nova-lite-v1:0"
# How many attempts each makes when nothing else is said; 5 are legacy's, one and four retries.
MODES = {"legacy": 5, "standard": 3, "adaptive": 3}
RETRIED = ["ThrottlingException", "ServiceUnavailableException", "InternalServerException"]
FINAL = ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"]


def converse(mode: str, **retries: Any) -> str:
    client = boto3.client("bedrock-runtime", config=Config(retries={"mode": mode, **retries}))
    answer = client.converse(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "again"}]}]
    )
    said: str = answer["output"]["message"]["content"][0]["text"]
    return said


@pytest.mark.parametrize("error", RETRIED)
@pytest.mark.parametrize("mode", MODES)
def test_retries(mode: str, error: str, bedrock: Session) -> None:
    bedrock.respond(text="at last")
    bedrock.fail(error, times=1)
    assert converse(mode) == "at last"
    assert [call.error for call in bedrock.calls] == [error, None]
    assert [call.attempt for call in bedrock.calls] == [1, 2]
    assert len({call.invocation_id for call in bedrock.calls}) == 1


@pytest.mark.parametrize("mode", MODES)
def test_gives_up(mode: str, bedrock: Session) -> None:
    bedrock.fail("ThrottlingException", times=9, retry_after_ms=1)
    with pytest.raises(ClientError, match="ThrottlingException"):
        converse(mode)
    assert len(bedrock.calls) == MODES[mode]


@pytest.mark.parametrize("mode", MODES)
def test_max_attempts(mode: str, bedrock: Session) -> None:
    bedrock.fail("ThrottlingException", times=9, retry_after_ms=1)
    with pytest.raises(ClientError, match="ThrottlingException"):
        converse(mode, total_max_attempts=2)
    assert [call.attempt for call in bedrock.calls] == [1, 2]


@pytest.mark.parametrize("error", FINAL)
@pytest.mark.parametrize("mode", MODES)
def test_final(mode: str, error: str, bedrock: Session) -> None:
    bedrock.fail(error, times=9)
    with pytest.raises(ClientError, match=error):
        converse(mode)
    assert len(bedrock.calls) == 1


@pytest.mark.parametrize("mode", MODES)
def test_reset(mode: str, bedrock: Session) -> None:
    """A connection that breaks before the answer is asked again too."""
    bedrock.respond(text="at last")
    bedrock.fault(reset={}, times=1)
    assert converse(mode) == "at last"
    assert [call.attempt for call in bedrock.calls] == [1, 2]


@pytest.mark.parametrize("mode", [None, *MODES])
def test_trouble(mode: str | None, trouble: Callable[..., None]) -> None:
    client = boto3.client(
        "bedrock-runtime", config=Config(retries={"mode": mode}) if mode else None
    )
    asked: dict[str, Any] = {
        "modelId": MODEL,
        "messages": [{"role": "user", "content": [{"text": "again"}]}],
    }
    trouble(
        lambda: client.converse(**asked), lambda: list(client.converse_stream(**asked)["stream"])
    )


def ask_about_oslo() -> str:
    return " ".join({converse(mode) for mode in MODES})


def test_bedtape_run(run_program: Callable[[Callable[[], str]], str]) -> None:
    assert run_program(ask_about_oslo) == "It rains in Oslo."
