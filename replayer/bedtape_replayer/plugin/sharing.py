"""Sessions that several tests use: of a module, of the run, and of a user's own fixtures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_replayer.plugin.bedrock import Bedrock
from bedtape_replayer.plugin.run import Run


@contextmanager
def share(running: Callable[[], Run], *session: Any) -> Iterator[Bedrock]:
    """Open a session for several tests.

    The test in which it ends fails for unreported misses, and for unused layers.

    running: returns the run. session: the arguments of `Run.begin`.
    """
    run = running()
    try:
        bedrock = run.begin(*session)
    except CassetteError as error:
        raise pytest.fail.Exception(f"{session[-1]}: {error}", pytrace=False) from None
    run.enter()
    try:
        yield bedrock
    except BaseException:
        run.end_shared(bedrock)
        raise
    if (problem := run.end_shared(bedrock)) is not None:
        pytest.fail(problem, pytrace=False)


class BedrockFactory:
    """Makes sessions for any scope: `with bedrock_factory("checkout") as bedrock: yield bedrock`.

    See the fixture `bedrock_factory`.
    """

    def __init__(self, running: Callable[[], Run], root: Path) -> None:
        self._running = running
        self._root = root

    def __call__(
        self, cassette: str, *, folder: str | os.PathLike[str] = "", **options: Any
    ) -> AbstractContextManager[Bedrock]:
        """Return a context manager for a session, which ends with the context.

        cassette: a name. folder: the folder that contains the folder `cassettes`, relative to
        pytest's root folder. options: those of the mark `bedrock`.
        """
        name = "bedrock_factory"
        return share(
            self._running, "", self._root / folder / name, [], [((cassette,), options)], name
        )
