"""The recorders to test with: each an environment of its own, as people install them,
for mitmproxy pins a lot.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.recorder import Running
from support.upstream import Upstream

ROOT = Path(__file__).parents[2]
RECORDERS = sorted(path.parent for path in ROOT.glob(".venv-record*/bin/bedtape"))
_MISSING = pytest.mark.skip(
    reason="no recorder is installed: `make test` makes .venv-record with bedtape[record] in it"
)


@pytest.fixture(
    params=[pytest.param(path, id=path.parent.name) for path in RECORDERS]
    or [pytest.param(None, marks=_MISSING, id="none")],
    scope="session",
)
def recorder(request: pytest.FixtureRequest) -> Path:
    """The folder of an installed recorder's commands."""
    environment: Path = request.param
    return environment


@pytest.fixture(scope="session")
def mitmproxy_version(recorder: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('mitmproxy'))"
    return subprocess.run(
        [recorder / "python", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def start(recorder: Path, upstream: Upstream, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(*options: str, **more: str) -> Running:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        running.append(Running(recorder, upstream, tmp_path / "tapes", home, *options, **more))
        return running[-1]

    yield begin
    for each in running:
        with each:
            pass
