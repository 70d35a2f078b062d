"""The scratch project of a page: its folder, the environment of its commands, and the tools
that stand in for others.

Nothing can leave the machine: packages are not fetched, and real Bedrock is a stand-in that
answers what it was told.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bedtape_cassettes.storage import store
from support import sdk
from support.commands import hold_port
from support.upstream import Upstream

ROOT = Path(__file__).parents[3]
# What a project can begin with beside the samples: folders that are copied, whose
# bin/ comes first in PATH.
BEGINNINGS = ROOT / "tests" / "pages" / "projects"
# What real Bedrock answers in the docs, beside the samples: cassettes.
BEDROCK = ROOT / "tests" / "pages" / "bedrock"
RECORDER = ROOT / ".venv-record" / "bin" / "bedtape"
PORT = "4566"

_BEDTAPE = """#!{python}
import os, sys
words = sys.argv[1:]
if words[:1] == ["replay"] and "--port" not in words and "--help" not in words:
    words += ["--port", "{port}"]
if words[:1] == ["record"] and not {{"--help", "--print-addon"}} & set(words):
    environ = {{**os.environ, "AWS_CA_BUNDLE": "{ca}", "AWS_ACCESS_KEY_ID": "{key}", "AWS_SECRET_ACCESS_KEY": "{secret}"}}
    os.execve("{recorder}", ["bedtape", "record", "--upstream", "{url}", *words[1:]], environ)
sys.argv = ["bedtape", *words]
from bedtape_cassettes.cli.main import main
main()
"""
# Tools that would fetch or build say whether what is asked for exists.
_TOOLS = {
    "pip": 'test "$1" = install',
    "pipx": 'test "$1" = install',
    "open": 'test -n "$1"',
    "make": (
        f'make=$(PATH=${{PATH#*:}} command -v make) && "$make" --directory "{ROOT}" --dry-run "$@"'
        " >/dev/null"
    ),
}


@dataclass(frozen=True)
class Project:
    """A folder in which a page's files are written and its commands run; port stands
    for the one that docs name.
    """

    folder: Path
    environ: dict[str, str]
    port: str

    def replace_port(self, text: str) -> str:
        """The text with a port that is free here."""
        return text.replace(PORT, self.port)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        assert path.resolve().is_relative_to(self.folder.resolve()), name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.replace_port(text))
        return path


@contextmanager
def open_project(folder: Path, begins_with: Iterable[str], *, records: bool) -> Iterator[Project]:
    """A new project. begins_with: `samples`, as cassettes/; names in
    BEGINNINGS; `git`, which commits what is there. records: real Bedrock is there."""
    with hold_port() as port:
        if not records:
            yield _make(folder, begins_with, port, None)
            return
        with _open_upstream() as upstream:
            yield _make(folder, begins_with, port, upstream)


@contextmanager
def _open_upstream() -> Iterator[Upstream]:
    """Real Bedrock's stand-in, which knows an answer to every request."""
    with Upstream([*sdk.of_samples(), *_list_answers()]) as upstream:
        yield upstream
        assert not upstream.failures
        unknown = [
            f"{request.method} {request.target} {request.body!r}" for request in upstream.unmatched
        ]
        assert not unknown, f"no recording in {BEDROCK} says what Bedrock answers to {unknown}"


def _list_answers() -> list[sdk.RecordedCall]:
    cassettes = store.read([BEDROCK]) if BEDROCK.is_dir() else ()
    return [
        sdk.of_interaction(cassette.name, row)
        for cassette in cassettes
        for row in cassette.interactions
    ]


def _make(
    folder: Path, begins_with: Iterable[str], port: str, upstream: Upstream | None
) -> Project:
    project, tools, home = (folder / name for name in ("project", "tools", "home"))
    for path in (project, tools, home):
        path.mkdir(parents=True)
    # as on a terminal, where it draws no meter
    (home / ".curlrc").write_text("silent\nshow-error\n")
    for name, script in _TOOLS.items():
        _tool(tools / name, f"#!/bin/sh\n{script}\n")
    _tool(tools / "bedtape", _bedtape(port, upstream))
    environ = _environ(tools, project / "bin", home)
    for name in begins_with:
        _begin(name, project, environ)
    return Project(project, environ, port)


def _begin(name: str, project: Path, environ: dict[str, str]) -> None:
    if name == "git":
        for arguments in (
            ["init", "--quiet"],
            ["add", "--all"],
            ["commit", "--quiet", "--message", "begin"],
        ):
            subprocess.run(["git", *arguments], cwd=project, env=environ, check=True)
        return
    source, target = (
        (store.samples(), project / "cassettes")
        if name == "samples"
        else (BEGINNINGS / name, project)
    )
    shutil.copytree(source, target, dirs_exist_ok=True)


def _bedtape(port: str, upstream: Upstream | None) -> str:
    known = {} if upstream is None else {"url": upstream.url, "ca": upstream.ca}
    key, secret = (
        ("", "")
        if upstream is None
        else (upstream.credentials.access_key, upstream.credentials.secret_key)
    )
    values = {"url": "", "ca": "", **known}
    return _BEDTAPE.format(
        python=sys.executable, port=port, recorder=RECORDER, key=key, secret=secret, **values
    )


def _tool(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def _environ(tools: Path, own: Path, home: Path) -> dict[str, str]:
    """A reader's environment: no keys, nothing of whoever runs the tests, and
    no way out but loopback.
    """
    hidden = ("AWS_", "PYTEST_", "BEDTAPE_", "XDG_", "GIT_")
    in_ci = ("CI", "BUILD_NUMBER")  # pytest cuts no line where one of them is set
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(hidden) and name not in in_ci
    }
    plugins = ("randomly", "asyncio", "timeout", "anyio", "hypothesispytest", "cacheprovider")
    path = os.pathsep.join(
        [str(tools), str(own), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    return {
        **kept,
        "PATH": path,
        "HOME": str(home),
        "COLUMNS": "100",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "EDITOR": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "BEDTAPE_CACHE_DIR": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": (
            " ".join(f"-p no:{name}" for name in plugins)
            + f' -o bedtape_record="{tools}/bedtape record"'
        ),
        "GIT_AUTHOR_NAME": "reader",
        "GIT_AUTHOR_EMAIL": "reader@example.com",
        "GIT_COMMITTER_NAME": "reader",
        "GIT_COMMITTER_EMAIL": "reader@example.com",
        "GIT_CONFIG_NOSYSTEM": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "localhost,127.0.0.1",
    }
