"""The structure of the source equals the tables in docs/design.md.

The source is read as text; nothing is run.

docs/design.md lists the rooms of each package, what each room imports, and which room touches the
disk, the network, threads, processes and the clock. These tests assert equality with the tables, so
a table is never out of date.
"""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cassettes", "recorder", "replayer")
DESIGN = (ROOT / "docs" / "design.md").read_text()

# What an import reaches. `os` alone reads variables; the modules that change
# files import these too.
OUTSIDE = {
    "disk": {"fcntl", "pathlib", "shutil", "tempfile"},
    "network": {"asyncio", "http.client", "select", "socket", "ssl", "urllib.request", "uvloop"},
    "threads": {"concurrent.futures", "threading"},
    "processes": {"multiprocessing", "signal", "subprocess"},
    "clock": {"time"},
}
# Libraries that take long to import or that are optional, and the modules that import them.
LIBRARIES = {
    "boto3": {"cassettes.storage.bucket", "replayer.cli.demo"},
    "cryptography": {"cassettes.storage.certificates"},
    "mitmproxy": {"recorder.addon", "recorder.mitmproxy_script.bedtape_addon", "recorder.proxy"},
    "opentelemetry": {"replayer.server.monitoring.spans"},
    "redis": {"replayer.server.shared.client"},
    "uvloop": {"replayer.server.server"},
}
MOST_ENTRIES, MOST_ROOMS = 18, 9
FEWEST_LINES, MOST_LINES = 40, 450
# Folders whose modules are alike, one for each fault, family or file format.
ONE_EACH = ("families/models", "faults", "importers", "exporters")


# Short modules that are a value, an entry point, the one way to exit, or the boundary to another
# program.
SHORT = {
    "cassettes.cli.errors",
    "cassettes.lazy",
    "cassettes.families.shared.service_models",
    "recorder.errors",
    "replayer.cli.ca",
    "replayer.engine.clock",
}


def _modules() -> Iterator[tuple[str, Path]]:
    for folder in PACKAGES:
        package = ROOT / folder / f"bedtape_{folder}"
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package).with_suffix("").parts
            yield ".".join((folder, *(part for part in parts if part != "__init__"))), path


MODULES = dict(_modules())
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
FOLDERS = sorted({path.parent for path in MODULES.values()})


def room_of(module: str) -> str:
    """`cassettes.format.bodies` is in `cassettes.format`; a module beside the
    rooms is in `cassettes`.
    """
    parts = module.split(".")
    if MODULES[module].name != "__init__.py":
        parts = parts[:-1]
    return ".".join(parts[:2])


