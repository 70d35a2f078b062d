"""How the benches measure: in turns, so that the machine's moods hit all alike; medians; and
what a process has used.
"""

import os
import re
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from material import BLANKS, PLACES, headers

Row = tuple[str, str]
_TICK = 1e6 / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], object]) -> float:
    """The seconds it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interleaved(rounds: int, works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median seconds of each, a round of all after a round of all."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(timed(work))
    return {name: statistics.median(runs) for name, runs in times.items()}


def cpu(pid: int) -> float:
    """Microseconds of CPU that the process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def memory(pid: int) -> float:
    """Megabytes that the process holds."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def latencies(
    port: int, requests: Iterator[bytes], rounds: int, complete: bytes = b""
) -> list[float]:
    """Seconds from a request to its answer, on one connection. complete:
    what a chunked answer ends in.
    """
    times = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(rounds):
            request = next(requests)
            began = time.perf_counter()
            client.sendall(request)
            received = client.recv(65536)
            while complete and not received.endswith(complete):
                received += client.recv(65536)
            times.append(time.perf_counter() - began)
            require_200(received)
    return times


def require_200(answer: bytes) -> None:
    """Raises RuntimeError if an answer of HTTP/1.1 is not a 200, because a refusal costs less."""
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"expected HTTP/1.1 200, found {answer[:300]!r}")


@contextmanager
def pinned(*pids: int, apart: bool = False) -> Iterator[None]:
    """Keeps processes, and this one with its children, on one core; or, where there are
    two, this one on another.

    On one core, a request costs what both sides do for it. On two, waking the other up takes now 1
    µs, now 50, as the scheduler placed them, and the figures are its mood.
    """
    every = sorted(os.sched_getaffinity(0))
    mine = every[-1:] if apart else every[:1]
    before = {pid: os.sched_getaffinity(pid) for pid in (0, *pids)}
    for pid in pids:
        os.sched_setaffinity(pid, every[:1])
    os.sched_setaffinity(0, mine)
    try:
        yield
    finally:
        for pid, cores in before.items():
            os.sched_setaffinity(pid, cores)


@dataclass(frozen=True)
class Load:
    """What a second of many connections gave: requests a second, and the server's CPU microseconds
    for each; how many failed, how many were done.
    """

    rate: float
    cost: float
    failed: int
    done: int


_LUA = """
local bodies, seen, letters = {{ {bodies} }}, 0, {{ {letters} }}
wrk.method = "POST"
{headers}
local function varied(body)
  local n, digits = math.random(0, 16777215), {{}}
  for place = 1, {places} do
    digits[place] = letters[n % 4 + 1]
    n = math.floor(n / 4)
  end
  return (body:gsub("{at}", table.concat(digits), 1))
end
local ready = {{}}
function init()
  math.randomseed({seed})
  for n, body in ipairs(bodies) do ready[n] = wrk.format(nil, nil, nil, body) end
end
function request()
  seen = seen % #bodies + 1
  if {vary} then return wrk.format(nil, nil, nil, varied(bodies[seen])) end
  return ready[seen]
end
"""


def script(bodies: list[bytes], *, vary: bool, letters: str = BLANKS, at: str = "^") -> str:
    """What wrk sends: the bodies in turn, as they are or each time with other letters in one place.

    letters: four. at: the pattern of the place; by default, blanks are put before the body.
    """
    return _LUA.format(
        bodies=",".join(f"[==[{body.decode()}]==]" for body in bodies),
        letters=",".join(repr(letter) for letter in letters),
        at=at,
        headers="\n".join(
            f'wrk.headers["{name}"] = "{value}"' for name, value in headers().items()
        ),
        places=PLACES,
        seed=time.time_ns() % 1_000_000,
        vary=str(vary).lower(),
    )


def wrk(
    url: str,
    pid: int,
    lua: Path,
    seconds: float = 1,
    connections: int = 16,
    *,
    may_fail: bool = False,
) -> Load:
    """One thread of wrk, so many connections, on another core than the server.

    Raises RuntimeError if an answer is an error, unless `may_fail`.
    """
    before = cpu(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(lua), url]
    with pinned(pid, apart=True):
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    load = _load(
        said,
        r"(\d+) requests in",
        r"Requests/sec:\s+([\d.]+)",
        r"Non-2xx or 3xx responses: (\d+)",
        cpu(pid) - before,
    )
    return load if may_fail else _require_success(load, url)


def h2load(url: str, pid: int, body: Path, requests: int, connections: int) -> Load:
    """One thread of h2load, one stream at a time on each connection.

    Raises RuntimeError if an answer is an error.
    """
    before = cpu(pid)
    sent = [f"-H{name}: {value}" for name, value in headers().items()]
    command = [
        "h2load",
        "-t1",
        f"-c{connections}",
        "-m1",
        f"-n{requests}",
        "-d",
        str(body),
        *sent,
        url,
    ]
    with pinned(pid, apart=connections > 1):
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    load = _load(said, r"(\d+) done", r"([\d.]+) req/s", r"(\d+) failed", cpu(pid) - before)
    return _require_success(load, url)


def _require_success(load: Load, url: str) -> Load:
    if load.failed:
        raise RuntimeError(f"expected answers of {url}, found {load.failed} errors")
    return load


def _load(said: str, count: str, rate: str, failed: str, used: float) -> Load:
    done, fast, bad = (re.search(pattern, said) for pattern in (count, rate, failed))
    if done is None or fast is None:
        raise RuntimeError(f"expected a report of the load, found {said!r}")
    return Load(
        float(fast[1]), used / max(1, int(done[1])), int(bad[1]) if bad else 0, int(done[1])
    )


def median(loads: list[Load]) -> Load:
    """The median of each figure."""
    return Load(
        statistics.median(load.rate for load in loads),
        statistics.median(load.cost for load in loads),
        max(load.failed for load in loads),
        sum(load.done for load in loads),
    )
