"""Suites of clients pass against two servers behind a load balancer, and a server may be killed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bedtape_cassettes.storage import store
from support import WAIT
from support.balancer import balance, needs_nginx
from support.client import Http1
from support.node_packages import CLIENT, skip_unless_installed
from support.replicas import StateServer, needs_redis
from support.running import Running
from support.runs import AT_REPLICAS, runs
from support.toolchains import GO_TEST, MAVEN, compiles, run_offline

ROOT = Path(__file__).parents[4]
TOKEN = "token-of-the-team-0123"
MODEL = "amazon.nova-lite-v1:0"
S = "/_bedtape/sessions/team"

pytest_plugins = ["pytester"]
pytestmark = [needs_redis, needs_nginx, pytest.mark.slow]


def _start(count: int, folder: Path, *arguments: str) -> Iterator[Sequence[Running]]:
    running = [Running(*arguments, "--log-level", "error", cwd=folder) for _ in range(count)]
    try:
        yield running
    finally:
        for each in running:
            each.clean_up()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateServer]:
    with StateServer(tmp_path) as server:
        yield server


@pytest.fixture
def replicas(tmp_path: Path, state: StateServer) -> Iterator[Sequence[Running]]:
    """Two servers, of which each plays the samples."""
    yield from _start(2, tmp_path, str(store.samples()), "--state", state.url)


@pytest.fixture
def address(tmp_path: Path, replicas: Sequence[Running]) -> Iterator[str]:
    with balance([each.url for each in replicas], tmp_path) as url:
        yield url


@pytest.fixture
def team(tmp_path: Path, state: StateServer) -> Iterator[str]:
    """The address of a namespace on two servers."""
    (tmp_path / "teams.toml").write_text(f'[team]\ntoken = "{TOKEN}"\n')
    arguments = (str(store.samples()), "--state", state.url, "--namespaces", "teams.toml")
    for running in _start(2, tmp_path, *arguments):
        with balance([each.url for each in running], tmp_path) as url:
            yield f"{url}/n/{TOKEN}"


@pytest.mark.parametrize("server", ["address", "team"])
def test_the_client_in_typescript_passes_its_suite(
    server: str, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue(server)
    folder = ROOT / "clients" / "typescript"
    skip_unless_installed(folder, CLIENT)
    ended = subprocess.run(
        ["npm", "test", "--silent"],
        cwd=folder,
        env={**os.environ, "BEDTAPE_URL": url, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"ℹ fail 0\n", ended.stdout)
    assert re.search(r"ℹ pass \d\d\n", ended.stdout)


@pytest.mark.parametrize("folder", ["go", "java"])
@compiles
def test_other_clients_send_the_token_of_a_namespace(
    folder: str, team: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "clients" / folder, copy, ignore=shutil.ignore_patterns("target"))
    url, token = team.split("/n/")
    command = GO_TEST if folder == "go" else (*MAVEN, "test")
    environ = {"BEDTAPE_URL": url, "BEDTAPE_CONTROL_TOKEN": token}
    ended = run_offline(command, copy, environ)
    assert ended.returncode == 0, ended.stdout + ended.stderr


# Runs of pytest with the fixture. Others in these files need a server in the process: they record,
# answer by functions, or set options of the server.
_RUNS = {
    "tests/replayer/test_pytest_plugin.py": (
        "test_rules_faults_calls_and_assertions_are_each_tests_own",
        "test_clients_that_outlive_a_test_reach_the_one_that_runs",
        "test_workers_of_xdist_have_servers_of_their_own_and_counts_add_up",
        "test_a_failed_assertion_shows_the_tests_own_line_and_none_of_ours",
    ),
    "tests/replayer/plugin/test_scopes.py": (
        "test_sessions_of_each_scope_have_their_own_cassette_and_calls",
        "test_a_failed_test_shows_its_own_calls_of_a_shared_session",
        "test_unused_layers_fail_the_end_of_the_scope",
    ),
    "tests/replayer/plugin/test_evidence.py": (
        "test_the_report_has_the_calls_of_all_tests[alone]",
        "test_properties_of_fixtures_of_wider_scope_count_the_calls_of_each_test",
    ),
    "tests/replayer/plugin/test_reports.py": (
        "test_a_test_fails_where_its_program_departs_from_the_script",
        "test_a_layer_that_never_acted_fails_the_test_if_the_settings_say_so",
        "test_calls_show_tools_and_their_results",
        "test_the_calls_of_a_failed_test_show_what_was_simulated",
    ),
}


def test_the_fixture_of_pytest_passes_its_suite() -> None:
    tests = [f"{file}::{name}" for file, names in _RUNS.items() for name in names]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, AT_REPLICAS: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{len(tests)} passed" in ended.stdout


def test_the_fixture_of_pytest_sends_the_token_of_a_namespace(
    team: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs(pytester, monkeypatch)
    code = """
        @functools.cache
        def made_before():
            return boto3.client("bedrock-runtime", region_name="us-east-1", aws_access_key_id="a",
                                aws_secret_access_key="b", aws_session_token="of somebody")

        def test_clients(bedrock):
            bedrock.respond(text="by a rule")
            assert ask(bedrock.client(), "hi") == "by a rule"
            assert ask(boto3.client("bedrock-runtime"), "hi") == "by a rule"
            assert ask(made_before(), "hi") == "by a rule"
            from openai import OpenAI
            client = OpenAI(base_url=f"{bedrock.url}/openai/v1")
            message = {"role": "user", "content": "hi"}
            client.chat.completions.create(model="openai.gpt-oss-120b-1:0", messages=[message])
            bedrock.assert_called(times=4, source="rule")

        def test_child(bedrock):
            import subprocess, sys
            bedrock.respond(text="of the parent")
            code = "from asking import *; print(ask(boto3.client('bedrock-runtime'), 'hi'))"
            assert subprocess.check_output([sys.executable, "-c", code], text=True) == "of the parent\\n"
        """
    url, token = team.split("/n/")
    monkeypatch.setenv("OPENAI_API_KEY", "of somebody")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://bedrock-mantle.us-east-1.api.aws/openai/v1")
    for address, known in ((team, ""), (url, token)):
        monkeypatch.setenv("BEDTAPE_CONTROL_TOKEN", known)
        result = run({"test_it.py": code}, f"--bedtape-url={address}")
        result.assert_outcomes(passed=2)
        assert token not in result.stdout.str()
    monkeypatch.delenv("BEDTAPE_CONTROL_TOKEN")
    refused = run({"test_it.py": code}, f"--bedtape-url={url}")
    refused.assert_outcomes(errors=2)
    assert "set BEDTAPE_CONTROL_TOKEN to the token" in refused.stdout.str()


def test_a_server_that_is_killed_under_load_loses_no_count(
    address: str, replicas: Sequence[Running]
) -> None:
    """A client that gets no answer sends its call again. So each call is counted once or twice,
    and the rule with 100 answers gives exactly 100, of which a lost connection may have taken one.
    """
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "x"}]}]}).encode()
    target = f"/s/team/model/{quote(MODEL)}/converse"
    with Http1(address) as client:
        for rule in ({"answer": {"text": "first"}, "times": 100}, {"answer": {"text": "second"}}):
            added = client.request("POST", f"{S}/rules", (), json.dumps(rule).encode())
            assert added.status == 200

    def work(number: int) -> Counter[str]:
        counts = Counter[str]()
        for turn in range(20):
            if (number, turn) == (0, 4):
                replicas[0].process.kill()
                replicas[0].process.wait(WAIT)
            try:
                with Http1(address) as client:
                    answer = client.request("POST", target, (), body)
            except OSError:
                counts["lost"] += 1
                continue
            texts = {200: "first" if b"first" in answer.body else "second"}
            counts[texts.get(answer.status, "lost")] += 1
        return counts

    with ThreadPoolExecutor(16) as pool:
        counts = sum(pool.map(work, range(16)), Counter[str]())
    assert counts.total() == 320
    assert counts["lost"] < 32  # those in flight
    assert 100 - counts["lost"] <= counts["first"] <= 100
    with Http1(address) as client:
        layers = json.loads(client.request("GET", f"{S}/overlay").body)
        calls: dict[str, Any] = json.loads(client.request("GET", f"{S}/calls?limit=999").body)
    assert layers["rules"][0]["fired"] == 100
    fired = sum(each["fired"] for each in layers["rules"])
    assert counts["first"] + counts["second"] <= fired <= 320 + 32  # nginx sends some again
    numbers = [call["number"] for call in calls["calls"]]
    assert len(numbers) == len(set(numbers))
    assert fired - 32 <= len(numbers) <= fired  # the last batch of the killed server
