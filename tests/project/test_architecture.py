"""The tree is the architecture: who may import whom, and who may touch the outside. Read as text, nothing is run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cassettes", "recorder", "replayer")

# Only these files may import these; the reason stands in each file's docstring.
OUTSIDE = {
    "asyncio": {
        "replayer.server.server",
        "replayer.server.connection",
        "recorder.addon",
        "recorder.session",
        "replayer.server.thread",
        "replayer.server.loading",
        "replayer.server.loops",
        "replayer.cli.replay",
    },
    "threading": {"replayer.cli.doctor.probe", "replayer.server.thread", "recorder.session", "recorder.cli"},
    "time": {
        "replayer.server.server",
        "replayer.server.connection",
        "replayer.cli.demo",
        "recorder.session",
        "recorder.journal_file",
        "cassettes.cli.looking",
    },
    "signal": {
        "cassettes.cli.processes",
        "replayer.cli.replay",
        "replayer.plugin.run",
        "recorder.cli",
    },
    "socket": {
        "replayer.server.connection",
        "replayer.cli.doctor.probe",
        "replayer.server.server",
    },
    # http.client asks; the others know statuses.
    "http": {
        "cassettes.foreign.wire_bytes",
        "recorder.session",
        "replayer.cli.doctor.probe",
        "replayer.wire.http1_head",
    },
    "ssl": set(),
    "subprocess": {
        "cassettes.cli.processes",
        "recorder.session",
        "replayer.plugin.recording",
        "cassettes.storage.git",
    },
    "tempfile": {"cassettes.cli.processes", "cassettes.storage.store"},
    "pathlib": {
        "replayer.cli.doctor.probe",
        "replayer.cli.init.cli",
        "replayer.cli.init.writing",
        "replayer.plugin.marks",
        "replayer.plugin.bedrock",
        "replayer.plugin.recording",
        "replayer.plugin.run",
        "replayer.plugin.settings",
        "replayer.plugin.loading",
        "replayer.plugin.options",
        "replayer.cli.run",
        "recorder.addon",
        "recorder.cli",
        "recorder.finish",
        "recorder.journal_file",
        "recorder.session",
        "recorder.settings",
        "cassettes.cli.main",
        "cassettes.config.files",
        "cassettes.storage.store",
        "cassettes.storage.git",
        "cassettes.storage.commit",
        "cassettes.cli.configuring",
        "cassettes.cli.changing",
        "cassettes.cli.comparing",
        "cassettes.cli.editing",
        "cassettes.cli.processes",
        "cassettes.cli.guarding",
        "cassettes.cli.importing",
        "cassettes.cli.backup",
        "cassettes.cli.looking",
        "cassettes.cli.options",
        "cassettes.cli.output",
        "cassettes.cli.packing",
        "replayer.server.thread",
        "replayer.server.loading",
        "replayer.cli.replay",
        "replayer.cli.overlay",
    },
    "os": {
        "replayer.cli.init.writing",
        "replayer.cli.doctor.probe",
        "replayer.plugin.bedrock",
        "replayer.plugin.environment",
        "replayer.plugin.options",
        "replayer.pytest_plugin",
        "replayer.cli.run",
        "recorder.addon",
        "recorder.cli",
        "recorder.journal_file",
        "recorder.session",
        "cassettes.cli.main",
        "cassettes.storage.store",
        "cassettes.storage.commit",
        "cassettes.cli.configuring",
        "cassettes.cli.processes",
        "cassettes.cli.options",
        "cassettes.cli.output",
        "replayer.server.thread",
        "replayer.cli.replay",
    },
    "typer": {
        "replayer.cli.init.cli",
        "replayer.cli.doctor.cli",
        "replayer.cli.run",
        "recorder.cli",
        "cassettes.cli.main",
        "cassettes.cli.help",
        "cassettes.cli.app",
        "cassettes.cli.changing",
        "cassettes.cli.comparing",
        "cassettes.cli.configuring",
        "cassettes.cli.editing",
        "cassettes.cli.guarding",
        "cassettes.cli.importing",
        "cassettes.cli.backup",
        "cassettes.cli.looking",
        "cassettes.cli.options",
        "cassettes.cli.errors",
        "cassettes.cli.output",
        "cassettes.cli.packing",
        "replayer.cli.replay",
        "replayer.cli.play_options",
        "replayer.cli.overlay",
    },
    "uvloop": {"replayer.server.loops"},
    "boto3": {"replayer.cli.demo"},
    "botocore": {
        "cassettes.suites.service_model",
        "replayer.cli.demo",
        "recorder.credentials",
        "recorder.signing",
        "recorder.verify",
        "replayer.engine.validation.shapes",
        "replayer.engine.validation.values",
    },
    "mitmproxy": {"recorder.addon"},
}
# Everywhere else chance is an argument: who makes it says what seeds it.
MAKES_CHANCE = {
    "cassettes.suites.assign",
    "cassettes.foreign.wire_bytes",
    "cassettes.families.shared.synthesis",
    "replayer.overlay.session_layers",
    "replayer.answering.reply",
}
ALLOWED = {"cassettes": {"cassettes"}, "recorder": {"recorder", "cassettes"}, "replayer": {"replayer", "cassettes"}}
IMPORTED_BY_NOBODY = {
    "cassettes.cli.main",
    "recorder.cli",
    "replayer.cli.replay",
    "replayer.cli.overlay",
    "replayer.cli.demo",
    "replayer.cli.doctor.cli",
    "replayer.cli.init.cli",
    "replayer.pytest_plugin",
    "replayer.cli.run",
}
# Commands load on demand what only they need.
LATE_IMPORTS = {"replayer.cli.demo"}


def _modules() -> Iterator[tuple[str, Path]]:
    for folder in PACKAGES:
        package = ROOT / folder / f"bedtape_{folder}"
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            yield ".".join((folder, *(part for part in parts if part != "__init__"))), path


MODULES = dict(_modules())
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _ours(name: str) -> set[str]:
    found = set()
    for imported in _imports(TREES[name]):
        first, _, rest = imported.partition(".")
        module = f"{first.removeprefix('bedtape_')}.{rest}".rstrip(".") if first.startswith("bedtape_") else ""
        if module in MODULES:
            found.add(module)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_packages_import_only_what_the_arrows_allow(name: str) -> None:
    wrong = {other for other in _ours(name) if other.split(".")[0] not in ALLOWED[name.split(".")[0]]}
    assert not wrong


def test_there_are_no_cycles() -> None:
    graph = {name: {other for other in _ours(name) if other != name} for name in MODULES}
    for name, others in graph.items():  # importing a module of a package is importing from beside it
        others.difference_update({name.rpartition(".")[0]})
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(("outside", "allowed"), OUTSIDE.items())
def test_only_named_files_touch_the_outside(outside: str, allowed: set[str]) -> None:
    importing = {name for name, tree in TREES.items() if outside in {i.split(".")[0] for i in _imports(tree)}}
    assert importing <= allowed


def test_chance_is_made_where_its_seed_is_known() -> None:
    made = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Random"
    }
    assert made <= MAKES_CHANCE
    assert not {name for name, tree in TREES.items() if "random.random" in set(_imports(tree))}


def test_commands_are_imported_by_nobody() -> None:
    assert not {(name, other) for name in MODULES for other in _ours(name) & IMPORTED_BY_NOBODY}


@pytest.mark.parametrize("name", MODULES)
def test_imports_stand_at_the_top(name: str) -> None:
    late = [
        node.lineno
        for function in ast.walk(TREES[name])
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not late or name in LATE_IMPORTS


@pytest.mark.parametrize("name", MODULES)
def test_every_file_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=str)
def test_each_folder_of_modules_has_a_folder_of_tests(folder: Path) -> None:
    package, *rooms = folder.relative_to(ROOT).parts
    mirror = ROOT.joinpath("tests", package, *rooms[1:])
    parents = (mirror, *mirror.parents)
    assert any([*one.glob("test_*.py")] for one in parents[: parents.index(ROOT / "tests")])


@pytest.mark.parametrize("package", [f"bedtape_{folder}" for folder in PACKAGES])
def test_importing_is_light(package: str) -> None:
    """What costs seconds or megabytes is imported by the command that needs it."""
    code = f"import sys, {package}; [getattr({package}, n) for n in getattr({package}, '__all__', ())]; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"boto3", "botocore", "mitmproxy", "typer", "pydantic", "rich"}
