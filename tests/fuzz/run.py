"""`make fuzz SECONDS=60`: feeds damaged inputs to every reader, and prints how many each one took.

`run.py SECONDS [SEED] [TARGET...]`. A reader that raises what it must not raise ends the run with
exit code 1. The input is written to a file, and `run.py --input FILE TARGET` feeds it again.
"""

import sys
import tempfile
import time
import traceback
from pathlib import Path

from targets import TARGETS, inputs, run


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--input"]:
        run(arguments[2], Path(arguments[1]).read_bytes())
        return 0
    seconds = float(arguments[0]) if arguments else 60.0
    seed = int(arguments[1]) if len(arguments) > 1 else time.time_ns() % 1_000_000
    names = arguments[2:] or list(TARGETS)
    print(f"seed {seed}, {seconds / len(names):.1f} s for each of {len(names)} readers")
    return max([fuzz(name, seed, seconds / len(names)) for name in names])


def fuzz(target: str, seed: int, seconds: float) -> int:
    end, count, slowest = time.monotonic() + seconds, 0, 0.0
    for data in inputs(target, seed):
        began = time.monotonic()
        if began >= end:
            break
        try:
            run(target, data)
        except Exception:  # noqa: BLE001 - whatever it is, it is the finding
            with tempfile.NamedTemporaryFile(prefix="bedtape-fuzz-", delete=False) as file:
                file.write(data)
            print(
                f"{target}: failed on input {count}; feed it again: run.py --input {file.name}"
                f" {target!r}"
            )
            traceback.print_exc()
            return 1
        count, slowest = count + 1, max(slowest, time.monotonic() - began)
    print(f"{target}: {count} inputs, the slowest took {slowest * 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
