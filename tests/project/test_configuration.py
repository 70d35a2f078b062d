"""The pages on settings name variables that are known, and every key of the plugin. Their tables are generated, their blocks run."""

import re
from pathlib import Path

from bedtape_cassettes.config.options import OTHER_VARIABLES, TABLES, variables

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (DOCS / "configuration.md").read_text()


def test_the_variables_that_are_shown_are_known() -> None:
    known = {variable for variable, _ in variables()} | set(OTHER_VARIABLES)
    removed = {"BEDTAPE_CASSETTE_JSON"}  # the page shows its warning
    assert set(re.findall(r"\bBEDTAPE_[A-Z_]*[A-Z]\b", PAGE)) <= known | removed
    assert set(re.findall(r"^\| `(BEDTAPE_\w+)` \|", PAGE, re.MULTILINE)) == set(OTHER_VARIABLES)


def test_every_setting_of_the_plugin_is_on_its_page_and_none_more() -> None:
    section = (DOCS / "pytest.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE)) == set(TABLES["pytest"])
