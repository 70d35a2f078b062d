"""What is inside the wheel and the source distribution, and that they work from there alone."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    (built,) = dist.glob("*.whl")
    return zipfile.ZipFile(built)


def _metadata(wheel: zipfile.ZipFile) -> dict[str, list[str]]:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    message = Parser().parsestr(wheel.read(name).decode())
    return {key: message.get_all(key, []) for key in message}


def _load_hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = _load_hooks()


def test_the_distributions_pass_the_checks_of_the_package_index(dist: Path) -> None:
    pytest.importorskip("twine", reason="twine is not installed: `make test` installs it")
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("PASSED") == 2, result.stdout


def test_the_source_distribution_contains_the_files_of_git(dist: Path) -> None:
    """Hatchling reads the `.gitignore` of the project alone, and none of a folder below."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no clone: clone the repository with git")
    (built,) = dist.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        files = {each.name.partition("/")[2] for each in archive if each.isfile()}
    assert files == {path for path in listed.stdout.split("\n") if (ROOT / path).is_file()} | {
        "PKG-INFO"
    }


def test_links_and_images_of_the_long_description_are_absolute_and_name_files_of_this_version(
    wheel: zipfile.ZipFile,
) -> None:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    message = Parser().parsestr(wheel.read(name).decode())
    home = dict(row.split(", ") for row in message.get_all("Project-URL", []))["Homepage"]
    targets = re.findall(r"\]\(([^)\s]+)\)", message.get_payload())
    assert all(target.startswith("https://") for target in targets), targets
    own = [target.removeprefix(home) for target in targets if target.startswith(home)]
    assert len(own) == len(re.findall(r"\]\((?!https://)", (ROOT / "README.md").read_text()))
    for target in own:
        _, kind, revision, path = target.split("/", 3)
        assert (kind, revision) in {
            ("blob", f"v{message['Version']}"),
            ("raw", f"v{message['Version']}"),
        }
        assert (ROOT / path.partition("#")[0]).is_file(), target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](docs/a.md#b)", "[a](https://h/r/blob/v1/docs/a.md#b)"),
        ("[a\nb](#c)", "[a\nb](https://h/r/blob/v1/README.md#c)"),
        ("![p](docs/p.png)", "![p](https://h/r/raw/v1/docs/p.png)"),
        ("[`a` and `b`](c.md)", "[`a` and `b`](https://h/r/blob/v1/c.md)"),
        ("[`a`](c.md)", "[`a`](https://h/r/blob/v1/c.md)"),
        ("[a](https://x/y), [m](mailto:a@b.c)", "[a](https://x/y), [m](mailto:a@b.c)"),
        ("`x[0](y)`", "`x[0](y)`"),
        ("```python\nx[0](y)\n```\n[a](b)", "```python\nx[0](y)\n```\n[a](https://h/r/blob/v1/b)"),
    ],
)
def test_relative_links_become_absolute(text: str, expected: str) -> None:
    assert HOOKS.make_links_absolute(text, "https://h/r", "v1") == expected


def test_a_release_needs_the_address_of_a_repository(tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    address = tomllib.loads(text)["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    (tmp_path / "pyproject.toml").write_text(text.replace(address, "https://host.example/a/b"))
    assert "found the placeholder https://host.example/a/b" in HOOKS.check_repository(
        tmp_path / "pyproject.toml"
    )
    (tmp_path / "pyproject.toml").write_text(text.replace(address, "https://host.test/a/b"))
    assert HOOKS.check_repository(tmp_path / "pyproject.toml") is None
    recipe = (ROOT / "docs" / "how-to" / "release.md").read_text()
    assert (
        recipe.index("hatch_build.py --check\n")
        < recipe.index("-m build --no-isolation")
        < recipe.index("twine check")
    )


def test_all_packages_have_the_address_of_the_repository() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    address = tomllib.loads(text)["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    package = json.loads((ROOT / "clients" / "typescript" / "package.json").read_text())
    assert package["repository"] == {
        "type": "git",
        "url": f"git+{address}.git",
        "directory": "clients/typescript",
    }
    # npm accepts a version with a trusted publisher if it has provenance
    assert package["publishConfig"] == {"access": "public", "provenance": True}
    module = (ROOT / "clients" / "go" / "go.mod").read_text().split()[1]
    assert module == f"{address.removeprefix('https://')}/clients/go"


def test_the_page_about_security_counts_the_dependencies() -> None:
    numbers = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "SECURITY.md").read_text()
    assert f"has {numbers[len(project['dependencies'])]} dependencies" in page
    extra = " and ".join(sorted(map(_name_of, project["optional-dependencies"]["record"])))
    assert f"adds {extra}." in page


def _name_of(requirement: str) -> str:
    return Requirement(requirement).name


def test_the_lines_that_install_work_before_the_release(tmp_path: Path) -> None:
    """The page's two commands, and then every `pip install bedtape` that a
    page or a message contains.
    """
    page = (ROOT / "docs" / "how-to" / "install.md").read_text()
    setup = re.findall(r"^\$ (pip (?:wheel|config) .+)$", page, re.MULTILINE)
    assert len(setup) == 2
    # No index and no isolation: nothing is fetched. HOME: pip's settings of this
    # machine stay as they are.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    environ = {
        **kept,
        **offline,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }

    def pip(line: str, *more: str) -> str:
        words = [
            word.replace("~", str(tmp_path)).replace("/path/to/the/clone", str(ROOT))
            for word in shlex.split(line)
        ]
        command = [sys.executable, "-m", *words, *more]
        ended = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    for line in setup:
        pip(line)
    assert list((tmp_path / ".bedtape-wheels").glob("bedtape-*.whl"))
    extras = set()
    for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/bedtape_*/**/*.py")):
        extras |= set(re.findall(r"pip install '?bedtape(\[[a-z,]+\])?", path.read_text()))
    assert {"", "[record]", "[scan]", "[tls]"} <= extras
    wanted = [f"bedtape{extra}" for extra in sorted(extras)]
    told = pip("pip install --dry-run --ignore-installed --no-deps", *wanted)
    assert "Would install bedtape-" in told
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {
        name for extra in extras for name in extra.strip("[]").split(",") if name
    } <= known.keys()


def test_the_wheel_holds_the_three_packages_their_types_and_the_samples(
    wheel: zipfile.ZipFile,
) -> None:
    assert wheel.filename is not None
    assert wheel.filename.endswith("-py3-none-any.whl")  # compiled on request
    names = set(wheel.namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"bedtape_cassettes", "bedtape_recorder", "bedtape_replayer"}
    assert {f"{top}/py.typed" for top in tops} <= names
    samples = (ROOT / "cassettes" / "bedtape_cassettes" / "samples").rglob("*.yaml")
    assert {f"bedtape_cassettes/samples/{s.parent.name}/{s.name}" for s in samples} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_source_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    for folder in ("cassettes", "recorder", "replayer"):
        sources = {
            path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.py")
        }
        assert sources <= set(wheel.namelist())


def test_the_compiled_build_names_modules_that_exist() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]
    folders = [(ROOT / package).parent for package in hatch["packages"]]
    for module in hatch["hooks"]["custom"]["modules"]:
        assert any((folder / module).is_file() for folder in folders), module


