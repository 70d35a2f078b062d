"""Requests of botocore are redirected, whenever botocore is imported.
test_pytest_plugin shows what is refused.
"""

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import boto3
import botocore.client
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.endpoint import Endpoint

from bedtape_replayer import Replayer
from bedtape_replayer.plugin.blocking import Guard, redirect

MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]


def _leave_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    return environ


def test_a_client_without_credentials_is_redirected() -> None:
    with Replayer(()) as bedrock:
        bedrock.respond(text="from here")
        real = "https://bedrock-runtime.us-east-1.amazonaws.com"

        def route(request: AWSPreparedRequest) -> None:
            request.url = request.url.replace(real, bedrock.url)

        guard = Guard(route, bool, print, _leave_environ, bool)
        guard.install()
        try:
            client = boto3.Session(region_name="us-east-1").client("bedrock-runtime")
            answer = client.converse(modelId="us.amazon.nova-lite-v1:0", messages=MESSAGES)
        finally:
            guard.lift()
    assert answer["output"]["message"]["content"] == [{"text": "from here"}]


def test_lifted_everything_is_as_it_was() -> None:
    def collect() -> list[object]:
        wrapped = (
            subprocess.Popen.__init__,
            Endpoint.__dict__["_do_get_response"],
            SigV4Auth.add_auth,
        )
        return [*wrapped, *sys.meta_path, vars(botocore.client).get("__tracebackhide__")]

    before = collect()
    looked_up: list[str] = []
    guard = Guard(repr, bool, looked_up.append, _leave_environ, bool)
    guard.install()
    socket.getaddrinfo("127.0.0.1", 80)
    assert not any(one is other for one, other in zip(collect()[:3], before, strict=False))
    guard.lift()
    socket.getaddrinfo("127.0.0.1", 81)
    assert (collect(), looked_up) == (before, ["127.0.0.1"])


_LATE = """
import sys
from bedtape_replayer.plugin.blocking import Guard
guard = Guard(lambda request: setattr(request, "url", "elsewhere"), bool, print, lambda environ: environ, bool)
guard.install()
assert not [name for name in sys.modules if name.startswith(("botocore", "aiobotocore"))]
{module}
class Request: url = "there"
print({send})
guard.lift()
"""


def _late(folder: Path, module: str, send: str) -> str:
    code = _LATE.format(module=module, send=send)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def test_modules_that_are_imported_later_are_wrapped_then(tmp_path: Path) -> None:
    """aiobotocore has an endpoint of its own; here a stand-in of its shape."""
    package = tmp_path / "aiobotocore"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "endpoint.py").write_text(
        "class AioEndpoint:\n    async def _do_get_response(self, request, *_):\n        return"
        " request.url\n"
    )
    send = "asyncio.run(aiobotocore.endpoint.AioEndpoint()._do_get_response(Request(), 1, 2))"
    assert _late(tmp_path, "import asyncio, aiobotocore.endpoint", send) == "elsewhere\n"
    wrapped = "botocore.endpoint.Endpoint._do_get_response.__wrapped__ is not None"
    assert _late(tmp_path, "import botocore.endpoint", wrapped) == "True\n"


def test_a_url_of_a_recorder_that_a_client_kept_loses_the_recorders_own_path() -> None:
    recorder = "http://127.0.0.1:1/0123456789abcdef"
    kept = f"{recorder}/s/test_one/service/bedrock/guardrails?a=b"
    assert (
        redirect(kept, "http://127.0.0.1:2", [recorder])
        == "http://127.0.0.1:2/service/bedrock/guardrails?a=b"
    )
