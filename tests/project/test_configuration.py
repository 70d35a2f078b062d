"""The page on configuration says every table, key and shared key as the code has them, and its examples are taken."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.config.kinds import Pattern, Place, Switch, Text
from bedtape_cassettes.config.options import OTHER_VARIABLES, TABLES, TOP, Name, variables
from bedtape_cassettes.config.reading import Source, of_document, of_environment

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (DOCS / "configuration.md").read_text()
TOML = [
    (f"{page.name}:{number}", text)
    for page in sorted(DOCS.parents[1].glob("docs/**/*.md"))
    for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))
    if "tool" not in text or "[tool.bedtape" in text  # a pyproject.toml may be about other tools alone
]


def _row(table: str) -> str:
    keys = ", ".join(f"`{key}`" for key, option in TABLES[table].items() if not option.secret)
    return f"| `{table}` | {keys} |"


def test_every_table_is_there_with_its_keys_and_none_more() -> None:
    lines = PAGE.splitlines()
    start = lines.index("| table | keys |") + 2
    assert lines[start : start + len(TABLES)] == [*(_row(table) for table in TABLES if table != TOP), ""]


def _sharing(name: Name) -> dict[str, list[str]]:
    """The tables that share a key, by what they call it; not those that share it through another."""
    found: dict[str, list[str]] = {}
    for table, options in TABLES.items():
        for key, option in options.items():
            if option.shared == name:
                found.setdefault(key, []).append(f"`{table}`")
    return found


def _shared_row(key: str) -> str:
    option = TABLES[TOP][key]
    words = {Place: "path", Text: "texts", Pattern: "regular expressions", Switch: "`true` or `false`"}
    value = f"list of {words[type(option.kind)]}" if option.many else words[type(option.kind)]
    sharing = _sharing((TOP, key))
    if sharing.keys() == {key}:
        return f"| `{key}` | {value} | {', '.join(sharing[key])} |"
    named = "; ".join(f"`{each}` of {', '.join(tables)}" for each, tables in sharing.items())
    return f"| `{key}` | {value} | {named} |"


@pytest.mark.parametrize("key", TABLES[TOP])
def test_every_shared_key_is_there_with_those_that_share_it(key: str) -> None:
    assert _shared_row(key) in PAGE.splitlines()


def test_the_variables_that_are_shown_are_known() -> None:
    known = {variable for variable, _ in variables()} | set(OTHER_VARIABLES)
    assert set(re.findall(r"\bBEDTAPE_[A-Z_]*[A-Z]\b", PAGE)) <= known
    assert set(re.findall(r"^\| `(BEDTAPE_\w+)` \|", PAGE, re.MULTILINE)) == set(OTHER_VARIABLES)


@pytest.mark.parametrize(("where", "text"), TOML)
def test_settings_that_are_shown_are_taken(where: str, text: str) -> None:
    document: Any = tomllib.loads(text)
    ours = document["tool"]["bedtape"] if "tool" in document else document
    said, problems = of_document(ours, Source(where, "", lambda _: 0, str))
    assert said
    assert not problems


def test_the_problems_that_are_shown_are_told_so() -> None:
    (shown,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    source = Source("pyproject.toml", "tool.bedtape", lambda path: 7 if len(path) == 3 else 12, str)
    _, of_file = of_document({"any_profile": True, "replay": {"port": "4567"}}, source)
    _, of_variables, _ = of_environment({"BEDTAPE_RUN_PORT": "any"})
    told = "\n".join(map(str, [*of_file, *of_variables]))
    assert shown == f"bedtape: {told}\n"


def test_every_setting_of_the_plugin_is_on_its_page_and_none_more() -> None:
    section = (DOCS / "pytest.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE)) == set(TABLES["pytest"])
