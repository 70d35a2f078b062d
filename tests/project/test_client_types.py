"""The types of the clients in Go and Java are those that `python clients/generate` makes of
the control API's schemas.
"""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bedtape_replayer.api.schemas import NAMED

CLIENTS = Path(__file__).parents[2] / "clients"


@pytest.fixture(scope="module")
def generator() -> Iterator[Any]:
    """The generator's modules `structs` and `go`, which stand beside each other in no package."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(CLIENTS / "generate"))
    before = set(sys.modules)
    yield import_module
    patch.undo()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(CLIENTS)):
            del sys.modules[name]


def test_the_files_are_up_to_date(generator: Any) -> None:
    for name, text in generator("files").render_files().items():
        assert (CLIENTS / name).read_text() == text, f"clients/{name}: run `make fix`"


def test_every_member_of_a_request_is_a_field(generator: Any) -> None:
    structs = {struct.name: struct for struct in generator("structs").list_structs()}
    for name in (
        "When",
        "Answer",
        "Rule",
        "Fault",
        "Overlay",
        "Counted",
        "Conditions",
        "Settings",
        "Call",
    ):
        assert {field.key for field in structs[name].fields} == set(NAMED[name]["properties"])


def test_the_pointers_of_go_are_members(generator: Any) -> None:
    structs = generator("structs").list_structs()
    keys = {
        name
        for struct in structs
        for field in struct.fields
        for name in (field.key, f"{struct.name}.{field.key}")
    }
    assert keys >= generator("go").POINTERS


def test_a_member_whose_zero_value_has_a_meaning_can_be_sent(generator: Any) -> None:
    """A count with a minimum of 0 is a pointer in Go, unless 0 is also the
    meaning of its absence.
    """
    go = generator("go")
    absent = {
        "after",
        "at_least",
        "between_ms",
        "first_byte_ms",
        "jitter_ms",
        "probability",
        "seed",
        "times",
    }
    text = (CLIENTS / "go/bedtapetest/types.go").read_text()
    for struct in generator("structs").list_structs():
        schema = NAMED.get(struct.name, {"properties": {}})["properties"]
        for field in struct.fields:
            if (
                struct.sent
                and not field.required
                and schema.get(field.key, {}).get("minimum", 1) == 0
            ):
                pointer = re.search(rf"{go.name_of(field.key)} +\*int ", text) is not None
                assert pointer != (field.key in absent), f"{struct.name}.{field.key}"
