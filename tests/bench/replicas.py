"""Servers that share their sessions, behind nginx: CPU a call beside one server with sessions in
memory, exact counts under load, and the end of one server under load.
"""

import http.client
import json
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import material
from measuring import Load, Row, cpu, median, script, wrk
from servers import Missing, Served, bedtape, free_port, start_program

ROUNDS, SECONDS, CLIENTS, CALLS = 3, 2.0, 16, 200
_SESSION = "/_bedtape/sessions/default"
_RULES = [{"answer": {"text": "first"}, "times": 100}, {"answer": {"text": "second"}}]
_NGINX = """
daemon off; worker_processes 1; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 32m;
  client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
  uwsgi_temp_path {work}; scgi_temp_path {work};
  upstream bedtape {{ {servers} keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://bedtape; proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_set_header Host $http_host; proxy_buffering off;
      proxy_next_upstream error non_idempotent;
    }}
  }}
}}
"""


def measure(work: Path) -> list[Row]:
    for program in ("nginx", "redis-server"):
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed")
    packed, lua = work / "replicas.tape", work / "replicas.lua"
    material.write_tape(packed, material.plain(500))
    lua.write_text(script([material.request(n) for n in range(500)], vary=False))
    with ExitStack() as stack:
        state = stack.enter_context(_open_state(work))
        alone = stack.enter_context(bedtape(str(packed)))
        arguments = (str(packed), "--state", f"valkey://127.0.0.1:{state.port}")
        shared = [stack.enter_context(bedtape(*arguments)) for _ in range(4)]
        groups = {"memory": [alone], **{f"{n}": shared[:n] for n in (1, 2, 4)}}
        proxies = {
            name: stack.enter_context(_open_nginx(work / f"nginx-{name}", servers))
            for name, servers in groups.items()
        }
        rows = _measure_cost(groups, proxies, state, lua)
        rows.append(_count_exactly(proxies["4"]))
        rows.append(_end_one(proxies["4"], shared))
    return rows


@contextmanager
def _open_state(work: Path) -> Iterator[Served]:
    port = free_port()
    options = ["--port", str(port), "--save", "", "--bind", "127.0.0.1", "--dir", str(work)]
    with start_program(["redis-server", *options], port) as served:
        yield served


@contextmanager
def _open_nginx(work: Path, servers: Sequence[Served]) -> Iterator[Served]:
    work.mkdir()
    port = free_port()
    upstream = " ".join(
        f"server 127.0.0.1:{each.port} max_fails=1 fail_timeout=2s;" for each in servers
    )
    config = work / "nginx.conf"
    config.write_text(_NGINX.format(work=work, port=port, servers=upstream))
    with start_program(["nginx", "-c", str(config), "-p", str(work)], port) as served:
        yield served


def _measure_cost(
    groups: dict[str, list[Served]], proxies: dict[str, Served], state: Served, lua: Path
) -> list[Row]:
    loads: dict[str, list[Load]] = {name: [] for name in groups}
    states: dict[str, list[float]] = {name: [] for name in groups}
    for _ in range(ROUNDS):
        for name, servers in groups.items():
            before = [cpu(each.pid) for each in servers], cpu(state.pid)
            url, pid = proxies[name].url + material.PATH, proxies[name].pid
            load = wrk(url, pid, lua, SECONDS, CLIENTS, may_fail=True)
            used = sum(cpu(each.pid) for each in servers) - sum(before[0])
            loads[name].append(Load(load.rate, used / load.done, load.failed, load.done))
            states[name].append((cpu(state.pid) - before[1]) / load.done)
    medians = {name: median(each) for name, each in loads.items()}
    alone = medians["memory"].cost
    rows = [
        (
            "behind nginx, one server with sessions in memory",
            f"{alone:.0f} µs of CPU a call, {medians['memory'].rate:,.0f} calls/s",
        )
    ]
    for name in ("1", "2", "4"):
        load, redis = medians[name], sorted(states[name])[ROUNDS // 2]
        noun = "server" if name == "1" else "servers"
        rows.append(
            (
                f"{name} {noun} with --state",
                f"{load.cost:.0f} µs of CPU a call, {load.cost / alone:.1f} times that in memory, and"
                f" {redis:.0f} µs of the state server; {load.rate:,.0f} calls/s,"
                f" {load.failed} failed",
            )
        )
    return rows


def _send(port: int, method: str, path: str, value: object = None) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", port)
    try:
        client.request(method, path, None if value is None else json.dumps(value))
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def _call(port: int, sent: threading.Semaphore) -> Counter[str]:
    """Send calls on one connection, and count their answers."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    counted: Counter[str] = Counter()
    for number in range(CALLS):
        client.request("POST", material.PATH, material.request(number))
        answer = client.getresponse()
        body = answer.read()
        sent.release()
        counted["first" if b'"first"' in body else "ok" if answer.status == 200 else "failed"] += 1
    client.close()
    return counted


def _load(port: int, sent: threading.Semaphore) -> Iterator[Counter[str]]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield from pool.map(lambda _: _call(port, sent), range(CLIENTS))


def _begin(port: int) -> None:
    _send(port, "POST", "/_bedtape/reset")
    for rule in _RULES:
        _send(port, "POST", f"{_SESSION}/rules", rule)


def _count_exactly(proxy: Served) -> Row:
    _begin(proxy.port)
    counted = sum(_load(proxy.port, threading.Semaphore(0)), Counter[str]())
    return (
        f"`times: 100`, {CLIENTS} clients of 4 servers, {CLIENTS * CALLS:,} calls (target: 100)",
        f"{counted['first']} answers, {counted['failed']} calls failed",
    )


def _end_one(proxy: Served, servers: Sequence[Served]) -> Row:
    """Kill a server when a quarter of the calls are answered."""
    _begin(proxy.port)
    sent = threading.Semaphore(0)

    def kill() -> None:
        for _ in range(CLIENTS * CALLS // 4):
            sent.acquire()
        os.kill(servers[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    counted = sum(_load(proxy.port, sent), Counter[str]())
    killer.join()
    total = json.loads(_send(servers[1].port, "GET", f"{_SESSION}/calls?limit=1")[1])["total"]
    overlay = json.loads(_send(servers[1].port, "GET", f"{_SESSION}/overlay")[1])
    fired = [rule["fired"] for rule in overlay["rules"]]
    calls = CLIENTS * CALLS
    return (
        f"one of 4 servers killed under load, {calls:,} calls",
        f"{counted['failed']} calls failed; {counted['first']} of 100 answers of the rule arrived,"
        f" counted {fired[0]}; {sum(fired) - calls} calls counted twice; the history lacks"
        f" {sum(fired) - total} calls",
    )
