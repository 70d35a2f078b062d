"""The reference pages of overlays, Python and errors name everything there is."""

import ast
import builtins
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from bedtape_cassettes.families.family import Family
from bedtape_cassettes.families.models.converse import CONVERSE
from bedtape_cassettes.families.table import FAMILIES
from bedtape_cassettes.redaction.kinds import SECRETS
from bedtape_replayer.engine import engine
from bedtape_replayer.engine.session import Session
from bedtape_replayer.history.calls import CONDITIONS
from bedtape_replayer.history.record import Record
from bedtape_replayer.history.retries.finding import Mistake
from bedtape_replayer.overlay.faults.kinds import BESIDE_ERROR, KINDS
from bedtape_replayer.overlay.schema import ANSWER, FAULT, OVERLAY, RULE, SCHEDULE, WHEN
from bedtape_replayer.server.shared.state import UNAVAILABLE
from bedtape_replayer.server.thread import Replayer

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def section(name: str, title: str) -> str:
    """A page's section, those under it included."""
    parts = re.split(r"^## ", page(name), flags=re.MULTILINE)
    (text_of_section,) = [part for part in parts if part.startswith(f"{title}\n")]
    return text_of_section


def rows(text: str) -> set[str]:
    """The first cell of every row of the tables, where it is code."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


# -- overlays --------------------------------------------------------------------------------------


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
        {"Message": "messages", "Ranking": "rankings"}.get(a.__name__, a.__name__.lower())
        for a in family.answers
    )
    known = "any, through Converse" if family is CONVERSE else "models whose rules name this family"
    return f"| `{family.name}` | {models or known} | {said} | {'yes' if family.stream else 'no'} |"


def test_every_family_is_in_the_table() -> None:
    lines = page("overlay").splitlines()
    start = lines.index("| family | models | answers with | streams |") + 2
    assert lines[start : start + len(FAMILIES)] == [family_row(family) for family in FAMILIES]
    assert lines[start + len(FAMILIES)] == ""


# -- Python ----------------------------------------------------------------------------------------


_INTERNAL = ("engine", "run", "run_coroutine", "watch", "as_json")


@pytest.mark.parametrize("kind", [Session, Replayer, Record])
def test_every_public_name_is_on_the_page(kind: type) -> None:
    text = page("python")
    names = [name for name in vars(kind) if not name.startswith("_") and name not in _INTERNAL]
    assert not [name for name in names if not re.search(rf"`{name}\b", text)]


def test_every_argument_and_condition_is_on_the_page() -> None:
    text = page("python")
    arguments = Replayer.__init__.__annotations__.keys() - {"return"}
    assert not [
        name for name in (*arguments, *(set(CONDITIONS) - set(WHEN))) if f"`{name}`" not in text
    ]


def test_readme_lists_every_kind_of_secret() -> None:
    text = " ".join((DOCS.parents[1] / "README.md").read_text().split())
    listed = text.partition("text that has the form of: ")[2].partition(". ")[0]
    assert listed.split(", ") == [re.sub("^an? ", "", kind.title) for kind in SECRETS]


# -- errors ----------------------------------------------------------------------------------------

# What modules say to each other, and no user meets by name.
_WITHIN = {
    "RenderError": "becomes an OverlayException",
    "CannotBegin": "becomes a test's failure",
    "ConnectionFault": "becomes a GOAWAY",
    "ExpressionInvalid": "becomes a problem of an overlay",
    "MissingExtra": "is told by the command",
    "EditConflict": "becomes an answer of the control API",
    "RouteError": "becomes an answer of the control API",
    "ForeignInvalid": "is told by the import",
    "FrameError": "becomes a problem of a cassette",
    "GateError": "is told by the command",
    "HeaderListTooLarge": "becomes a status 431",
    "Http2Fault": "becomes a GOAWAY or RST_STREAM",
    "NoSuch": "becomes an answer of the control API",
    "InitError": "is told by the command",
    "MarkInvalid": "becomes a test's failure",
    "Mismatch": "becomes an OverlayException",
    "NoValue": "becomes an OverlayException",
    "OutOfTurn": "becomes an exception in the stream",
    "RecorderError": "is told by the command",
    "RecordingError": "becomes a test's failure",
    "LayerError": "becomes an OverlayException",
    "RequestError": "becomes an HTTP status",
    "SlowPattern": "becomes an OverlayException, or is told by the command",
    "StateUnavailable": "becomes the error of that name on the wire, or a CassetteError",
    "StreamFault": "becomes a RST_STREAM",
    "Unfit": "becomes a ConfigInvalid",
    "Unusable": "is told by the import",
    "ValueDamaged": "becomes the error StateUnavailable on the wire",
}


def _exceptions() -> set[str]:
    """The exceptions of the packages, by the names of their bases, for nothing is imported."""
    bases: dict[str, set[str]] = {}
    for folder in ("cassettes", "recorder", "replayer"):
        for path in (DOCS.parents[1] / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {
                        base.id for base in node.bases if isinstance(base, ast.Name)
                    }
    names: set[str] = set()
    while more := {name for name, of in bases.items() if _raises(of, names)} - names:
        names |= more
    return {name for name in names if not name.startswith("_")}


def _raises(bases: set[str], known: set[str]) -> bool:
    built_in = {name for name in bases if isinstance(getattr(builtins, name, None), type)}
    return bool(bases & known) or any(
        issubclass(getattr(builtins, name), BaseException) for name in built_in
    )


def test_every_exception_is_on_the_page_or_becomes_another_message() -> None:
    told = set(re.findall(r"^\| `(\w+)`", section("errors", "In Python and pytest"), re.MULTILINE))
    assert _exceptions() == told | _WITHIN.keys()
    assert not told & _WITHIN.keys()


def test_every_error_of_the_wire_and_every_finding_is_on_the_page() -> None:
    wire = section("errors", "On the wire")
    own = {
        engine.MISS,
        engine.OVERLAY,
        UNAVAILABLE,
        "InternalServerException",
        "RecorderException",
        "ValidationException",
    } | {"RequestRefusedException"}
    assert set(re.findall(r"^\| `(\w+)`", wire, re.MULTILINE)) == own
    assert rows(section("errors", "Findings of a verdict")) == set(get_args(Mistake))


def test_messages_on_the_page_are_said_by_the_code() -> None:
    """What stands around the `…` of each message is in the source, in that order."""
    sources = "\n".join(
        re.sub(r"\s+", " ", path.read_text())
        for folder in ("cassettes", "recorder", "replayer")
        for path in (DOCS.parents[1] / folder).rglob("*.py")
    )
    shown = re.findall(r"^\| `([^`]*)` \|", section("errors", "On the command line"), re.MULTILINE)
    assert len(shown) > 5
    for message in shown:
        for part in message.replace("FILE:LINE", "…").split("…"):
            assert part.strip(": ,") in sources, message
