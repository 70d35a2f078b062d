"""The reference pages of overlays, the control API and Python name everything there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bedtape_cassettes.families.converse import CONVERSE
from bedtape_cassettes.families.family import Family
from bedtape_cassettes.families.table import FAMILIES
from bedtape_replayer.calls import CONDITIONS
from bedtape_replayer.control.api import ROUTES
from bedtape_replayer.control.routes import Route
from bedtape_replayer.control.schemas import NAMED
from bedtape_replayer.handle import Session
from bedtape_replayer.layers.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.schema import ANSWER, FAULT, OVERLAY, RULE, SCHEDULE, WHEN
from bedtape_replayer.record import Record
from bedtape_replayer.thread import Replayer

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def section(name: str, title: str) -> str:
    """A page's section, those under it included."""
    parts = re.split(r"^## ", page(name), flags=re.MULTILINE)
    (found,) = [part for part in parts if part.startswith(f"{title}\n")]
    return found


def rows(text: str) -> set[str]:
    """The first cell of every row of the tables, where it is code."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


# -- overlays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("Which calls: when", WHEN),
        ("How often: the schedule", SCHEDULE),
        ("Rules", RULE["properties"].keys() - SCHEDULE.keys()),
        ("Answers", {*ANSWER, *(family.name for family in FAMILIES)}),
        ("Faults", KINDS),
    ],
)
def test_every_key_is_in_its_section_and_none_more(title: str, keys: Any) -> None:
    assert rows(section("overlay", title)) == set(keys)


def test_every_key_of_the_document_is_told() -> None:
    text = page("overlay")
    assert OVERLAY["properties"].keys() <= rows(text.split("## Who answers")[0])
    for key in (*FAULT["properties"], *BESIDE_ERROR):
        assert f"`{key}`" in text, key


def _inner(schema: Any) -> set[str]:
    """Every key that a schema's own objects have, however deep."""
    if isinstance(schema, list):
        return set().union(*map(_inner, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", ())) | set().union(*map(_inner, schema.values()))


@pytest.mark.parametrize(
    ("title", "schema"), [("Answers", ANSWER), ("Faults", {n: k.schema for n, k in KINDS.items()})]
)
def test_every_key_inside_a_value_is_told(title: str, schema: Any) -> None:
    text = section("overlay", title)
    assert not {key for key in _inner(schema) if not re.search(rf"`{key}\b", text)}


def family_row(family: Family) -> str:
    """The family as the page's table has it."""
    models = ", ".join(f"`{glob}`" for glob in family.models)
    said = ", ".join(
        {"Message": "messages", "Ranking": "rankings"}.get(a.__name__, a.__name__.lower()) for a in family.answers
    )
    known = "any, through Converse" if family is CONVERSE else "those whose rules name it"
    return f"| `{family.name}` | {models or known} | {said} | {'yes' if family.stream else 'no'} |"


def test_every_family_is_in_the_table() -> None:
    lines = page("overlay").splitlines()
    start = lines.index("| family | models | answers with | streams |") + 2
    assert lines[start : start + len(FAMILIES)] == [family_row(family) for family in FAMILIES]
    assert lines[start + len(FAMILIES)] == ""


# -- the control API -------------------------------------------------------------------------------------------


def _named(schema: Any) -> str:
    """A schema as the page's table has it."""
    if schema is None:
        return ""
    if schema.get("type") == "array":
        return f"list of {_named(schema['items'])}"
    return next((name for name, named in NAMED.items() if named == schema), schema["type"])


def route_row(route: Route) -> str:
    """The route as the page's table has it."""
    told = route.summary.rstrip(".")
    return f"| `{route.method} {route.path}` | {told} | {_named(route.takes)} | {_named(route.gives)} |"


def test_every_route_is_in_the_table() -> None:
    lines = section("control", "Routes").splitlines()
    assert [line for line in lines if line.startswith("| `")] == [route_row(route) for route in ROUTES]


# -- Python ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Session, Replayer, Record])
def test_every_public_name_is_on_the_page(kind: type) -> None:
    text = page("python")
    names = [name for name in vars(kind) if not name.startswith("_") and name not in ("engine", "run", "as_json")]
    assert not [name for name in names if not re.search(rf"`{name}\b", text)]


def test_every_argument_and_condition_is_on_the_page() -> None:
    text = page("python")
    arguments = Replayer.__init__.__annotations__.keys() - {"return"}
    assert not [name for name in (*arguments, *(set(CONDITIONS) - set(WHEN))) if f"`{name}`" not in text]
