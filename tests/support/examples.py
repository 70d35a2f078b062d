"""How many examples Hypothesis tries: all in the slow tests of `make
test-all`, a fifth in `make test`.
"""

import os


def examples(count: int) -> int:
    """Returns the number of examples, with `count` in the slow tests."""
    return count if os.environ.get("THOROUGH") else max(10, count // 5)
