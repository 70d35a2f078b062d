"""Whether a program printed what a page shows.

What differs from run to run is made equal, and `…` stands for anything.
"""

import re

_STEADY = (
    (re.compile(r"\x1b\[[\d;]*m"), ""),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d+"), r"\1:PORT"),
    (re.compile(r"\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?"), "TIME"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:µs|ms|s|min)\b"), "TIME"),
    (re.compile(r"=====*"), "==="),
    (re.compile(r"(?<=\S) {2,}"), " "),
)


def steady(text: str) -> list[str]:
    """The lines, with ports, ids, times and widths made equal; less empty lines at the end."""
    for pattern, instead in _STEADY:
        text = pattern.sub(instead, text)
    return [line.rstrip() for line in text.rstrip().splitlines()]


def agrees(shown: str, printed: str) -> bool:
    """Whether all that was printed is what is shown.

    A line `…` stands for any lines, `…` in a line for any text.
    """
    return (
        re.fullmatch("".join(_pattern(line) for line in steady(shown)), _text(printed)) is not None
    )


def _text(printed: str) -> str:
    return "".join(f"{line}\n" for line in steady(printed))


def _pattern(line: str) -> str:
    if line.strip() in ("…", "..."):
        return r"(?:.*\n)*"
    return ".*".join(re.escape(part) for part in line.split("…")) + r"\n"


def begins(shown: str, printed: str) -> bool:
    """Whether what is shown was printed among other lines, in this order: for
    servers, which have not ended.
    """
    among = r"(?:.*\n)*".join(_pattern(line) for line in steady(shown))
    return re.search(f"(?:^|\n){among}", f"\n{_text(printed)}") is not None
