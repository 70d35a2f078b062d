"""The JSON Schema of cassettes accepts what bedtape writes.

`test_document.py` has what it refuses.
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from bedtape_cassettes.format import document, yamlio
from bedtape_cassettes.format.cassette_schema import CASSETTE
from bedtape_cassettes.model import Interaction, JsonValue
from bedtape_cassettes.storage import store
from support import interactions as some
from support.commands import run
from support.corpus import cassettes, exchanges, needs_corpus, parts
from support.examples import examples

SCHEMA = Draft202012Validator(CASSETTE)


def test_the_schema_is_a_schema_and_is_printed() -> None:
    Draft202012Validator.check_schema(CASSETTE)
    assert json.loads(run("schema")) == CASSETTE


def load(data: bytes) -> JsonValue:
    return yamlio.load(data, "x.yaml")


def assert_valid(interaction: Interaction) -> None:
    data, _ = document.write_with_files(interaction)
    assert [error.message for error in SCHEMA.iter_errors(load(data))] == []


def test_every_sample_is_valid() -> None:
    files = list(store.samples().rglob("*.yaml"))
    assert files
    for path in files:
        assert SCHEMA.is_valid(load(path.read_bytes())), path


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("source", parts())
@pytest.mark.parametrize("exact", [False, True])
def test_the_corpus_as_written_is_valid(source: str, exact: bool) -> None:
    for cassette in cassettes(exchanges(source), exact=exact):
        for interaction in cassette.interactions:
            assert_valid(interaction)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(some.interactions)
def test_any_interaction_as_written_is_valid(interaction: Interaction) -> None:
    assert_valid(interaction)
