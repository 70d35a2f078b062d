"""The command `bedtape doctor`, as a user runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bedtape_replayer import Replayer
from bedtape_replayer.cli.doctor.cli import CHECKS, examine
from bedtape_replayer.cli.doctor.environment import Environment

COMMAND = [sys.executable, "-c", "from bedtape_cassettes.cli.main import main; main()", "doctor"]
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAHIDDENHIDDENHIDD",
    "AWS_SECRET_ACCESS_KEY": "hidden-1",
    "AWS_SESSION_TOKEN": "hidden-2",
    "AWS_BEARER_TOKEN_BEDROCK": "hidden-3",
    "BEDTAPE_CONTROL_TOKEN": "hidden-4",
    "HTTP_PROXY": "http://me:hidden-5@proxy.example.com",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://me:hidden-6@gateway.example.com/?token=hidden-7",
}


def _doctor(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder), **environ}
    environment.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_a_bearer_token_and_an_endpoint_are_told_with_what_fixes_them(tmp_path: Path) -> None:
    with Replayer([]) as bedrock:
        find_profile = f"AWS_ENDPOINT_URL_BEDROCK_RUNTIME={bedrock.url}"
        environ = {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "AWS_BEARER_TOKEN_BEDROCK": "hidden",
        }
        done = _doctor(tmp_path, **environ)
    assert done.returncode == 1
    assert done.stderr == ""
    (wrong,) = [line for line in done.stdout.splitlines() if line.startswith("wrong  bearer token")]
    assert wrong.endswith(
        "; unset AWS_BEARER_TOKEN_BEDROCK, or use bedtape run, with --tls to send a key"
    )
    assert re.search(rf"^ok     endpoint +{find_profile}: bedtape", done.stdout, re.MULTILINE)


def test_an_environment_for_replay_is_well(tmp_path: Path) -> None:
    with Replayer([]) as bedrock:
        environ = {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "ANTHROPIC_BEDROCK_BASE_URL": bedrock.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        done = _doctor(tmp_path, "--json", **environ)
    assert done.returncode == 0, done.stdout
    checks = json.loads(done.stdout)["checks"]
    assert {"check", "level", "found", "expected", "fix"} == set().union(*checks)
    levels = {check["check"]: check["level"] for check in checks}
    assert levels["endpoint"] == levels["credentials"] == levels["region"] == "ok"
    assert "wrong" not in levels.values()


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_it_prints_no_secret_and_changes_nothing(tmp_path: Path, arguments: list[str]) -> None:
    done = _doctor(tmp_path, *arguments, **SECRETS)
    assert "gateway.example.com/ on another machine, which doctor does not contact" in done.stdout
    assert "hidden" not in done.stdout + done.stderr
    assert "HIDDEN" not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_all_checks_of_an_empty_environment_say_something() -> None:
    diagnoses = examine(Environment())
    assert len(diagnoses) >= len(CHECKS) - 5  # five speak only where there is something
    assert all(
        diagnosis.fix and diagnosis.expected for diagnosis in diagnoses if diagnosis.level != "ok"
    )
