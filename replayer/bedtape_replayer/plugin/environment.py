"""The environment of a test, set and restored: only what differs is touched, and what the test sets itself stays its own."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["Environment"]


class Environment:
    """Variables that are changed together. wanted: the whole environment that there should be."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        before = dict(os.environ)
        changed = {name for name in wanted.keys() | before.keys() if wanted.get(name) != before.get(name)}
        self._before = {name: before.get(name) for name in changed}
        self._wanted = {name: wanted.get(name) for name in changed}

    def enter(self) -> None:
        """Sets them; again, where somebody has set them otherwise."""
        _set(self._wanted)

    def leave(self) -> None:
        """Restores them."""
        _set(self._before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
