"""The pages on settings name variables that are known, and every key of the plugin.

Their tables are generated, their blocks run.
"""

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


def test_the_page_on_security_lists_every_key() -> None:
    page = (
        (DOCS.parent / "explanation" / "security.md")
        .read_text()
        .partition("| key in a settings file |")[2]
    )
    cells = re.findall(r"^\| (`[^|]*) \|", page.partition("\n\n")[0], re.MULTILINE)
    listed = {key for cell in cells for key in re.findall(r"`([a-z-]+)`", cell)}
    # `in` is an option that uses a key at the top, and `[pytest]` sets what else the plugin does
    assert listed - {"in"} == {key for options in TABLES.values() for key in options}
