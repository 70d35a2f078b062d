"""SDKs with a Bedrock API key over TLS, as `bedtape run --tls` starts them: nothing else is set."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import SSLError

from bedtape_cassettes.storage import certificates
from bedtape_cassettes.storage.authority import open_authority
from bedtape_replayer import Replayer
from bedtape_replayer.server.tls_contexts import read_certificates
from support.toolchains import GO_TEST, compiles, run_offline

HERE = Path(__file__).parent
BEDTAPE = (sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()")
# A bearer key is required, so that a client that signs in its place fails.
RULES = (
    "bedtape-overlay: 1\nrules: [{when: {header: {authorization: Bearer bedtape}}, answer: {text:"
    " by a rule}}]\n"
)
PYTHON = """
import boto3
messages = [{"role": "user", "content": [{"text": "hi"}]}]
client = boto3.client("bedrock-runtime")
print(client.converse(modelId="amazon.nova-lite-v1:0", messages=messages)["output"]["message"]["content"][0]["text"])
"""
HTTPX = """
import json, os, httpx
body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
url = os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] + "/model/amazon.nova-lite-v1:0/converse"
print(httpx.post(url, json=body, headers={"authorization": "Bearer bedtape"}).text)
"""
CURL = (
    "curl --silent --show-error --{version} --write-out '%{{http_version}}' --header"
    ' \'authorization: Bearer bedtape\' --json \'{{"messages": [{{"role": "user", "content":'
    ' [{{"text": "hi"}}]}}]}}\''
    " $AWS_ENDPOINT_URL_BEDROCK_RUNTIME/model/amazon.nova-lite-v1:0/converse"
)

OLD_CURL = "option --(json|http2): (is unknown|the installed libcurl version)"


@dataclass(frozen=True)
class Program:
    """A program that calls Converse. prints: a part of its output. absent: a pattern of its
    output without its packages.
    """

    command: tuple[str, ...]
    prints: str = "by a rule"
    folder: Path = HERE
    absent: str = r"(?!)"


PROGRAMS = {
    "boto3": Program((sys.executable, "-c", PYTHON)),
    "httpx": Program((sys.executable, "-c", HTTPX)),
    "javascript": Program(
        ("node", "bearer.mjs"), folder=HERE / "javascript", absent="ERR_MODULE_NOT_FOUND"
    ),
    "go": Program(GO_TEST, "ok", HERE / "go" / "bearer"),
    "curl with HTTP/2": Program(("sh", "-c", CURL.format(version="http2")), "2", absent=OLD_CURL),
    "curl with HTTP/1.1": Program(
        ("sh", "-c", CURL.format(version="http1.1")), "1.1", absent=OLD_CURL
    ),
}


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_with_a_bearer_key_needs_nothing_but_the_switch(
    program: Program, tmp_path: Path
) -> None:
    tool = "curl" if program.command[0] == "sh" else program.command[0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    environ = {
        "BEDTAPE_STATE_DIR": str(tmp_path / "state"),
        "AWS_BEARER_TOKEN_BEDROCK": "a-real-key",
    }
    before = (*BEDTAPE, "run", "--tls", "--overlay", str(rules), "--")
    ended = run_offline(program.command, program.folder, environ, before)
    output = ended.stdout + ended.stderr
    if re.search(program.absent, output):
        pytest.skip(
            f"{tool} is too old, or the packages of {program.folder} are not downloaded: `make"
            " examples`"
        )
    assert ended.returncode == 0, output
    assert program.prints in ended.stdout
    assert "1 call: 1 from rules" in ended.stderr
    assert "a-real-key" not in output


# -- certificates that clients refuse --------------------------------------------------------------


def _serve(names: list[str], age: timedelta, folder: Path) -> Replayer:
    authority = certificates.parse_pem(
        open_authority({"BEDTAPE_STATE_DIR": str(folder)}).file.read_bytes()
    )
    file = folder / "leaf.pem"
    file.write_bytes(certificates.issue_leaf(authority, names, datetime.now(UTC) - age).pem)
    return Replayer((), tls=read_certificates(file, None))


REFUSED = {
    "expired": (["127.0.0.1"], timedelta(days=8), True, "expired"),
    "of another name": (["localhost"], timedelta(), True, "doesn't match|mismatch"),
    "of an unknown authority": (
        ["127.0.0.1"],
        timedelta(),
        False,
        "self.signed|unable to get local issuer",
    ),
}


@pytest.mark.parametrize(("names", "age", "trusted", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_client_refuses_a_certificate(
    names: list[str], age: timedelta, trusted: bool, reason: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    with _serve(names, age, tmp_path) as server:
        other = {"BEDTAPE_STATE_DIR": str(tmp_path if trusted else tmp_path / "other")}
        bundle.write_bytes(open_authority(other).certificate)
        client = boto3.Session("bedtape", "bedtape", region_name="us-east-1").client(
            "bedrock-runtime", endpoint_url=server.url, verify=str(bundle)
        )
        with pytest.raises(SSLError, match=reason):
            client.converse(
                modelId="amazon.nova-lite-v1:0",
                messages=[{"role": "user", "content": [{"text": "hi"}]}],
            )
        if curl := shutil.which("curl"):
            command = [curl, "--silent", "--show-error", "--cacert", str(bundle), server.url]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ended.returncode == 60, ended  # of a certificate that curl refuses
        assert not server.calls
