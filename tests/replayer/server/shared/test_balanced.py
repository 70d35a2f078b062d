"""Suites of clients pass against two servers behind a load balancer, and a server may be killed."""

import json
import os
import re
import shutil
import subprocess
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
from support.toolchains import GO_TEST, MAVEN, compiles, run_offline

ROOT = Path(__file__).parents[4]
TOKEN = "token-of-the-team-0123"
MODEL = "amazon.nova-lite-v1:0"
S = "/_bedtape/sessions/team"

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
