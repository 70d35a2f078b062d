"""Values held against schemas: what is accepted is what the jsonschema library accepts;
what is said can be fixed.
"""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.format.json_schema import Schema, problems
from bedtape_cassettes.model import JsonValue

PET: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[a-z]+$"},
        "age": {"type": "integer", "minimum": 0, "maximum": 30},
        "weight": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "kind": {"enum": ["cat", "dog", 1]},
        "toys": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "owner": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/person"}]},
        "notes": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
        "chip": {"type": "boolean"},
        "scars": {"propertyNames": {"pattern": "^[a-z]+$", "$comment": "use small letters"}},
        "tag": {"enum": [False, "x"], "$comment": "leave it out"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {
        "person": {
            "type": "object",
            "properties": {"mail": {"type": "string"}},
            "required": ["mail"],
        }
    },
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "tom"}, []),
        ([], ["the document: expected an object, found []"]),
        ({}, ["the document: expected the key 'name', found none; add name"]),
        ({"name": "tom", "nmae": 1}, ["nmae: expected no key 'nmae', found 1; did you mean name?"]),
        ({"name": "tom", "age": True}, ["age: expected a whole number, found true"]),
        ({"name": "tom", "age": -1}, ["age: expected a number from 0, found -1"]),
        ({"name": "tom", "age": 31}, ["age: expected a number up to 30, found 31"]),
        ({"name": "tom", "weight": 0}, ["weight: expected a number above 0, found 0"]),
        (
            {"name": "tom", "kind": "cot"},
            ['kind: expected one of cat, dog, 1, found "cot"; did you mean cat?'],
        ),
        ({"name": "tom", "toys": []}, ["toys: expected at least 1 item, found 0"]),
        ({"name": "tom", "toys": ["a", 2]}, ["toys[1]: expected a string, found 2"]),
        ({"name": "tom", "owner": 3}, ["owner: expected a string or an object, found 3"]),
        ({"name": "tom", "owner": {}}, ["owner: expected the key 'mail', found none; add mail"]),
        (
            {"name": "tom", "scars": {"B": 1}},
            ['scars: expected text of the form ^[a-z]+$, found "B"; use small letters'],
        ),
        ({"name": "tom", "tag": True}, ["tag: expected one of false, x, found true; leave it out"]),
        ({"name": "tom", "notes": {"a": 1}}, ["notes.a: expected a string, found 1"]),
        (
            {"name": ""},
            [
                'name: expected at least 1 character, found ""',
                'name: expected text of the form ^[a-z]+$, found ""',
            ],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_fix(value: JsonValue, said: list[str]) -> None:
    assert [str(wrong) for wrong in problems(value, PET)] == said


def test_all_that_is_wrong_is_said_at_once() -> None:
    value: JsonValue = {"age": "x", "kind": "bird", "toys": [1, 2], "chp": True}
    assert len(problems(value, PET)) == 6


def test_exactly_one_of_some_keys() -> None:
    schema: Schema = {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert problems({"a": 1}, schema) == []
    assert (
        str(problems({"a": 1, "b": 2}, schema)[0])
        == "the document: expected exactly one of a, b, found a, b"
    )
    assert (
        str(problems({}, schema)[0])
        == "the document: expected exactly one of a, b, found none of them"
    )


@pytest.mark.parametrize(("kind", "bad"), [("regex", "(a"), ("base64", "a")])
def test_formats_are_checked(kind: str, bad: str) -> None:
    schema: Schema = {"type": "string", "format": kind}
    assert problems("abcd", schema) == []
    assert len(problems(bad, schema)) == 1


def test_a_schema_that_promises_what_is_not_checked_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="contains"):
        problems([], {"type": "array", "contains": True})


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.floats(-2, 40),
    st.sampled_from(["", "cat", "a", "A1"]),
)
_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*PET["properties"], "mail", "other"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(
    _VALUES
    | st.fixed_dictionaries(
        {"name": st.just("tom")}, optional={k: _VALUES for k in PET["properties"] if k != "name"}
    )
)
def test_it_accepts_what_the_library_accepts(value: JsonValue) -> None:
    """The oracle; where it says no, we say why."""
    accepted = jsonschema.Draft202012Validator(PET).is_valid(value)
    assert accepted == (problems(value, PET) == []), json.dumps(value)
