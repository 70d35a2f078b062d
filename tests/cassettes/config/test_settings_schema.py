"""The JSON Schema of settings accepts what the reader of settings accepts, for each option."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bedtape_cassettes.config.options import TABLES, TOP, Name
from bedtape_cassettes.config.reading import Source, read_document
from bedtape_cassettes.config.settings_schema import build_settings_schema
from bedtape_cassettes.format.cassette_schema import CASSETTE
from bedtape_replayer.overlay.schema import OVERLAY

ROOT = Path(__file__).parents[3]
SCHEMA = build_settings_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SOURCE = Source("bedtape.toml", "", lambda _: 0, lambda path: path)
NAMES = [(table, key) for table, options in TABLES.items() for key in options]
# At least one is right and one is wrong for each kind of value.
VALUES: list[Any] = [
    True,
    0,
    1,
    17,
    70_000,
    10**10,
    -1,
    0.5,
    2.5,
    "",
    "x",
    "once",
    "strict",
    "text",
    "always",
]
VALUES += ["set", "list", "equal", "info", "reverse", None, [], {}]
# Unlike TOML's reader, JSON Schema takes 17.0 for an integer; the list has no such number.


@pytest.mark.parametrize("name", NAMES, ids="-".join)
def test_each_option_accepts_what_its_reader_accepts(name: Name) -> None:
    table, key = name
    outcomes = set()
    for value in [*VALUES, *([value] for value in VALUES)]:
        inner = {key: value}
        document = inner if table == TOP else {table: inner}
        _, problems = read_document(document, SOURCE)
        assert VALIDATOR.is_valid(document) is (not problems), (document, problems)
        outcomes.add(not problems)
    option = TABLES[table][key]
    assert outcomes == ({False} if option.secret or option.personal else {True, False})


@pytest.mark.parametrize(
    "document", [{"no-such": 1}, {"replay": {"no-such": 1}}, {"replay": 1}, {"cassette": {}}]
)
def test_unknown_keys_and_tables_are_wrong(document: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(document)
    assert read_document(document, SOURCE)[1]


def test_the_catalog_names_each_schema_and_the_files_that_it_fits() -> None:
    """In the form of SchemaStore's catalog."""
    catalog = json.loads((ROOT / ".ci" / "schemastore" / "catalog.json").read_text())["schemas"]
    schemas: dict[str, dict[str, Any]] = {
        schema["$id"]: schema for schema in (SCHEMA, OVERLAY, CASSETTE)
    }
    assert [entry["url"] for entry in catalog] == list(schemas)
    for entry in catalog:
        assert entry.keys() == {"name", "description", "fileMatch", "url"}
        assert entry["name"] == schemas[entry["url"]]["title"]
        jsonschema.Draft202012Validator.check_schema(schemas[entry["url"]])


def test_each_schema_has_a_command() -> None:
    code = "from bedtape_cassettes.cli.main import main; main()"
    for command, schema in (("config", SCHEMA), ("overlay", OVERLAY), ("cassette", CASSETTE)):
        words = [sys.executable, "-c", code, command, "schema"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == json.loads(json.dumps(schema))
