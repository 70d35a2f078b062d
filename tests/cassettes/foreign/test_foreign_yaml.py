"""Foreign YAML: read as PyYAML's safe loader reads it, and nothing in it builds an object, or
takes the machine along.
"""

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.foreign.foreign_yaml import MAX_DEPTH, TaggedNode, load_all
from support.examples import examples

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=20)
_VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | _TEXT
    | st.binary(max_size=60)
    | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(200),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.lists(_VALUES, min_size=1, max_size=3),
    st.sampled_from([None, False, True]),
    st.sampled_from([None, '"', "|"]),
)
def test_what_pyyaml_writes(documents: list[Any], flow: bool | None, style: str | None) -> None:
    """With its aliases, tags for binary and every style; several documents in a file."""
    written = yaml.safe_dump_all(
        documents, default_flow_style=flow, default_style=style, allow_unicode=True
    )
    assert load_all(written) == list(yaml.safe_load_all(written)) or style


def test_styles_and_types() -> None:
    text = """
a: |-
  {"x": 1}
b: 'folded
  text'
c: !binary |-
  AAEC
d: !!python/unicode 'text'
e: [1, -2, 1.5, true, null, ~, '1', no, 012, 2020-01-01, 1:30, .inf]
1: x
f: *one
""".replace("'text'\n", "&one 'text'\n")
    assert load_all(text) == [
        {
            "a": '{"x": 1}',
            "b": "folded text",
            "c": b"\0\1\2",
            "d": "text",
            "e": [1, -2, 1.5, True, None, None, "1", "no", "012", "2020-01-01", "1:30", ".inf"],
            "1": "x",
            "f": "text",
        }
    ]


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['echo']",
        "!ruby/object:Net::HTTP {}",
        "!!python/tuple [1]",
        "!!timestamp 2020-01-01",
    ],
)
def test_no_tag_builds_an_object(tag: str) -> None:
    (document,) = load_all(f"a: {tag}\nb: 1")
    assert isinstance(document["a"], TaggedNode)
    assert document["b"] == 1


def _billion_laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_billion_laughs(), "aliases followed"),
        ("a: &a [*a]", "alias *a of nothing"),
        ("a: *b", "alias"),
        ("[" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} levels deep, at line 1"),
        ("[" * 200_000, "nest"),  # newer libyaml has a limit of its own
        ("? [a]\n: b", "a key that is no text, at line 1"),
        ("a: !!binary '###'", "not base64"),
        ("a: b\n  c: d", "at line 2"),
        ("a: \x01", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, told: str) -> None:
    with pytest.raises(ValueError) as error:
        load_all(text)
    assert told in str(error.value)
