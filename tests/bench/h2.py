"""HTTP/2 in cleartext: one connection and sixteen beside nginx; and a session a request with a
GOAWAY, as the JS SDK's.
"""

import socket
import statistics
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import hpack
import material
from measuring import Load, Row, cpu, h2load, median
from servers import Served, bedtape, nginx

from bedtape_replayer.wire.http2 import PREFACE
from bedtape_replayer.wire.http2.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    SETTINGS,
    frame,
)

ROUNDS = 4
SESSIONS = 1500


def measure(work: Path) -> list[Row]:
    packed, body = work / "h2.tape", work / "body.json"
    material.write_tape(packed, material.plain(1000))
    body.write_bytes(material.request(7))
    with ExitStack() as stack:
        servers = {
            "bedtape": stack.enter_context(bedtape(str(packed))),
            "nginx": stack.enter_context(nginx(h2=True)),
        }
        ones: dict[str, list[float]] = {name: [] for name in servers}
        loads: dict[str, list[Load]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                url = server.url + material.PATH
                ones[name] += _one(url, body, work / "h2.log")
                loads[name].append(h2load(url, server.pid, body, 10_000, 16))
        sessions = _sessions(servers["bedtape"])
    p50 = {name: statistics.median(times) for name, times in ones.items()}
    load = {name: median(runs) for name, runs in loads.items()}
    ours, base = load["bedtape"], load["nginx"]
    failed = f", {ours.failed} failed" if ours.failed else ""
    return [
        ("HTTP/2, one connection: nginx's constant, p50", f"{p50['nginx']:.0f} µs"),
        (
            "bedtape, p50 (target: 1.35)",
            f"{p50['bedtape']:.0f} µs, {p50['bedtape'] / p50['nginx']:.2f} of nginx's",
        ),
        (
            "HTTP/2, 16 connections: nginx's constant",
            f"{base.rate:,.0f} requests/s, {base.cost:.0f} µs of CPU each",
        ),
        (
            "bedtape (target: 0.7)",
            (
                f"{ours.rate:,.0f} requests/s, {ours.rate / base.rate:.2f} of nginx's,"
                f" {ours.cost:.0f} µs of CPU each{failed}"
            ),
        ),
        ("a session a request, GOAWAY after its headers (target: 1,500/s)", sessions),
    ]


def _one(url: str, body: Path, log: Path) -> list[float]:
    """Microseconds of each request on one connection."""
    log.unlink(missing_ok=True)
    sent = [f"-H{name}: {value}" for name, value in material.headers().items()]
    command = ["h2load", "-c1", "-m1", "-n3000", "-d", str(body), f"--log-file={log}", *sent, url]
    subprocess.run(command, check=True, capture_output=True)
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    if any(status != "200" for _, status, _ in rows):
        raise RuntimeError(
            f"expected 200 of {url}, found {sorted({status for _, status, _ in rows})}"
        )
    return [float(took) for _, _, took in rows]


def _sessions(server: Served) -> str:
    """One after the other, from a client in Python."""
    body = material.request(7)
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", material.PATH),
        (":authority", f"127.0.0.1:{server.port}"),
        *((name.lower(), value) for name, value in material.headers().items()),
        ("content-length", str(len(body))),
    ]
    head = frame(HEADERS, END_HEADERS, 1, encoder.encode(fields))
    opening = PREFACE + frame(SETTINGS, 0, 0) + head + frame(DATA, END_STREAM, 1, body)
    leaving = frame(SETTINGS, ACK, 0) + frame(GOAWAY, 0, 0, bytes(8))
    used, began = cpu(server.pid), time.perf_counter()
    for _ in range(SESSIONS):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(opening)
            received = client.recv(65536)
            while len(received) < 600:  # the settings, and not yet the answer
                received += client.recv(65536)
            client.sendall(leaving)
            while more := client.recv(65536):
                received += more
        if b"stopReason" not in received:
            raise RuntimeError(f"expected an answer, found {received!r}")
    rate = SESSIONS / (time.perf_counter() - began)
    return (
        f"{rate:,.0f} sessions/s one after the other, {(cpu(server.pid) - used) / SESSIONS:.0f} µs"
        " of CPU each"
    )
