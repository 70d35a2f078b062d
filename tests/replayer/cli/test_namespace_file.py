"""The file of `--namespaces`: what it may contain, and that no message shows a token."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bedtape_cassettes.errors import CassetteError, ConfigInvalid
from bedtape_replayer.cli.namespace_file import Team, check_control_token, read_teams
from bedtape_replayer.server.namespaces import Namespace

TOKEN = "1f0c6e5d9b7a42f08e3d5c6b7a8f9e0d"
OTHER = "d0e9f8a7b6c5d3e80f24a7b9d5e6c0f1"
VALID = f"""[search]
token = "{TOKEN}"
memory = 512
idle = 0.5
[checkout]
token-variable = "CHECKOUT"
cassettes = ["recordings", "s3://bucket/x"]
"""


def find_problem(tmp_path: Path, text: str, **environ: str) -> str:
    """The message about a file; empty if the file is right. It never shows a part of a token."""
    file = tmp_path / "teams.toml"
    file.write_text(text)
    try:
        read_teams(file, environ)
    except ConfigInvalid as error:
        message = str(error)
    else:
        message = ""
    for token in (TOKEN, OTHER):
        assert not [part for at in range(25) if (part := token[at : at + 8]) in message], message
    return message.replace(str(file), "FILE")


def test_a_right_file(tmp_path: Path) -> None:
    file = tmp_path / "teams.toml"
    file.write_text(VALID)
    teams = read_teams(file, {"CHECKOUT": f"{OTHER}\n"})
    folders = (str(tmp_path / "recordings"), "s3://bucket/x")
    assert teams == [
        Team("search", TOKEN, None, 512, 0.5),
        Team("checkout", OTHER, folders, None, None),
    ]
    assert TOKEN not in repr(teams)
    assert TOKEN not in repr(Namespace(None, None, TOKEN))  # type: ignore[arg-type]


def test_a_whole_number_with_a_point_is_a_whole_number(tmp_path: Path) -> None:
    file = tmp_path / "teams.toml"
    file.write_text(f'[a]\ntoken = "{TOKEN}"\nmemory = 16.0')
    assert repr(read_teams(file, {})[0].memory) == "16"


T = f'token = "{TOKEN}"'
WRONG = {
    "no TOML": ("x", "FILE: expected TOML, found Expected '=' after a key"),
    "no UTF-8": ("\udcff", "expected TOML, found bytes that are not UTF-8 at position 0"),
    "a long number": (f"[a]\n{T}\nmemory = {'9' * 5000}", "found a number that is too long"),
    "many levels": (f"[a]\nx = {'[' * 100_000}", "expected TOML, found too many levels"),
    "nothing": ("", "expected at least one namespace, found none"),
    "no token": ("[a]\n", "expected token or token-variable at a, found neither"),
    "both": (f'[a]\n{T}\ntoken-variable = "A"', "token-variable at a, found both"),
    "a short token": ('[a]\ntoken = "hush"', "at least 16 characters at a.token, found 4"),
    "a short variable": (
        '[a]\ntoken-variable = "SHORT"',
        "at least 16 characters at a.token-variable, found 5 in the variable SHORT",
    ),
    "no variable": (
        '[a]\ntoken-variable = "NONE"',
        "the name of an environment variable that is set at a.token-variable, found another",
    ),
    "a token as variable": (
        f'[a]\ntoken-variable = "{TOKEN}"',
        "at a.token-variable, found another",
    ),
    "one token twice": (
        f"[a]\n{T}\n[b]\n{T}",
        "expected a token of its own at b.token, found that of a",
    ),
    "a space": (f'[a]\ntoken = "{TOKEN} {OTHER}"', "no spaces at a.token, found another character"),
    "a control character": (f'[a]\ntoken = "{TOKEN}\\u0001x"', "visible characters of ASCII"),
    "no ASCII": (f'[a]\ntoken = "{TOKEN}\u00e9"', "found another character at position 33"),
    "a colon": (f'["a:b"]\n{T}', "expected a name of letters"),
    "another key": (f"[a]\n{T}\nmemry = 5", "no key 'memry' at a.memry, found 5; did you mean"),
    "too little memory": (f"[a]\n{T}\nmemory = 5", "a number from 16 at a.memory, found 5"),
    "too much memory": (f"[a]\n{T}\nmemory = 1e300", "up to 1000000000 at a.memory, found 1e"),
    "a date": (f"[a]\n{T}\nidle = 2026-01-01", "a number at a.idle, found a date or time"),
    "no folder": (f'[a]\n{T}\ncassettes = [""]', "at least 1 character at a.cassettes[0]"),
    "no folders": (f"[a]\n{T}\ncassettes = []", "at a.cassettes, found a list of 0 values"),
    "two problems": (f'["a:b"]\n{T}\nidle = -1', "a name of letters"),
    # where a token can stand by mistake
    "another word": (
        f'[a]\ntokn = "{TOKEN}"',
        "found a string of 32 characters; did you mean token",
    ),
    "no table": (T, "expected a table at token, found a string of 32 characters"),
    "tables": (f"[[a]]\n{T}", "expected a table at a, found a list of 1 value"),
    "a list": (
        f'[a]\ntoken = ["{TOKEN}"]',
        "expected a string at a.token, found a list of 1 value",
    ),
    "a key": (f'[a]\n{TOKEN} = "token"', "expected no key '1f0c…' at a.1f0c…"),
    "a name": (f'[{TOKEN}]\ntoken = "a"', "at least 16 characters at 1f0c….token, found 1"),
    "a wrong name": (f'["{TOKEN} "]\n{T}', "begins with a letter or digit, found '1f0c…'"),
    "a table twice": (f"[a.{TOKEN}]\n[a.{TOKEN}]", "found Cannot declare (…) twice (at line 2"),
    "a key twice": (f"[a]\nx = {{{TOKEN} = 1, {TOKEN} = 2}}", "Duplicate inline table key … (at"),
    "a folder": (f'[a]\n{T}\ncassettes = [{{"{OTHER}" = 1}}]', "found a table of 1 key"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    text, reason = WRONG[name]
    file = tmp_path / "teams.toml"
    if name == "no UTF-8":
        file.write_bytes(b"\xff")
        with pytest.raises(ConfigInvalid, match="bytes that are not UTF-8 at position 0"):
            read_teams(file, {})
        return
    assert reason in find_problem(tmp_path, text, SHORT="short")


@pytest.mark.parametrize("wrong", ["", '"', "[", "="])
def test_no_mistyped_character_shows_a_token(tmp_path: Path, wrong: str) -> None:
    for at in range(len(VALID)):
        for rest in (VALID[at:], VALID[at + 1 :]):
            find_problem(tmp_path, VALID[:at] + wrong + rest, CHECKOUT=OTHER)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    def read(file: Path) -> str:
        with pytest.raises(ConfigInvalid) as caught:
            read_teams(file, {})
        return str(caught.value)

    assert read(tmp_path) == f"{tmp_path}: expected a file of namespaces, found a folder"
    file = tmp_path / "teams.toml"
    assert read(file) == f"{file}: expected a file of namespaces, found none"
    file.write_text(VALID)
    file.chmod(0)
    if not os.access(file, os.R_OK):
        assert "found a file that cannot be read (Permission denied)" in read(file)


CONTROL: dict[str, tuple[Callable[[], None], str]] = {
    "that of a team": (
        lambda: check_control_token(TOKEN, [Team("a", TOKEN, None, None, None)], control=True),
        "expected a token of its own, found that of the namespace a",
    ),
    "a space": (
        lambda: check_control_token(f"{TOKEN} {TOKEN}", (), control=True),
        "no spaces, found another character at position 33",
    ),
    "no control API": (
        lambda: check_control_token(TOKEN, (), control=False),
        "expected a control API, found --no-control",
    ),
}


@pytest.mark.parametrize("name", CONTROL)
def test_a_control_token_that_opens_nothing_is_refused(name: str) -> None:
    check, reason = CONTROL[name]
    with pytest.raises(CassetteError) as caught:
        check()
    assert reason in str(caught.value)
    assert TOKEN not in str(caught.value)
