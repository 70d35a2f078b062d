"""`make bench`: how long things take on this machine, side by side in one run, written to
docs/reference/performance.md.

`python tests/bench/run.py http1 h2` runs those alone and writes nothing. Medians and ratios; the
machine is named. Nothing here is a test: a shared machine makes absolute times worthless.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto
import duplex
import features
import h2
import http1
import inspector
import large
import recording
import replicas
import rules
import size
import soak
import starting
import streams
import suite
import tls
from measuring import Row
from servers import ROOT, Missing

PAGE = ROOT / "docs" / "reference" / "performance.md"
TOPICS: dict[str, tuple[str, Callable[[Path], list[Row]]]] = {
    "http1": ("HTTP/1.1", http1.measure),
    "h2": ("HTTP/2", h2.measure),
    "tls": ("TLS", tls.measure),
    "streams": ("Streams", streams.measure),
    "duplex": ("Bidirectional streams", duplex.measure),
    "size": ("Size", size.measure),
    "features": ("Features", features.measure),
    "inspector": ("The inspector", inspector.measure),
    "rules": ("Answers from rules", rules.measure),
    "large": ("Large bodies", large.measure),
    "replicas": ("Several servers", replicas.measure),
    "soak": ("A soak", soak.measure),
    "starting": ("Starting and loading", starting.measure),
    "boto": ("boto3", boto.measure),
    "suite": ("pytest", suite.measure),
    "recording": ("Recording", recording.measure),
}


def main() -> int:
    asked = sys.argv[1:] or list(TOPICS)
    if unknown := [name for name in asked if name not in TOPICS]:
        print(
            f"expected topics among {', '.join(TOPICS)}, found {', '.join(unknown)}",
            file=sys.stderr,
        )
        return 2
    os.environ["BEDTAPE_CACHE_DIR"] = ""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    page = ""
    for name in asked:
        title, measure = TOPICS[name]
        rows = _measured(measure)
        print(
            f"\n{title}\n" + "\n".join(f"  {what}: {figure}" for what, figure in rows), flush=True
        )
        page += f"\n## {title}\n\n| what | figure |\n|---|---|\n" + "".join(
            f"| {what} | {figure} |\n" for what, figure in rows
        )
    if asked == list(TOPICS):
        PAGE.write_text(_HEAD.format(machine=_machine()) + page + _WHERE)
    return 0


def _measured(measure: Callable[[Path], list[Row]]) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bedtape-bench-") as work:
        try:
            return measure(Path(work))
        except (Missing, FileNotFoundError) as error:
            return [("all of it", f"left out: {error}")]


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python"
        f" {platform.python_version()}"
    )


_HEAD = """# Performance

Written by `make bench` on {machine}.
Figures are medians, measured in turns within each section. The
client is on the same machine, and other programs may have used the machine, so the ratios are more
reliable than the times. A target is a ratio to nginx unless it has a unit. nginx returns a constant
answer and discards the body. The floor is the least work of a Python server: uvloop that answers
whatever it reads with a constant. uvicorn and aiohttp run bedtape's own engine; aimock has one
fixture. Rows with the word compiled are of the compiled build (`make compiled`). A Converse request
has 700 bytes, its answer 1.2 KB. For HTTP/1.1, 5,000 interactions are loaded.
"""

_WHERE = """
## Where the time of a rule's answer goes

A repeated request, to a rule or to a cassette, is not parsed: its head is compared with an earlier
head of the client, and its answer is known by its body. The answer is sent, and then counted. The
shares are of a profile of Converse, with the log, without system calls:

| part | share |
|---|---|
| reading HTTP | 27 % |
| the history | 20 % |
| the log line and the metrics | 14 % |
| counting the call in its session and its rule | 8 % |
| finding the answer, writing it, the clock, and the steps between these parts | 31 % |

A new request that differs from earlier ones in the last text of the user alone is made of them: its
JSON is not parsed, and it is not validated again. Any other new request is read completely, which
takes about twice the CPU. The shares are of a profile of InvokeModel (Claude) with new bodies:

| part | share |
|---|---|
| the answer from its template: the parts of the request that it depends on, and its ids | 22 % |
| the match key, with the search for secrets | 11 % |
| the rules' conditions, and the texts of conditions in the prompt | 10 % |
| reading HTTP | 9 % |
| finding the siblings, and the prompt | 9 % |
| writing the head and the body | 7 % |
| the history, the metrics and the log line | 6 % |
| the rest: the steps between these parts | 26 % |

Targets that are not reached: p50 at one connection, except for one body in the compiled build, and
new bodies of rules. When its history is full, the server frees an old call for each new one, which
is not in the processor's cache. A call to a rule with a new body runs about 110 Python functions,
and none of them dominates. A new body for a cassette differs in blanks alone here, and needs no
answer of its own. HTTP/2 parses every request.
The compiled build contains no class whose properties replace themselves (calls, replies,
templates), because mypyc gives classes fixed attributes; marking these classes so that mypyc does
not do that ended in a segmentation fault. For that reason it gains little for new bodies.
"""

if __name__ == "__main__":
    sys.exit(main())
