"""TLS beside clear text, on one port of one server: the CPU of a request on open
connections, and of a handshake.
"""

import os
import socket
import ssl
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import material
from measuring import Load, Row, cpu, median, script, wrk
from servers import bedtape

ROUNDS = 4
HANDSHAKES = 300


def measure(work: Path) -> list[Row]:
    packed, lua = work / "tls.tape", work / "tls.lua"
    material.write_tape(packed, material.plain(1000))
    lua.write_text(script([material.request(n) for n in range(500)], vary=False))
    loads: dict[str, list[Load]] = {"http": [], "https": []}
    with _state(work), bedtape(str(packed), "--tls") as server:
        for _ in range(ROUNDS):
            for scheme, measured in loads.items():
                url = server.url.replace("http", scheme) + material.PATH
                measured.append(wrk(url, server.pid, lua))
        costs = [_shake_hands(server.port, server.pid) for _ in range(ROUNDS)]
    clear, secured = median(loads["http"]), median(loads["https"])
    return [
        (
            "TLS, 16 connections",
            f"{secured.rate:,.0f} requests/s, {secured.rate / clear.rate:.2f} of clear text's,"
            f" {secured.cost:.0f} µs of CPU each instead of {clear.cost:.0f}",
        ),
        ("a handshake", f"{statistics.median(costs):.0f} µs of CPU"),
    ]


def _shake_hands(port: int, pid: int) -> float:
    """The microseconds of CPU that a handshake takes the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    before = cpu(pid)
    for _ in range(HANDSHAKES):
        with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain):
            pass
    return (cpu(pid) - before) / HANDSHAKES


@contextmanager
def _state(work: Path) -> Iterator[None]:
    """A certificate authority of this run's own."""
    os.environ["BEDTAPE_STATE_DIR"] = str(work / "state")
    try:
        yield
    finally:
        del os.environ["BEDTAPE_STATE_DIR"]
