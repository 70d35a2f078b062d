"""The docs say what is so: their commands exist, their Python runs, their YAML loads, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bedtape_cassettes import cli, document
from bedtape_cassettes.store import samples

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(ROOT.glob("docs/**/*.md"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.name}:{number}", text)
        for page in PAGES
        for number, (kind, text) in enumerate(_BLOCK.findall(page.read_text()))
        if kind == language
    ]


def _bedtape(*arguments: str, cwd: Path) -> str:
    code = "from bedtape_cassettes.cli import main; main()"
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(("where", "code"), _blocks("python"))
def test_python_examples_run(where: str, code: str, tmp_path: Path) -> None:
    shutil.copytree(samples(), tmp_path / "cassettes")
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("where", "text"), _blocks("yaml"))
def test_cassettes_shown_are_cassettes_and_other_yaml_is_yaml(where: str, text: str) -> None:
    if text.startswith("bedtape:"):
        assert document.read(text.encode(), where).operation
    else:
        assert yaml.safe_load(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert re.match(r"https?://", target) or (page.parent / target).exists(), target


def test_make_targets_that_are_named_exist() -> None:
    known = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:`|^\$ )make ((?:\w+ ?)+)", page.read_text(), re.MULTILINE)
        for targets in named:
            assert set(targets.split("#")[0].split()) & known


def _help(*command: str) -> str:
    result = CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "100", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    return result.stdout


def _below(shown: str) -> list[str]:
    """The commands that a help lists, if it is a group's."""
    if "COMMAND [ARGS]..." not in shown:
        return []
    return re.findall(r"^  ([\w-]+)  +\S", shown.partition("\nOptions:")[0], re.MULTILINE)


def _helps(command: str) -> dict[str, str]:
    """The help of a command, or of each in a group, by name."""
    shown = _help(command)
    return {name: _help(command, name) for name in _below(shown)} or {command: shown}


def _sections() -> dict[str, str]:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    return {section.split("\n")[0]: section for section in page.split("\n## bedtape ")[1:]}


def test_every_command_and_option_is_documented() -> None:
    sections = _sections()
    for command in _below(_help()):
        assert command in sections, command
        section = sections[command]
        for name, shown in _helps(command).items():
            assert re.search(rf"`(?:bedtape (?:{command} )?)?{name}\b", section), f"{command} {name}"
            for option in set(re.findall(r"^  (--[a-z][a-z-]*)", shown, re.MULTILINE)) - {"--help"}:
                assert f"`{option}" in section, f"{command} {name} {option}"


def test_every_documented_option_exists() -> None:
    for command, section in _sections().items():
        known = "".join(_helps(command).values())
        for option in re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE):
            assert option in known, f"{command} {option}"


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Ports and times differ; every other line of README's transcript is printed."""
    printed = _bedtape("demo", cwd=tmp_path)
    (shown,) = [text for _, text in _blocks("text") if "serving the shipped samples" in text]

    def steady(text: str) -> list[str]:
        return [re.sub(r"127\.0\.0\.1:\d+|[\d.]+ ms", "…", line) for line in text.splitlines()]

    assert steady(printed)[: len(steady(shown))] == steady(shown)
    assert "CassetteMissException" in printed


def test_the_format_page_names_every_key() -> None:
    page = (ROOT / "docs" / "reference" / "cassettes.md").read_text()
    for keys in (document._TOP, document._REQUEST, document._RESPONSE, document._EVENT):
        for key in keys:
            assert re.search(rf"`(?:\w+\.)?{key}`", page) or key in ("request", "response"), key
