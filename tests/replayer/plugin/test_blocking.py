"""Requests of botocore are led elsewhere or refused before they leave, whenever botocore is imported."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.auth
import botocore.httpsession
import pytest

from bedtape_replayer import Replayer
from bedtape_replayer.plugin.blocking import Guard, RealBedrockBlocked, redirect

MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]


@pytest.fixture
def routed() -> Iterator[list[str]]:
    """What was asked to be routed; all of it is refused."""
    seen: list[str] = []

    def refuse(url: str) -> str:
        seen.append(url)
        raise RealBedrockBlocked("no")

    guard = Guard(refuse, lambda url: False)
    guard.install()
    yield seen
    guard.lift()


def test_a_refusal_reaches_the_caller_at_once_and_is_not_retried(routed: list[str]) -> None:
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    with pytest.raises(RealBedrockBlocked):
        session.client("bedrock-runtime").converse(modelId="m", messages=MESSAGES)
    assert routed == ["https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"]


def test_a_client_without_credentials_is_led_elsewhere() -> None:
    with Replayer(()) as bedrock:
        bedrock.respond(text="from here")
        guard = Guard(lambda url: url.replace("https://bedrock-runtime.us-east-1.amazonaws.com", bedrock.url), bool)
        guard.install()
        try:
            client = boto3.Session(region_name="us-east-1").client("bedrock-runtime")
            answer = client.converse(modelId="us.amazon.nova-lite-v1:0", messages=MESSAGES)
        finally:
            guard.lift()
    assert answer["output"]["message"]["content"] == [{"text": "from here"}]


def test_lifted_everything_is_as_it_was() -> None:
    before = botocore.httpsession.URLLib3Session.send, botocore.auth.SigV4Auth.add_auth, list(sys.meta_path)
    guard = Guard(str, bool)
    guard.install()
    assert botocore.httpsession.URLLib3Session.send is not before[0]
    guard.lift()
    assert (botocore.httpsession.URLLib3Session.send, botocore.auth.SigV4Auth.add_auth, list(sys.meta_path)) == before


_LATE = """
import sys
from bedtape_replayer.plugin.blocking import Guard
guard = Guard(lambda url: "elsewhere", bool)
guard.install()
assert not [name for name in sys.modules if name.startswith(("botocore", "aiobotocore"))]
{module}
class Request: url = "there"
print({send})
guard.lift()
"""


def _late(folder: Path, module: str, send: str) -> str:
    code = _LATE.format(module=module, send=send)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_what_is_imported_later_is_wrapped_then_async_ones_too(tmp_path: Path) -> None:
    """aiobotocore sends by itself; here a stand-in of its shape."""
    package = tmp_path / "aiobotocore"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "httpsession.py").write_text(
        "class AIOHTTPSession:\n    async def send(self, request):\n        return request.url\n"
    )
    send = "asyncio.run(aiobotocore.httpsession.AIOHTTPSession().send(Request()))"
    assert _late(tmp_path, "import asyncio, aiobotocore.httpsession", send) == "elsewhere\n"
    session = "botocore.httpsession.URLLib3Session.send.__wrapped__ is not None"
    assert _late(tmp_path, "import botocore.httpsession", session) == "True\n"


def test_a_url_of_a_recorder_that_a_client_kept_loses_the_recorders_own_path() -> None:
    recorder = "http://127.0.0.1:1/0123456789abcdef"
    kept = f"{recorder}/s/test_one/service/bedrock/guardrails?a=b"
    assert redirect(kept, "http://127.0.0.1:2", [recorder]) == "http://127.0.0.1:2/service/bedrock/guardrails?a=b"