@cache
def imports_of(module: str) -> frozenset[str]:
    """Dotted names that the module imports at run time, with and without the imported name."""
    names: set[str] = set()
    pending: list[ast.AST] = [TREES[module]]
    while pending:
        node = pending.pop()
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names.update(
                {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
            )
        pending += ast.iter_child_nodes(node)
    return frozenset(names)


def _ours(module: str) -> set[str]:
    names = {
        name.removeprefix("bedtape_") for name in imports_of(module) if name.startswith("bedtape_")
    }
    # Importing a module of a package is not importing the package's own names.
    modules = names & MODULES.keys()
    return {name for name in modules if not any(other.startswith(f"{name}.") for other in modules)}


def arrows() -> dict[str, set[str]]:
    """For each room, the rooms that it imports."""
    rooms: dict[str, set[str]] = {room_of(name): set() for name in MODULES}
    for name in MODULES:
        rooms[room_of(name)] |= {room_of(other) for other in _ours(name)} - {room_of(name)}
    return rooms


def outside() -> dict[str, set[str]]:
    """For each room, what it touches outside the process's memory."""
    touches: dict[str, set[str]] = {room_of(name): set() for name in MODULES}
    for name in MODULES:
        for kind, libraries in OUTSIDE.items():
            if imports_of(name) & libraries:
                touches[room_of(name)].add(kind)
    return touches


def table() -> dict[str, tuple[set[str], set[str]]]:
    """The rooms of docs/design.md: for each, the rooms that it may import,
    and what it may touch.
    """
    rows: dict[str, tuple[set[str], set[str]]] = {}
    for line in DESIGN.partition("\n## Rooms\n")[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            name, _, imports, touches = cells
            rows[name.strip("`")] = (
                set(re.findall(r"`([\w.]+)`", imports)),
                set(re.findall(r"\w+", touches)),
            )
    return rows


def _row(room: str) -> str:
    imports = ", ".join(f"`{name}`" for name in sorted(arrows()[room]))
    return f"| `{room}` | … | {imports} | {', '.join(k for k in OUTSIDE if k in outside()[room])} |"


@pytest.mark.parametrize("room", sorted(arrows()))
def test_each_room_equals_its_row_in_the_design(room: str) -> None:
    assert table().get(room) == (arrows()[room], outside()[room]), (
        f"docs/design.md, Rooms, expected: {_row(room)}"
    )


def test_the_design_lists_only_rooms_that_exist() -> None:
    assert table().keys() == arrows().keys()


def test_the_four_walks_pass_through_modules_that_exist() -> None:
    walks = DESIGN.partition("\n### Four walks\n")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\*\*A", walks, re.MULTILINE)) == 4
    paths = set(re.findall(r"`([\w/]+(?:\.py|/))`", walks))
    known = {
        f"/{path.relative_to(ROOT)}".replace("/bedtape_recorder/", "/recorder/")
        for path in MODULES.values()
    }
    assert not {path for path in paths if not any(f"/{path}" in module for module in known)}
    assert len(paths) > 20


def test_rooms_are_acyclic() -> None:
    list(TopologicalSorter(arrows()).static_order())


def test_modules_are_acyclic() -> None:
    list(TopologicalSorter({name: _ours(name) - {name} for name in MODULES}).static_order())


def test_the_recorder_and_the_replayer_do_not_import_each_other() -> None:
    between = {
        (name.split(".")[0], other.split(".")[0]) for name in MODULES for other in _ours(name)
    }
    assert {(one, other) for one, other in between if one != other} == {
        ("recorder", "cassettes"),
        ("replayer", "cassettes"),
    }


def test_only_commands_import_commands() -> None:
    commands = {name for name in MODULES if name.split(".")[1:2] == ["cli"]}
    assert not {
        (name, other) for name in MODULES.keys() - commands for other in _ours(name) & commands
    }


@pytest.mark.parametrize(("library", "modules"), LIBRARIES.items())
def test_heavy_libraries_are_imported_in_named_modules(library: str, modules: set[str]) -> None:
    assert {
        name for name in MODULES if library in {i.split(".")[0] for i in imports_of(name)}
    } == modules


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_folders_are_small(folder: Path) -> None:
    entries = [
        e
        for e in folder.iterdir()
        if e.name not in ("__pycache__", "samples", "py.typed", "__init__.py")
    ]
    assert len([e for e in entries if e.is_dir()]) <= MOST_ROOMS
    if not str(folder).endswith(ONE_EACH):
        assert len(entries) <= MOST_ENTRIES, sorted(e.name for e in entries)


@pytest.mark.parametrize("name", [n for n, p in MODULES.items() if p.name != "__init__.py"])
def test_modules_are_neither_long_nor_tiny(name: str) -> None:
    lines = len(MODULES[name].read_text().splitlines())
    assert lines <= MOST_LINES
    tiny = lines < FEWEST_LINES and not str(MODULES[name].parent).endswith(ONE_EACH)
    assert tiny == (name in SHORT), f"{lines} lines"


# Irregular participles. A function that reads or cuts something is named by
# the verb: `read`, `cut`.
PARTICIPLES = re.compile(
    r"^_*(?!(?:embed|exceed|feed|need|proceed|seed|shed|speed|succeed)(?:_|$))"
    r"(?:[a-z]+ed|begun|bound|broken|brought|built|chosen|done|drawn|driven|found|given|gone|heard|held|hidden|kept|known"
    r"|laid|left|lost|made|meant|met|paid|said|seen|sent|shown|spelt|spent|spoken|taken|thrown|told|torn|worn|written)"
    r"(?:_|$)"
)


# Hooks that mitmproxy calls by these names.
HOOKS = {"recorder.addon": {"done"}, "recorder.mitmproxy_script.bedtape_addon": {"done"}}


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


SUPPORT = {
    f"tests.{path.stem}": ast.parse(path.read_text())
    for path in (ROOT / "tests" / "support").rglob("*.py")
}


@pytest.mark.parametrize("name", [*MODULES, *SUPPORT])
def test_no_function_is_named_by_a_past_participle(name: str) -> None:
    tree = SUPPORT[name] if name in SUPPORT else TREES[name]
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [
        f"{f.lineno}: {f.name}"
        for f in functions
        if PARTICIPLES.match(f.name) and not _is_property(f) and f.name not in HOOKS.get(name, ())
    ]


@pytest.mark.parametrize("name", MODULES)
def test_no_class_is_named_by_a_past_participle_alone(name: str) -> None:
    """`SkippedEntry` names a value. `Skipped` does not say what was skipped."""
    names = [node.name for node in ast.walk(TREES[name]) if isinstance(node, ast.ClassDef)]
    words = [each for each in names if re.fullmatch("_*[A-Z][a-z]+", each)]
    assert not [each for each in words if PARTICIPLES.match(each.lower())]


# Verbs of speech and search. A value's name is a noun.
NO_NAMES = {"found", "got", "said", "told", "asked"}


def _lines_that_bind(names: set[str], tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Store):
            yield node.lineno
        elif isinstance(node, ast.arguments):
            arguments = {
                each.arg: each.lineno for each in (*node.posonlyargs, *node.args, *node.kwonlyargs)
            }
            if "found" in arguments and not arguments.keys() & {"expected", "check"}:
                yield arguments["found"]


@pytest.mark.parametrize("folder", [*PACKAGES, "tests"])
def test_no_variable_is_named_found(folder: str) -> None:
    """A match, a refusal and a list of rows each have a noun.

    In a problem, `found` stands beside `expected`.
    """
    bound = []
    names = {"found"} if folder == "tests" else NO_NAMES
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text()
        if re.search(rf"\b({'|'.join(names)})\b", text) and not {"node_modules", "target"} & set(
            path.parts
        ):
            lines = text.splitlines()
            bound += [
                f"{path}:{line}"
                for line in _lines_that_bind(names, ast.parse(text))
                if "found: str" not in lines[line - 1]
            ]
    assert not bound


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_class_name_exists_once(package: str) -> None:
    places = defaultdict(list)
    for name, tree in TREES.items():
        if name.split(".")[0] == package:
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(name)
    assert not {name: modules for name, modules in places.items() if len(modules) > 1}


@cache
def _vocabulary() -> frozenset[str]:
    """Every word of the source outside comments and docstrings: identifiers,
    and words inside strings.
    """
    words: set[str] = set(dir(builtins)) | {part for name in MODULES for part in name.split(".")}
    for tree in TREES.values():
        docstrings = {id(node) for node in _docstring_nodes(tree)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str | bytes)
                and id(node) not in docstrings
            ):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                words.update(re.findall(r"\w+", text))
            for field in ("id", "attr", "name", "arg", "module", "asname"):
                if isinstance(value := getattr(node, field, None), str):
                    words.update(value.split("."))
    return frozenset(words)


def _docstring_nodes(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and ast.get_docstring(node):
            expression = node.body[0]
            assert isinstance(expression, ast.Expr)
            assert isinstance(expression.value, ast.Constant)
            yield expression.value


@pytest.mark.parametrize("name", MODULES)
def test_names_in_docstrings_exist(name: str) -> None:
    """A name in backticks is an identifier, a command, a setting or a member
    that the source contains.
    """
    missing = [
        f"line {node.lineno}: {quoted}"
        for node in _docstring_nodes(TREES[name])
        for quoted in re.findall(r"`([A-Za-z_][\w.]*)(?:\(\))?`", str(node.value))
        if not {part for part in quoted.split(".") if part} <= _vocabulary()
    ]
    assert not missing


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_docstring(name: str) -> None:
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_at_the_top(name: str) -> None:
    late = [
        node.lineno
        for function in ast.walk(TREES[name])
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not late or name.split(".")[1:2] == ["cli"]


def test_chance_has_a_seed() -> None:
    """Whoever makes a `Random` gives it a seed; nothing uses the global one."""
    unseeded = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Random"
        and not node.args
    }
    assert not unseeded | {name for name in MODULES if "random.random" in imports_of(name)}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_folder_of_modules_has_a_folder_of_tests(folder: Path) -> None:
    package, *rooms = folder.relative_to(ROOT).parts
    mirror = ROOT.joinpath("tests", package, *rooms[1:])
    parents = (mirror, *mirror.parents)
    assert any([*one.glob("test_*.py")] for one in parents[: parents.index(ROOT / "tests")])


@pytest.mark.parametrize("package", [f"bedtape_{folder}" for folder in PACKAGES])
def test_importing_is_light(package: str) -> None:
    """What costs seconds or megabytes is imported by the command that needs it."""
    code = (
        f"import sys, {package}; [getattr({package}, n) for n in getattr({package}, '__all__',"
        " ())]; print(*sys.modules)"
    )
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert not loaded & {"boto3", "botocore", "mitmproxy", "typer", "pydantic", "rich"}
