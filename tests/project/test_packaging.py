"""What is inside the wheel, and that it works from there alone."""

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def _metadata(wheel: zipfile.ZipFile) -> dict[str, list[str]]:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    message = Parser().parsestr(wheel.read(name).decode())
    return {key: message.get_all(key, []) for key in message}


def test_the_wheel_holds_the_three_packages_their_types_and_the_samples(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"bedtape_cassettes", "bedtape_recorder", "bedtape_replayer"}
    assert {f"{top}/py.typed" for top in tops} <= names
    samples = (ROOT / "cassettes" / "bedtape_cassettes" / "samples").rglob("*.yaml")
    assert {f"bedtape_cassettes/samples/{s.parent.name}/{s.name}" for s in samples} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_source_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    for folder in ("cassettes", "recorder", "replayer"):
        sources = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert sources <= set(wheel.namelist())


def test_the_inspectors_page_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    static = ROOT / "replayer" / "bedtape_replayer" / "api" / "inspector" / "static"
    names = {f"bedtape_replayer/api/inspector/static/{file.name}" for file in static.iterdir()}
    assert {"index.html", "app.js", "style.css"} <= {name.rpartition("/")[2] for name in names}
    assert names <= set(wheel.namelist())


def test_the_base_install_stays_small(wheel: zipfile.ZipFile) -> None:
    required = [line for line in _metadata(wheel)["Requires-Dist"] if "extra ==" not in line]
    names = {line.split(";")[0].split("<")[0].split(">")[0].split("=")[0].strip().lower() for line in required}
    assert names == {"boto3", "hpack", "msgpack", "orjson", "pyyaml", "regex", "typer", "uvloop"}
    # mitmproxy pins msgpack from above, so the base must not pin it from below: they share an environment.
    assert any(line.replace(" ", "").startswith("msgpack<2,>=1.0") for line in required)


def test_the_command_works_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = "import sys; sys.argv = ['bedtape', 'demo']; from bedtape_cassettes.cli.main import main; main()"
    # -S: without site-packages' path file, so that the checkout is not found; the libraries are put back by hand.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    code = f"import sys; sys.path[:0] = {[str(tmp_path), *libraries]!r}; {code}; "
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "a recorded answer is the same every time" in result.stdout


def test_the_command_is_named_as_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"bedtape": "bedtape_cassettes.cli.main:main"}
    assert project["name"] == "bedtape"


# -- locks -------------------------------------------------------------------------------------------------------

LOCKS = ROOT / ".ci" / "locks"


def _locked(name: str) -> dict[str, Requirement]:
    """The requirements of a lock by name. Every one of them has a hash."""
    text = (LOCKS / f"{name}.txt").read_text().replace("\\\n", " ")
    rows = [line.split("--hash=") for line in text.splitlines() if line and not line.startswith("#")]
    assert all(len(row) > 1 for row in rows)
    return {canonicalize_name(requirement.name): requirement for requirement in (Requirement(row[0]) for row in rows)}


@pytest.mark.parametrize("extra", ["base", "test", "check", "record"])
def test_a_lock_holds_what_the_project_asks_for(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, locked = project["dependencies"] + project["optional-dependencies"].get(extra, []), _locked(extra)
    for line in wanted:
        requirement = Requirement(line)
        if requirement.name == "bedtape":  # `check` includes `test`, whose own lock has it
            continue
        versions = {spec.version for spec in locked[canonicalize_name(requirement.name)].specifier}
        assert all(requirement.specifier.contains(version) for version in versions), line


def test_agpl_code_is_in_the_extra_of_tests_alone() -> None:
    assert "fakecloud" in _locked("test")
    assert not {"fakecloud"} & (_locked("base").keys() | _locked("record").keys())
