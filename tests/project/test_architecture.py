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
        "replayer.server",
        "replayer.connection",
        "recorder.addon",
        "recorder.session",
        "replayer.thread",
        "replayer.loading",
        "replayer.loops",
        "replayer.cli",
    },
    "threading": {"replayer.doctor.gathering", "replayer.thread", "recorder.session", "recorder.cli"},
    "time": {
        "replayer.server",
        "replayer.connection",
        "replayer.demo",
        "recorder.session",
        "recorder.journalled",
        "cassettes.commands.looking",
    },
    "signal": {"cassettes.child", "replayer.cli", "replayer.plugin.run", "replayer.workers", "recorder.cli"},
    "socket": {"replayer.connection", "replayer.doctor.gathering", "replayer.server", "replayer.workers"},
    # http.client asks; the others know statuses.
    "http": {"cassettes.exporters.sent", "recorder.session", "replayer.doctor.gathering", "replayer.http1"},
    "ssl": set(),
    "subprocess": {
        "cassettes.child",
        "recorder.session",
        "replayer.plugin.recording",
        "cassettes.commands.editor",
        "cassettes.git",
    },
    "tempfile": {"cassettes.commands.editor", "cassettes.store"},
    "pathlib": {
        "replayer.doctor.gathering",
        "replayer.init.cli",
        "replayer.init.writing",
        "replayer.plugin.asked",
        "replayer.plugin.bedrock",
        "replayer.plugin.recording",
        "replayer.plugin.run",
        "replayer.plugin.settings",
        "replayer.plugin.shelf",
        "replayer.pytest_options",
        "replayer.run",
        "recorder.addon",
        "recorder.cli",
        "recorder.finish",
        "recorder.journalled",
        "recorder.session",
        "recorder.settings",
        "cassettes.cli",
        "cassettes.config.files",
        "cassettes.store",
        "cassettes.git",
        "cassettes.replacing",
        "cassettes.commands.configuring",
        "cassettes.commands.changing",
        "cassettes.commands.comparing",
        "cassettes.commands.editing",
        "cassettes.commands.editor",
        "cassettes.commands.guarding",
        "cassettes.commands.importing",
        "cassettes.commands.keeping",
        "cassettes.commands.looking",
        "cassettes.commands.output",
        "cassettes.commands.packing",
        "replayer.thread",
        "replayer.loading",
        "replayer.cli",
        "replayer.overlay.cli",
    },
    "os": {
        "replayer.init.writing",
        "replayer.doctor.gathering",
        "replayer.plugin.bedrock",
        "replayer.plugin.surroundings",
        "replayer.pytest_options",
        "replayer.pytest_plugin",
        "replayer.run",
        "recorder.addon",
        "recorder.cli",
        "recorder.journalled",
        "recorder.session",
        "cassettes.cli",
        "cassettes.store",
        "cassettes.replacing",
        "cassettes.commands.configuring",
        "cassettes.commands.editor",
        "cassettes.commands.output",
        "replayer.thread",
        "replayer.cli",
        "replayer.workers",
    },
    "typer": {
        "replayer.init.cli",
        "replayer.doctor.cli",
        "replayer.run",
        "recorder.cli",
        "cassettes.cli",
        "cassettes.sectioned",
        "cassettes.commands.app",
        "cassettes.commands.changing",
        "cassettes.commands.comparing",
        "cassettes.commands.configuring",
        "cassettes.commands.editing",
        "cassettes.commands.guarding",
        "cassettes.commands.importing",
        "cassettes.commands.keeping",
        "cassettes.commands.looking",
        "cassettes.commands.matching",
        "cassettes.commands.output",
        "cassettes.commands.packing",
        "replayer.cli",
        "replayer.playing",
        "replayer.overlay.cli",
    },
    "uvloop": {"replayer.loops"},
    "boto3": {"replayer.demo"},
    "botocore": {
        "cassettes.service_model",
        "replayer.demo",
        "recorder.credentials",
        "recorder.signing",
        "recorder.verify",
        "replayer.validation.shapes",
        "replayer.validation.values",
    },
    "mitmproxy": {"recorder.addon"},
}
# Everywhere else chance is an argument: who makes it says what seeds it.
MAKES_CHANCE = {
    "cassettes.amend",
    "cassettes.exporters.sent",
    "cassettes.families.making",
    "replayer.overlay.laid",
    "replayer.reply",
}
ALLOWED = {"cassettes": {"cassettes"}, "recorder": {"recorder", "cassettes"}, "replayer": {"replayer", "cassettes"}}
IMPORTED_BY_NOBODY = {
    "cassettes.cli",
    "recorder.cli",
    "replayer.cli",
    "replayer.overlay.cli",
    "replayer.demo",
    "replayer.doctor.cli",
    "replayer.init.cli",
    "replayer.pytest_plugin",
    "replayer.run",
}
# Commands load on demand what only they need.
LATE_IMPORTS = {"replayer.demo"}
# Where a module's tests are, if not in the file of its name.
TESTED_ELSEWHERE = {
    "cassettes.commands.editor": "cassettes/commands/test_editing.py",
    "cassettes.child": "replayer/test_run.py",
    "cassettes.commands.matching": "replayer/test_run.py",
    "cassettes.errors": "cassettes/test_document.py",
    "cassettes.lines": "cassettes/test_show.py",
    "cassettes.yaml_reader": "cassettes/test_yamlio.py",
    "cassettes.yaml_writer": "cassettes/test_yamlio.py",
    "recorder.addon": "recorder/test_record.py",
    "recorder.cli": "recorder/test_record.py",
    "recorder.errors": "recorder/test_gate.py",
    "recorder.journalled": "recorder/test_finish.py",
    "recorder.mitmproxy_script.bedtape_addon": "recorder/test_record.py",
    "recorder.session": "recorder/test_record.py",
    "replayer.answer": "replayer/test_engine.py",
    "replayer.doctor.diagnosis": "replayer/doctor/test_telling.py",
    "replayer.doctor.found": "replayer/doctor/test_endpoints.py",
    "replayer.doctor.checks": "replayer/doctor/test_cli.py",
    "replayer.init.pytest_files": "replayer/init/test_cli.py",
    "replayer.init.vitest_files": "replayer/init/test_cli.py",
    "replayer.overlay.answers": "replayer/overlay/test_document.py",
    "replayer.overlay.failure": "replayer/layers/test_errors.py",
    "replayer.overlay.raw": "replayer/overlay/test_document.py",
    "replayer.overlay.overlay": "replayer/overlay/test_laid.py",
    "replayer.overlay.rule": "replayer/overlay/test_laid.py",
    "replayer.overlay.schema": "replayer/overlay/test_document.py",
    "replayer.control.api": "replayer/test_control.py",
    "replayer.control.routes": "replayer/test_control.py",
    "replayer.keywords": "replayer/test_handle.py",
    "replayer.connection": "wire/test_server.py",
    "replayer.server": "wire/test_server.py",
    "replayer.thread": "wire/test_server.py",
    "replayer.loops": "wire/test_server.py",
    "replayer.finding": "replayer/test_verdict.py",
    "replayer.waits": "replayer/test_verdict.py",
    "replayer.playing": "replayer/test_run.py",
    "replayer.plain": "replayer/test_record.py",
    "replayer.refusal": "replayer/test_http1.py",
    "replayer.demo": "pages/test_pages.py",
    "replayer.control.fakecloud": "replayer/test_fakecloud.py",
    "replayer.control.invocation": "replayer/test_fakecloud.py",
}


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


@pytest.mark.parametrize("name", [n for n, p in MODULES.items() if p.name != "__init__.py"])
def test_tests_mirror_the_source(name: str) -> None:
    """In the file of its name, or, for what is in a package, in the package's."""
    folder, *parts = name.split(".")
    own = "/".join([folder, *parts[:-1], f"test_{parts[-1]}.py"])
    mirrors = [TESTED_ELSEWHERE[name]] if name in TESTED_ELSEWHERE else [own, f"{folder}/test_{parts[0]}.py"]
    assert any((ROOT / "tests" / mirror).is_file() for mirror in mirrors), mirrors


@pytest.mark.parametrize("package", [f"bedtape_{folder}" for folder in PACKAGES])
def test_importing_is_light(package: str) -> None:
    """What costs seconds or megabytes is imported by the command that needs it."""
    code = f"import sys, {package}; [getattr({package}, n) for n in getattr({package}, '__all__', ())]; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"boto3", "botocore", "mitmproxy", "typer", "pydantic", "rich"}
