"""What is planned for a project, and that a pyproject.toml stays what it was, with a table more."""

import tomllib
from importlib.metadata import version

import pytest

from bedtape_replayer.cli.init.plan import Plan, plan_of
from bedtape_replayer.cli.init.project import Framework, InitError, Project

SAMPLE = {"0001.yaml": b"bedtape: 1\n"}
SDK = "@aws-sdk/client-bedrock-runtime"
PACKED = f"~/.bedtape-wheels/bedtape-client-{version('bedtape')}.tgz"


def _plan(
    framework: Framework = "pytest", *names: str, pyproject: str | None = None, package: str = "{}"
) -> Plan:
    return plan_of(Project(frozenset(names), pyproject, package), framework, SAMPLE)


def test_a_plan_for_pytest() -> None:
    plan = _plan()
    assert [piece.path for piece in plan.pieces] == [
        "bedtape.toml",
        "tests/cassettes/hello",
        "tests/test_bedrock.py",
    ]
    assert plan.pieces[0].content == b'# Settings of bedtape.\ncassettes = "tests/cassettes"\n'
    assert plan.pieces[1].content == SAMPLE
    assert plan.then == ("pytest tests/test_bedrock.py",)


@pytest.mark.parametrize(
    ("names", "pyproject", "folder"),
    [
        (("test",), "", "test"),
        (("test", "tests"), "", "tests"),
        ((), '[tool.pytest.ini_options]\ntestpaths = ["checks/unit", "other"]', "checks/unit"),
        ((), '[tool.pytest.ini_options]\ntestpaths = "checks other"', "checks"),
        ((), '[tool.pytest]\ntestpaths = ["checks/"]', "checks"),
        ((), '[tool.pytest.ini_options]\ntestpaths = ["*/tests"]', "tests"),
        ((), '[tool.pytest.ini_options]\ntestpaths = ["../tests"]', "tests"),
        ((), '[tool.pytest.ini_options]\ntestpaths = ["."]', "tests"),
        ((), '[tool.pytest.ini_options]\ntestpaths = ["./checks"]', "checks"),
        ((), '[tool.pytest.ini_options]\ntestpaths = ["/checks"]', "tests"),
        ((), "[tool.pytest.ini_options]\ntestpaths = [1]", "tests"),
        ((), "[tool.pytest.ini_options]\ntestpaths = ''", "tests"),
        ((), "[tool]\npytest = 3", "tests"),
    ],
)
def test_the_test_is_where_pytest_looks(
    names: tuple[str, ...], pyproject: str, folder: str
) -> None:
    plan = _plan("pytest", *names, pyproject=pyproject)
    assert plan.pieces[2].path == f"{folder}/test_bedrock.py"
    assert plan.cassettes == f"{folder}/cassettes"


@pytest.mark.parametrize(
    ("names", "package", "test", "install"),
    [
        ((), "{}", "tests/bedrock.test.js", f"npm install -D {PACKED} vitest {SDK}"),
        (
            ("tsconfig.json",),
            "{}",
            "tests/bedrock.test.ts",
            f"npm install -D {PACKED} vitest {SDK}",
        ),
        (
            ("test",),
            '{"devDependencies": {"typescript": "5", "vitest": "4"}}',
            "test/bedrock.test.ts",
            f"npm install -D {PACKED} {SDK}",
        ),
        (
            (),
            (
                f'{{"dependencies": {{"{SDK}": "3"}}, "devDependencies": {{"vitest": "4",'
                ' "@bedtape/client": "0"}}'
            ),
            "tests/bedrock.test.js",
            None,
        ),
    ],
)
def test_a_plan_for_vitest(
    names: tuple[str, ...], package: str, test: str, install: str | None
) -> None:
    plan = _plan("vitest", *names, package=package)
    assert [piece.path for piece in plan.pieces] == ["bedtape.toml", "cassettes/hello", test]
    assert plan.then == (*([install] if install else []), f"bedtape run -- npx vitest run {test}")


def test_the_sample_is_where_run_plays_from() -> None:
    project = Project(frozenset({"bedtape.toml"}), package="{}", played="fixtures/tapes")
    assert plan_of(project, "vitest", SAMPLE).pieces[1].path == "fixtures/tapes/hello"
    assert plan_of(project, "pytest", SAMPLE).pieces[1].path == "tests/cassettes/hello"


@pytest.mark.parametrize(
    "before",
    [
        "",
        '[project]\nname = "x"\n',
        '[project]\nname = "x"',
        '[project]\r\nname = "x"\r\n',
        "[tool.ruff]\nline-length = 9\n",
    ],
)
def test_settings_are_added_to_a_pyproject_that_stays_as_it_was(before: str) -> None:
    piece = _plan(pyproject=before).pieces[0]
    assert (piece.path, piece.adds) == ("pyproject.toml", True)
    assert isinstance(piece.content, bytes)
    after = tomllib.loads(before + piece.content.decode())
    assert after["tool"].pop("bedtape") == {"cassettes": "tests/cassettes"}
    assert {**after, "tool": after["tool"]} == {"tool": {}, **tomllib.loads(before)}
    if "\r\n" in before:
        assert b"\n" not in piece.content.replace(b"\r\n", b"")


def test_settings_that_are_there_are_left() -> None:
    piece, *_ = _plan(pyproject="[tool.bedtape]\n").pieces
    assert piece.there == "has [tool.bedtape]"
    piece, *_ = _plan("pytest", "bedtape.toml", pyproject="").pieces
    assert piece.path == "bedtape.toml"


@pytest.mark.parametrize(
    ("pyproject", "reason"),
    [
        ("[project", "expected TOML"),
        (f"x = {'9' * 5000}", "expected TOML"),
        ("x = " + "[" * 5000, "expected TOML"),
        ("tool = {ruff = {}}\n", "found `tool` closed"),
        ("tool = 3\n", "found `tool` closed"),
    ],
)
def test_a_pyproject_that_cannot_be_added_to_is_refused(pyproject: str, reason: str) -> None:
    with pytest.raises(InitError, match=reason):
        _plan(pyproject=pyproject)