def test_the_inspectors_page_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    static = ROOT / "replayer" / "bedtape_replayer" / "api" / "inspector" / "static"
    names = {f"bedtape_replayer/api/inspector/static/{file.name}" for file in static.iterdir()}
    assert {"index.html", "app.js", "style.css"} <= {name.rpartition("/")[2] for name in names}
    assert names <= set(wheel.namelist())


def test_the_base_install_stays_small(wheel: zipfile.ZipFile) -> None:
    required = [line for line in _metadata(wheel)["Requires-Dist"] if "extra ==" not in line]
    names = {
        line.split(";")[0].split("<")[0].split(">")[0].split("=")[0].strip().lower()
        for line in required
    }
    assert names == {"boto3", "hpack", "msgpack", "orjson", "pyyaml", "regex", "typer", "uvloop"}
    # mitmproxy pins msgpack from above, so the base must not pin it from below:
    # they share an environment.
    assert any(line.replace(" ", "").startswith("msgpack<2,>=1.0") for line in required)


def test_the_command_works_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.argv = ['bedtape', 'demo']; from bedtape_cassettes.cli.main import main;"
        " main()"
    )
    # -S: without site-packages' path file, so that the checkout is not found; the
    # libraries are put back by hand.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    code = f"import sys; sys.path[:0] = {[str(tmp_path), *libraries]!r}; {code}; "
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "a recorded answer is the same every time" in result.stdout


def test_the_command_is_named_as_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"bedtape": "bedtape_cassettes.cli.main:main"}
    assert project["name"] == "bedtape"


# -- locks -----------------------------------------------------------------------------------------

LOCKS = ROOT / ".ci" / "locks"


def _locked(name: str) -> dict[str, Requirement]:
    """The requirements of a lock by name. Every one of them has a hash."""
    text = (LOCKS / f"{name}.txt").read_text().replace("\\\n", " ")
    rows = [
        line.split("--hash=") for line in text.splitlines() if line and not line.startswith("#")
    ]
    assert all(len(row) > 1 for row in rows)
    return {
        canonicalize_name(requirement.name): requirement
        for requirement in (Requirement(row[0]) for row in rows)
    }


# The extras in each lock. The image has `server`.
_EXTRAS = {
    "base": (),
    "server": ("state", "otel", "tls"),
    **{extra: (extra,) for extra in ("test", "check", "record")},
}


@pytest.mark.parametrize("name", _EXTRAS)
def test_a_lock_holds_what_the_project_asks_for(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = (project["optional-dependencies"][extra] for extra in _EXTRAS[name])
    locked = _locked(name)
    for line in [*project["dependencies"], *chain(*optional)]:
        requirement = Requirement(line)
        if requirement.name == "bedtape":  # `check` includes `test`, whose own lock has it
            continue
        versions = {spec.version for spec in locked[canonicalize_name(requirement.name)].specifier}
        assert all(requirement.specifier.contains(version) for version in versions), line


def test_agpl_code_is_in_the_extra_of_tests_alone() -> None:
    assert "fakecloud" in _locked("test")
    assert not {"fakecloud"} & (_locked("base").keys() | _locked("record").keys())
