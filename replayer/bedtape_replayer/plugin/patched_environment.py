"""The environment variables of a test, which are set and restored together.

A fixture of the user may change a variable while a test runs. Entering again sets the variables of
the test again, and leaving restores the variables from before the test.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


class PatchedEnvironment:
    """Variables that are changed together.

    wanted: the complete environment during the test. A variable that it lacks is removed. Variables
    that are equal in both environments are not touched, so that changes of the test to them stay.
    """

    def __init__(self, wanted: Mapping[str, str]) -> None:
        before = dict(os.environ)
        changed = {
            name for name in wanted.keys() | before.keys() if wanted.get(name) != before.get(name)
        }
        self._before = {name: before.get(name) for name in changed}
        self._wanted = {name: wanted.get(name) for name in changed}

    def enter(self) -> None:
        """Set the variables. Call this again to set variables that were changed since."""
        _set(self._wanted)

    def leave(self) -> None:
        """Restore the variables."""
        _set(self._before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
