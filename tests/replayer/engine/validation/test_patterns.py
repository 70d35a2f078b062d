"""No text of a request makes the patterns of the service models slow."""

import json
import subprocess
import sys

import pytest
from botocore.loaders import Loader

from bedtape_cassettes.operations import OPERATIONS
from bedtape_replayer.engine.validation.values import LONGEST_MATCHED, SLOW_PATTERNS
from support import WAIT

PATTERNS = sorted(
    {
        shape["pattern"]
        for service in {operation.service for operation in OPERATIONS if operation.dialect == "aws"}
        for shape in Loader().load_service_model(service, "service-2")["shapes"].values()
        if "pattern" in shape
    }
)
# Searches runs of each pattern's characters in a process of its own, which the system ends after
# six seconds of processor time. A pattern of quadratic time takes less than a second for all runs,
# one of cubic time five for each.
_SEARCH = """
import json, os, re, resource, sys
slow = []
for source in json.load(sys.stdin):
    try:
        pattern = re.compile(source)
    except re.error:
        continue
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (6, 6))
        for character in {*re.sub(r"\\\\.", "", source), *"a1-_/:. "}:
            for end in ("", "!", "\\n\\0"):
                pattern.fullmatch(character * int(sys.argv[1]) + end)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        slow.append(source)
print(json.dumps(slow))
"""


def find_slow(*patterns: str) -> set[str]:
    command = [sys.executable, "-c", _SEARCH, str(LONGEST_MATCHED)]
    done = subprocess.run(
        command,
        input=json.dumps(patterns),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of processor time")
@pytest.mark.parametrize("share", range(8))
def test_no_pattern_is_slow_but_those_that_are_left_out(share: int) -> None:
    patterns = PATTERNS[share::8]
    assert find_slow(*patterns) == SLOW_PATTERNS & set(patterns)


def test_the_patterns_that_are_left_out_are_in_the_models() -> None:
    assert set(PATTERNS) >= SLOW_PATTERNS
