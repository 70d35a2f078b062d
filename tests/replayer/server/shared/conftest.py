"""A state server for the tests of one process."""

from collections.abc import Iterator

import pytest

from support.replicas import StateServer


@pytest.fixture(scope="session")
def state_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateServer]:
    with StateServer(tmp_path_factory.mktemp("state")) as server:
        yield server
