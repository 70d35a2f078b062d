"""The file of settings as it is found: the nearest upwards, one in a folder,
none above a repository.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_cassettes.config.files import find_working_folder, read_settings
from bedtape_cassettes.errors import ConfigInvalid

Put = Callable[[str, str], Path]
OTHER = "[project]\nname = 'x'\n"
OURS = "[tool.bedtape.replay]\nport = {}\n"


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a file of a repository, whose root is the folder that is given."""
    (tmp_path / ".git").mkdir()

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def _port(start: Path, **environ: str) -> object:
    return read_settings(start, environ).of("replay").get("port")


def _told(start: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as told:
        read_settings(start, environ)
    return str(told.value).splitlines()


def test_the_nearest_upwards_holds_alone(tmp_path: Path, put: Put) -> None:
    put("pyproject.toml", OURS.format(1) + "speed = 2\n")
    put("packages/a/bedtape.toml", "[replay]\nport = 2\n")
    put("packages/b/pyproject.toml", OTHER + "dependencies = ['bedtape']\n")
    (tmp_path / "packages" / "a" / "src").mkdir()
    assert _port(tmp_path) == _port(tmp_path / "packages" / "b") == 1
    assert _port(tmp_path / "packages" / "a" / "src") == 2
    assert read_settings(tmp_path / "packages" / "a", {}).of("replay") == {"port": 2}
    assert read_settings(tmp_path, {}).file == str(tmp_path / "pyproject.toml")


def test_above_the_root_of_a_repository_nothing_is_looked_for(tmp_path: Path, put: Put) -> None:
    put("bedtape.toml", "[replay]\nport = 1\n")
    put("vendored/pyproject.toml", OTHER)
    assert _port(tmp_path / "vendored") == 1
    put("vendored/.git", "gitdir: ../.git/modules/vendored\n")
    assert _port(tmp_path / "vendored") is None
    assert read_settings(tmp_path / "vendored", {}).file is None


def test_two_in_one_folder_are_refused_and_both_named(tmp_path: Path, put: Put) -> None:
    put("bedtape.toml", "")
    put("pyproject.toml", OTHER)
    assert _port(tmp_path) is None
    put("pyproject.toml", "[tool.bedtape]\n")
    (line,) = _told(tmp_path)
    assert (
        line == f"{tmp_path}/bedtape.toml: expected the settings of {tmp_path} in one file, found"
        " [tool.bedtape] in pyproject.toml beside it too; keep one of them"
    )


def test_paths_are_the_files_own(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("bedtape.toml", "cassettes = 'tapes'\n[run]\noverlay = '/o.yaml'\n")
    sub = tmp_path / "sub"
    sub.mkdir()
    monkeypatch.chdir(sub)
    settings = read_settings(sub, {"BEDTAPE_REPLAY_OVERLAY": "here.yaml"}, here=sub)
    assert settings.of("run") == {"cassettes": (str(tmp_path / "tapes"),), "overlay": "/o.yaml"}
    assert settings.of("replay")["overlay"] == "here.yaml"
    assert read_settings(tmp_path, {}, here=tmp_path).of("record") == {"to": "tapes"}
    assert read_settings(tmp_path, {}).of("record") == {"to": str(tmp_path / "tapes")}


def test_a_file_is_told_by_its_name_in_the_working_directory_and_by_its_path_elsewhere(
    tmp_path: Path, put: Put
) -> None:
    put("bedtape.toml", "[replay]\n\nport = 1\n")
    for here, shown in (
        (tmp_path, "bedtape.toml:3"),
        (tmp_path / "sub", f"{tmp_path}/bedtape.toml:3"),
    ):
        setting = read_settings(here, {}, here=here).find("replay", "port")
        assert setting is not None
        assert setting.source == shown


def test_a_variable_names_the_file_or_none(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("bedtape.toml", "[replay]\nport = 1\n")
    named = put("ci/load.toml", "[replay]\nport = 2\n")
    shared = put("ci/pyproject.toml", OURS.format(3))
    assert _port(tmp_path, BEDTAPE_CONFIG="") is None
    assert _port(tmp_path, BEDTAPE_CONFIG=str(named)) == 2
    assert _port(tmp_path, BEDTAPE_CONFIG=str(shared)) == 3
    monkeypatch.chdir(tmp_path)
    assert _port(tmp_path, BEDTAPE_CONFIG="ci/load.toml") == 2


@pytest.mark.parametrize(("name", "text"), [("absent.toml", None), ("pyproject.toml", OTHER)])
def test_a_file_that_is_named_has_settings(
    tmp_path: Path, put: Put, name: str, text: str | None
) -> None:
    if text is not None:
        put(name, text)
    (line,) = _told(tmp_path, BEDTAPE_CONFIG=str(tmp_path / name))
    assert re.search(r"expected .+, found none; fix BEDTAPE_CONFIG", line)


def test_what_is_wrong_with_the_file_and_with_variables_is_told_together(
    tmp_path: Path, put: Put
) -> None:
    put("bedtape.toml", "[replay]\nport = true\nprot = 1\n")
    told = _told(tmp_path, BEDTAPE_RUN_PORT="x")
    assert [line.removeprefix(f"{tmp_path}/").split(":")[0] for line in told] == [
        "BEDTAPE_RUN_PORT",
        "bedtape.toml",
        "bedtape.toml",
    ]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("bedtape.toml", b"[replay\n", r"expected TOML, found .+line 1"),
        ("pyproject.toml", b"[tool.bedtape]\nx = \n", r"expected TOML, found .+line 2"),
        (
            "bedtape.toml",
            b"x = '\xff'\n",
            r"expected UTF-8, as TOML is, found .+; save it as UTF-8",
        ),
        (
            "bedtape.toml",
            b"\xef\xbb\xbf[replay]\n",
            r":1: expected UTF-8 without a byte order mark, found one; save it .+",
        ),
        (
            "bedtape.toml",
            b"x = %b\n" % (b"9" * 5000),
            r"expected TOML, found .+ limit .+; fix it there",
        ),
        (
            "pyproject.toml",
            b"[tool]\nbedtape = '%b'\n" % (b"x" * 5000),
            r"\[tool.bedtape\], found .{80}; write its keys",
        ),
        (
            "pyproject.toml",
            b"[[tool.bedtape]]\ntoken = 'x'\n",
            r"\[tool.bedtape\], found \[{\"token\": \"…\"}\];",
        ),
        ("pyproject.toml", b"[tool]\nbedtape = 3\n", r"expected a table \[tool.bedtape\], found 3"),
    ],
)
def test_a_file_that_is_none_is_told(
    tmp_path: Path, put: Put, name: str, data: bytes, told: str
) -> None:
    put(name, "").write_bytes(data)
    (line,) = _told(tmp_path)
    assert line.startswith(f"{tmp_path}/{name}:")
    assert re.search(told, line)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bedtape.toml").mkdir()
    (line,) = _told(tmp_path)
    assert (
        line == f"{tmp_path}/bedtape.toml: expected a file that can be read, found Is a directory"
    )


def test_a_file_that_is_not_ours_need_not_be_sound(tmp_path: Path, put: Put) -> None:
    put("bedtape.toml", "[replay]\nport = 1\n")
    put("sub/pyproject.toml", "").write_bytes(b"[project\n# caf\xe9\n")
    put("below/pyproject.toml", "tool = 3  # bedtape\n")
    assert _port(tmp_path / "sub") == _port(tmp_path / "below") == 1


def test_a_working_directory_that_was_deleted_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigInvalid) as told:
        find_working_folder()
    assert (
        str(told.value)
        == ".: expected a working directory that exists, found one that was deleted; cd elsewhere"
    )
