"""detect-secrets' detectors beside ours, where that is installed (`pip install 'bedtape[scan]'`).

Only its patterns are used: nothing is verified, so no host is ever asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol

from bedtape_cassettes.redaction.scrub import ACCESS_KEY, REDACTED
from bedtape_cassettes.redaction.spans import Look, Span

__all__ = ["detectors"]

# They find every id and signature in an answer: these are random too.
_TOO_MANY = ("Base64HighEntropyString", "HexHighEntropyString")


class _Plugin(Protocol):
    secret_type: str

    def analyze_string(self, string: str) -> Iterator[str]:
        """The secrets in a line."""


def detectors() -> Look | None:
    """What finds what its detectors find; None where it is not installed."""
    try:
        util = import_module("detect_secrets.core.plugins.util")
    except ImportError:
        return None
    classes = util.get_mapping_from_secret_type_to_class().values()
    plugins: list[_Plugin] = [kind() for kind in classes if kind.__name__ not in _TOO_MANY]

    def look(text: str) -> Iterator[Span]:
        for plugin in plugins:
            for value in dict.fromkeys(plugin.analyze_string(text)):
                if value and value != ACCESS_KEY and REDACTED not in value:
                    yield from _spans(text, value, _kind(plugin))

    return look


def _kind(plugin: _Plugin) -> str:
    """`secret-keyword`."""
    return "-".join("".join(c if c.isalpha() else " " for c in plugin.secret_type.lower()).split())


def _spans(text: str, value: str, kind: str) -> Iterator[Span]:
    start = text.find(value)
    while start >= 0:
        yield Span(start, start + len(value), kind)
        start = text.find(value, start + len(value))
