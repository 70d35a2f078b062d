"""`bedtape guide` prints the page of the documentation, without the notes for its tests."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bedtape_cassettes.cli.command_list import COMMANDS
from bedtape_cassettes.cli.main import load_all

ROOT = Path(__file__).parents[3]
CODE = "from bedtape_cassettes.cli.main import main; main()"


def _guide(*options: str) -> str:
    command = [sys.executable, "-c", CODE, "guide", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_guide_is_the_page_and_fits_one_page() -> None:
    text = _guide()
    page = (ROOT / "docs" / "reference" / "guide.md").read_text()
    assert text == re.sub(r"(?m)^<!--.*-->\n", "", page), "run `make fix`"
    assert "<!--" not in text
    assert len(text) < 6000
    assert not re.search(r"\]\(", text)  # a link leads nowhere on a terminal


def test_the_commands_of_the_guide_exist() -> None:
    names = {command.name for command in COMMANDS}
    used = set(re.findall(r"(?:`|\$ )bedtape ([a-z]+)", _guide()))
    assert {"run", "replay", "cassette", "doctor", "mcp", "guide"} <= used <= names


def test_as_json_it_has_its_sections_and_all_commands() -> None:
    guide = json.loads(_guide("--json"))
    assert guide["commands"].keys() == {command.name for command in COMMANDS}
    assert list(guide["guide"])[:2] == ["", "Rules for you"]
    assert all(guide["guide"].values())


# Commands without data, or whose data is JSON already or has a --format of its own.
WITHOUT_JSON = {
    *("demo", "init", "record", "replay", "run", "ca", "mcp", "migrate vcrpy"),
    *("overlay schema", "config schema", "cassette schema"),
    *("cassette git-setup", "cassette textconv"),
}


def _walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, (*path, name))
    if not hasattr(command, "commands"):
        yield " ".join(path), any("--json" in each.opts for each in command.params)


def test_every_command_that_prints_data_prints_it_as_json() -> None:
    assert {name for name, has_json in _walk(load_all()) if not has_json} == WITHOUT_JSON


def test_the_problems_of_overlays_as_json(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"bedtape-overlay": 1, "rules": [{"answer": {"text": "x"}}]}')
    bad.write_text('{"bedtape-overlay": 1, "faults": [{"eror": "x"}], "seed": "y"}')
    command = [sys.executable, "-c", CODE, "overlay", "check", "--json", str(good), str(bad)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    first, second = json.loads(done.stdout)
    assert first == {"file": str(good), "rules": 1, "faults": 0}
    assert len(second["problems"]) >= 2
    assert all({"where", "expected", "found", "fix"} == each.keys() for each in second["problems"])
