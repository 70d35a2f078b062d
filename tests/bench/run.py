"""`make bench`: how long things take on this machine, side by side in one run, written to docs/reference/performance.md.

`python tests/bench/run.py http1 h2` runs those alone and writes nothing. Medians and ratios; the machine is named. Nothing here is
a test: a shared machine makes absolute times worthless.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto
import features
import h2
import http1
import large
import recording
import rules
import size
import soak
import starting
import streams
import suite
from measuring import Row
from servers import ROOT, Missing

PAGE = ROOT / "docs" / "reference" / "performance.md"
TOPICS: dict[str, tuple[str, Callable[[Path], list[Row]]]] = {
    "http1": ("HTTP/1.1", http1.measure),
    "h2": ("HTTP/2", h2.measure),
    "streams": ("Streams", streams.measure),
    "size": ("Size", size.measure),
    "features": ("Features", features.measure),
    "rules": ("Answers from rules", rules.measure),
    "large": ("Large bodies", large.measure),
    "soak": ("A soak", soak.measure),
    "starting": ("Starting and loading", starting.measure),
    "boto": ("boto3", boto.measure),
    "suite": ("pytest", suite.measure),
    "recording": ("Recording", recording.measure),
}


def main() -> int:
    asked = sys.argv[1:] or list(TOPICS)
    if unknown := [name for name in asked if name not in TOPICS]:
        print(f"expected topics among {', '.join(TOPICS)}, found {', '.join(unknown)}", file=sys.stderr)
        return 2
    os.environ["BEDTAPE_CACHE_DIR"] = ""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
    page = ""
    for name in asked:
        title, measure = TOPICS[name]
        rows = _measured(measure)
        print(f"\n{title}\n" + "\n".join(f"  {what}: {figure}" for what, figure in rows), flush=True)
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
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


_HEAD = """# Performance

Written by `make bench` on {machine}.
Figures are medians, measured in turns within each section. The
client is on the same machine, and other programs may have used the machine, so the ratios are more
reliable than the times. A target is a ratio to nginx unless it has a unit. nginx returns a constant
answer and discards the body. The floor is the least work of a Python server: uvloop that answers
whatever it reads with a constant. uvicorn and aiohttp run bedtape's own engine; aimock has one
fixture. A Converse request has 700 bytes, its answer 1.2 KB. For HTTP/1.1, 5,000 interactions are
loaded.
"""

_WHERE = """
## Where the time of a rule's answer goes

A rule's answer to a repeated request comes from a cache by request, as a cassette's does. For a new
request, the engine takes about five times the CPU of a cassette's, in these parts:

| part | share |
|---|---|
| reading the prompt for the rules' conditions | 24 % |
| the answer from its template: the parts of the request that it depends on, and its ids | 20 % |
| the match key; half of it is the search for secrets | 15 % |
| the layers whose texts are in the body | 14 % |
| the head of the answer, which contains a new request id | 11 % |
| validation | 9 % |
| the rest | 7 % |

Each part is already cached by what it depends on. What remains is one pass over the request in
Python for each part.
"""

if __name__ == "__main__":
    sys.exit(main())
