"""The recipes for containers in docs/recipes.md: the files are parsed, and the processes that they
describe are run with the same arguments and variables.
"""

import http.client
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from bedtape_replayer import Replayer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text()
FILES = {
    text.splitlines()[0].removeprefix("# "): text
    for text in re.findall(r"^```(?:yaml|python)\n(# .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
}
LAMBDA: Any = yaml.safe_load(FILES["compose.lambda.yaml"])
JOB: Any = yaml.safe_load(FILES["job.yaml"])
CI: Any = yaml.safe_load(
    re.findall(
        r"^```yaml\n(# compose.yaml\n.*?)^```$",
        (ROOT / "docs" / "how-to" / "ci.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )[0]
)
CALL = "import json, classify; print(json.dumps(classify.handler({'question': 'Why?'}, None)))"


def test_the_server_of_the_function_is_the_server_of_the_tests() -> None:
    assert LAMBDA["services"]["bedtape"] == CI["services"]["bedtape"]
    function, tests = LAMBDA["services"]["function"], CI["services"]["tests"]
    assert function["environment"] == tests["environment"]
    assert function["depends_on"] == tests["depends_on"]


def test_the_handler_gets_an_answer_with_the_variables_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "classify.py").write_text(FILES["classify.py"])
    with Replayer((), host="0.0.0.0") as bedrock:
        bedrock.respond("Why?", text="Because.")
        variables = {
            name: value.replace("bedtape:4566", f"127.0.0.1:{bedrock.port}")
            for name, value in LAMBDA["services"]["function"]["environment"].items()
        }
        done = subprocess.run(
            [sys.executable, "-c", CALL],
            cwd=tmp_path,
            env={**variables, "AWS_EC2_METADATA_DISABLED": "true"},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"answer": "Because."}


def test_the_probe_of_the_sidecar_is_answered() -> None:
    pod = JOB["spec"]["template"]["spec"]
    (server,) = pod["initContainers"]
    assert server["restartPolicy"] == "Always"  # this makes it a sidecar
    probe = server["startupProbe"]["httpGet"]
    with Replayer((), host="0.0.0.0") as bedrock:
        connection = http.client.HTTPConnection("127.0.0.1", bedrock.port)
        # the kubelet names the pod by its address
        connection.request("GET", probe["path"], headers={"Host": f"10.0.0.7:{probe['port']}"})
        assert connection.getresponse().status == 200
        connection.close()
    (tests,) = pod["containers"]
    variables = {each["name"]: each["value"] for each in tests["env"]}
    in_compose = CI["services"]["tests"]["environment"]
    assert variables == {
        **in_compose,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://127.0.0.1:{probe['port']}",
    }


def test_a_container_on_this_machine_has_the_same_variables() -> None:
    (command,) = re.findall(r"^\$ docker run (.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    given = dict(re.findall(r"-e (\w+)=(\S+)", command))
    address = given.pop("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    in_compose = dict(CI["services"]["tests"]["environment"])
    assert in_compose.pop("AWS_ENDPOINT_URL_BEDROCK_RUNTIME").endswith(":4566")
    assert given == in_compose
    with Replayer((), host="0.0.0.0") as bedrock:
        connection = http.client.HTTPConnection("127.0.0.1", bedrock.port)
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]})
        bedrock.respond(text="hello")
        path = "/model/us.amazon.nova-lite-v1%3A0/converse"
        connection.request("POST", path, body, {"Host": address.removeprefix("http://")})
        assert connection.getresponse().status == 200
        connection.close()
