"""The YAML dialect: what is written is read back the same, by us and by PyYAML, and whatever
else is refused in words.
"""

import math
import re
import time
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bedtape_cassettes.errors import CassetteInvalid, Problem
from bedtape_cassettes.format import yaml_reader, yamlio
from bedtape_cassettes.model import JsonValue

EXAMPLE = """\
bedtape: 1
operation: ConverseStream
model: us.amazon.nova-2-lite-v1:0
request:
  method: POST
  path: /model/us.amazon.nova-2-lite-v1%3A0/converse-stream
  headers: {content-type: application/json}
  json:
    messages:
    - role: user
      content:
      - text: |
          What is 1234 * 5678?
          Answer with the number only.
response:
  status: 200
  headers: {content-type: application/vnd.amazon.eventstream}
  events:
  - {at_ms: 0, type: messageStart, json: {role: assistant}}
  - {at_ms: 74, type: contentBlockDelta, json: {contentBlockIndex: 0, delta: {text: '7006652'}}}
  - {at_ms: 80, type: messageStop, json: {stopReason: end_turn}}
"""

LIBYAML = yaml.__with_libyaml__


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Reads with each of PyYAML's two parsers."""
    if request.param == "libyaml" and not LIBYAML:
        pytest.skip("PyYAML is built without libyaml here")
    monkeypatch.setattr(yaml, "__with_libyaml__", request.param == "libyaml")
    return str(request.param)


def problems(data: bytes) -> tuple[Problem, ...]:
    with pytest.raises(CassetteInvalid) as refused:
        yamlio.load(data, "a.yaml")
    return refused.value.problems


def same(one: JsonValue, other: JsonValue) -> bool:
    """Equal in type, sign of zero and order of keys too."""
    return repr(one) == repr(other)


# --- the round trip
# --------------------------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [*"#:-?'\"\\\n\t\r {}[],|>%@`=~1\0\7\x7f\x85\xa0\u2028\u2029\u3000\ufeff\uffffé漢😀"]
) | (
    st.sampled_from(
        (
            "# ",
            ": ",
            "- ",
            " #",
            "? ",
            "\n\n",
            "\r\n",
            "&a",
            "*a",
            "!a",
            "---",
            "...",
            "<<",
            "a b",
            "1:20",
        )
    )
)
SPELLINGS = st.sampled_from(
    re.split(
        " ",
        "yes no on off y n Y N true False NULL null ~ = << .inf -.INF .nan NaN 0x1F 0o17 017 0b1"
        " 1_000 1:20 190:20:30 1e5 1.5e3 +1 -1 1. .5 - ? : 2024-01-01 2001-12-14t21:59:43.10-05:00"
        " 7006652 1.0e-05 --- ... 12:30 a:b a#b",
    )
)
TEXTS = st.one_of(
    SPELLINGS, st.text(st.characters(codec="utf-8")), st.lists(FRAGMENTS, max_size=8).map("".join)
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
KEYS = st.one_of(TEXTS, st.sampled_from(["k" * 1000, "k" * 1024, "a b" * 900, "é\n" * 600, "text"]))
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
quick = settings(
    derandomize=True, deadline=None, max_examples=250, suppress_health_check=list(HealthCheck)
)


@quick
@given(VALUES)
@example([-0.0, 0, 0.0, 1, 1.0, True, "1", 1e-05, 1e16, 1.5e300, 5e-324, 10**4299])
@example({"a": "b\n\n"})
@example({"a": [["\n a\n\n", " x\ny"], "\ttab first\nb", "blank \nat end", "\n"], "": {"": []}})
def test_what_is_written_is_read_back_by_us_and_by_pyyaml(value: JsonValue) -> None:
    data = yamlio.dump(value)
    assert same(yamlio.load(data, "f"), value)
    assert same(yaml.safe_load(data), value)
    assert data.endswith(b"\n")
    assert not data.endswith(b"\n\n")
    assert yamlio.dump(yamlio.load(data, "f")) == data


@quick
@given(VALUES)
def test_all_in_flow_reads_back_too(value: JsonValue) -> None:
    data = yamlio.dump(value, flow=lambda path, below: True)
    assert data.count(b"\n") == 1
    assert same(yamlio.load(data, "f"), value)
    assert same(yaml.safe_load(data), value)


@quick
@given(VALUES)
def test_no_line_ends_in_a_blank(value: JsonValue) -> None:
    # Editors strip those, and that would change the recording.
    assert all(line == line.rstrip() for line in yamlio.dump(value).decode().split("\n"))


@quick
@given(VALUES)
def test_both_parsers_and_windows_line_ends_read_the_same(value: JsonValue) -> None:
    data = yamlio.dump(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert same(yamlio.load(data, "f"), value)
    assert same(yamlio.load(data.replace(b"\n", b"\r\n"), "f"), value)


SOUP = st.lists(
    st.sampled_from([*"a[]{}:?'\"#|>\t %@\n"])
    | st.sampled_from(
        (
            "b: ",
            "- ",
            "? ",
            ", ",
            " #",
            "\n  ",
            "\r\n",
            "|-",
            "|2",
            "&x",
            "*x",
            "!t",
            "---",
            "null",
            "1e5",
        )
    )
    | st.sampled_from(("<<", "\\n", "\\ud800", "\\U0011ffff")),
    max_size=14,
).map(lambda parts: "".join(parts).encode())


@pytest.mark.slow
@settings(quick, max_examples=1500)
@given(SOUP)
@example(b"a:\tb")
@example(b"- |\n  \ta")
@example(b"|#")
@example(b"[a?b]")
@example(b"a#\tb")
def test_both_parsers_agree_on_any_text(data: bytes) -> None:
    def read() -> object:
        try:
            return repr(yamlio.load(data, "f"))
        except CassetteInvalid:
            return None

    first = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        assert read() == first
    if first is not None:
        assert yamlio.locate(data)[()] == 1


@quick
@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        yamlio.load(data, "f")
    except CassetteInvalid as refused:
        assert refused.problems  # noqa: PT017


# --- how it looks
# --------------------------------------------------------------------------------------------------


def test_the_example_is_written_byte_for_byte() -> None:
    assert yamlio.dump(yamlio.load(EXAMPLE.encode(), "f")).decode() == EXAMPLE


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"text": "hello"}, "- text: hello"),
        ({"text": "Hello, world: yes"}, "- text: 'Hello, world: yes'"),
        ({"input": {"city": "Paris", "days": 3}}, "- input: {city: Paris, days: 3}"),
        ({"required": ["city", "unit"]}, "- required: [city, unit]"),
        ({"a": {}, "b": []}, "- a: {}\n  b: []"),
        ([["a b", 1], []], "- - - a b\n    - 1\n  - []"),
        ({"text": "a\nb"}, "- text: |-\n    a\n    b"),
        ({"text": "a\n\nb\n\n", "id": 1}, "- text: |+\n    a\n\n    b\n\n  id: 1"),
        ({"text": "  a\nb\n"}, "- text: |2\n      a\n    b"),
        ({"text": "\na\n"}, "- text: |2\n\n    a"),
        ({"text": "a \nb\n"}, r'- text: "a \nb\n"'),
        ({"text": "a\r\nb\n"}, r'- text: "a\r\nb\n"'),
        ({"text": "a\tb"}, r'- text: "a\tb"'),
        ({"text": "def f():\n\treturn 1\n"}, "- text: |\n    def f():\n    \treturn 1"),
        ({"text": "\u2028\x85\ufeff😀"}, r'- text: "\u2028\x85\ufeff😀"'),
        ({"text": "long prose " * 50 + "end"}, "- text: " + "long prose " * 50 + "end"),
        ({"k" * 1001: [1, 2]}, "- ? " + "k" * 1001 + "\n  : [1, 2]"),
        (
            {"yes": "no", "1": "1", "null": "~", "<<": "="},
            "- {'yes': 'no', '1': '1', 'null': '~', '<<': '='}",
        ),
        (
            {"t": "2024-01-01", "h": "0x1F", "s": "1:20"},
            "- {t: '2024-01-01', h: '0x1F', s: '1:20'}",
        ),
        (1e-05, "- 1.0e-05"),
    ],
)
def test_each_value_has_the_spelling_that_reads_best(value: JsonValue, written: str) -> None:
    assert yamlio.dump([value, "last of all"]).decode() == f"{written}\n- last of all\n"


def test_blank_lines_at_the_end_of_the_file_are_escaped() -> None:
    # Editors and commit hooks cut them.
    assert yamlio.dump({"a": "b\n\n"}) == b'a: "b\\n\\n"\n'


@pytest.mark.parametrize(
    ("payload", "lines"),
    [
        ({"delta": {"text": " a b: c"}}, 1),
        ({"delta": {"text": "\n\n"}}, 1),
        ({"delta": {"text": "a\nb"}}, 1),
        ({"delta": {"text": "x" * 160}}, 5),
    ],
)
def test_an_event_is_a_line_unless_it_is_long(payload: JsonValue, lines: int) -> None:
    value: JsonValue = {
        "response": {"events": [{"at_ms": 1, "type": "contentBlockDelta", "json": payload}]}
    }
    assert yamlio.dump(value).decode().count("\n") == 2 + lines


def test_the_caller_chooses_what_is_on_one_line() -> None:
    seen = []

    def flow(path: tuple[str | int, ...], value: JsonValue) -> bool:
        seen.append(path)
        return path == ("a", 0)

    assert (
        yamlio.dump({"a": [{"text": "b\nc"}, {"d": 1}]}, flow=flow)
        == b'a:\n- {text: "b\\nc"}\n- d: 1\n'
    )
    assert seen == [(), ("a",), ("a", 0), ("a", 1)]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a\ud800", "surrogate pair, U\\+D800"),
        ({"\udfff": 1}, "surrogate pair, U\\+DFFF"),
        (math.nan, "the number nan"),
        ([-math.inf], "the number -inf"),
        ([10**4299 * 10], "4300 digits"),
    ],
)
def test_what_the_dialect_cannot_hold_is_not_written(value: JsonValue, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        yamlio.dump(value)


@pytest.mark.parametrize("flow", [None, lambda path, value: True])
def test_as_many_levels_are_written_as_are_read(flow: object) -> None:
    deepest: JsonValue = []
    for _ in range(yaml_reader.MAX_DEPTH - 1):
        deepest = [deepest]
    assert yamlio.load(yamlio.dump(deepest, flow=flow), "f") == deepest  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="200 levels"):
        yamlio.dump({"a": deepest}, flow=flow)  # type: ignore[arg-type]


# --- what is refused, and in which words
# ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[yes, no, on, ~, 0x1F, 1_000, 012, .5, 2024-01-01, NaN, True, +1, 1., 1e]", None),
        ("[null, true, false]", [None, True, False]),
        ("[0, -0, 12, -1.5, 1e3, 1E-2, 2e+1]", [0, 0, 12, -1.5, 1000.0, 0.01, 20.0]),
        ("['1', \"null\", a b]", ["1", "null", "a b"]),
        ("--- # a comment\na: |\n  1\n...\n", {"a": "1\n"}),
        ("yes: 1 # one\n? b\n: 2", {"yes": 1, "b": 2}),
        ("'<<': '*a'", {"<<": "*a"}),
        ("a: two\n  lines", {"a": "two lines"}),
        ("a: 'it''s'\t# a tab before a comment", None),
        ("a: 1 #\ttab in a comment", {"a": 1}),
        ("- 1e-400", [0.0]),
    ],
)
def test_plain_scalars_are_typed_by_json(parser: str, text: str, value: JsonValue) -> None:
    if value is None and text.startswith("["):
        value = [*text[1:-1].split(", ")]
    if value is None:
        assert [problem.found for problem in problems(text.encode())] == ["a tab"]
    else:
        assert same(yamlio.load(text.encode(), "f"), value)


NOTHING = ("a value", "nothing", "write null or ''")


@pytest.mark.parametrize(
    ("text", "line", "expected", "found", "fix"),
    [
        ("a: 1\nb:\nc: 1", 2, *NOTHING),
        ("- 1\n-\n", 2, *NOTHING),
        ("a: {b: 1, c}", 1, *NOTHING),
        ("---\n", 2, *NOTHING),
        ("", 1, "a value", "an empty file", "restore"),
        ("# only this\n", 1, "a value", "an empty file", "restore"),
        ("a: 1\n? \n: 1", 2, "a key", "nothing", "before the ':'"),
        ("a: 1\n'a': 2", 2, "each key once", "'a' again", "remove or rename"),
        ("a: 1\n12: 2", 2, "a text as key", "the bare 12", "quotes"),
        ("null: 2", 1, "a text as key", "the bare null", "quotes"),
        ("a: 1\n<<: {b: 1}", 2, "alike", "the merge key <<", "quotes"),
        ("? [a]\n: 1", 1, "a text as key", "a list, mapping or alias", "quotes"),
        ("a: &x 1", 1, "without an anchor", "the anchor &x", "quotes"),
        ("a: *x", 1, "a value", "the alias *x", "quotes"),
        (
            "a: !!python/name:os.system x",
            1,
            "without a tag",
            "the tag tag:yaml.org,2002:python/name",
            "quotes",
        ),
        ("a: !t!u x", 1, "without a tag", "begins with !", "quotes"),
        ("%YAML 1.1\n---\na: 1", 1, "without directives", "begins with %", "remove"),
        ("a: 1\n---\nb: 1", 2, "one document", "more after its end", "file of its own"),
        ("{a: 1}\nb", 2, "one document", "more after its end", "remove"),
        ("a: 1\n\tb: 2", 2, "spaces", "a tab", "indent with spaces"),
        ("a:\n\t- 1", 2, "spaces", "a tab", "indent with spaces"),
        ("a: 1\nb:\t2", 2, "spaces", "a tab", "double quotes"),
        ("a: b\tc", 1, "spaces", "a tab", "double quotes"),
        ("a: |\n  \tb", 2, "spaces", "a tab", "indent with spaces"),
        ("a: 1\nb: c: d", 2, "one 'key: value' a line", "another ': '", "quote a value"),
        ("a: 1\n  b: 2", 2, "one 'key: value' a line", "another ': '", "indentation"),
        ("a: 1\nb\nc: 2", 2, "'key: value'", "a line without ': '", "indent"),
        ("a: - b", 1, "begins its line", "after text", "new line"),
        ("a: @b", 1, "a value", "a character", "quotes"),
        ("a: & b", 1, "a value", "& or *", "quotes"),
        ("a: 1\nb: 'c\nd: 1\n", 2, "a closing quote", "none", "opened here"),
        ('a: "\\ud83d"', 1, "an escape", "backslash", "emoji as itself"),
        ('a: "\\U00110000"', 1, "an escape", "backslash", "emoji as itself"),
        ('a: "C:\\Users"', 1, "an escape", "backslash", '"\\\\"'),
        ("a: | text", 1, "a line break", "something else", "next line"),
        ("a: |#\n  b", 1, "", "", ""),
        ("a: [1, 2\nb: 3", 2, "closing bracket", "on line 1", "close the bracket"),
        ("a: {b: c?}", 1, "", "", "quote"),
        (
            "a:\n    b: 1\n  c: 2",
            3,
            "a key with the indentation of the keys above",
            "on line 1",
            "same indentation",
        ),
        (
            "a: 'b' c",
            1,
            "a key with the indentation of the keys above",
            "something else",
            "closing quote",
        ),
        (
            "a:\n  - 1\n  b: 2",
            3,
            "'- ' with the indentation of the items above",
            "on line 2",
            "same indentation",
        ),
        ("a: 1\nb: 1e999", 2, "a double can hold", "1e999", "smaller"),
        ("a: " + "1" * 4301, 1, "4300 digits", "4301 characters", "quotes"),
        ("a: -0." + "1" * 5000, 1, "4300 digits", "characters", "quotes"),
        ("\ufeffa: 1", 1, "without a byte order mark", "UTF-8", "without BOM"),
        ("a: 1\nb: \x07", 2, "printable", "U+0007", "\\u0007"),
        ("a: 1\nb: c\u2028", 2, "printable", "U+2028", "\\u2028"),
        ("a: 1\nb: c\rd: 1", 2, "printable", "U+000D", "\\u000d"),
        ("a: 1\n\0", 0, "a YAML text file", "binary data", "restore"),
        ("[" * 201 + "]" * 201, 1, "at most 200 levels", "deeper", "text"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_remedy(
    parser: str, text: str, line: int, expected: str, found: str, fix: str
) -> None:
    (problem,) = problems(text.encode())
    assert (problem.file, problem.line) == ("a.yaml", line)
    assert expected in problem.expected
    assert found in problem.found
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("data", "line", "expected", "found"),
    [
        (b"a: 1\nb: \xff\n", 2, "UTF-8", "the byte 0xff at offset 8"),
        (
            "a: 1".encode("utf-16"),
            1,
            "UTF-8 without a byte order mark",
            "a byte order mark (UTF-16)",
        ),
        (b" " * (yamlio.MAX_BYTES + 1), 0, "at most 67108864 bytes", "67108865"),
    ],
)
def test_bytes_that_are_no_text_are_refused(
    data: bytes, line: int, expected: str, found: str
) -> None:
    (problem,) = problems(data)
    assert (problem.line, problem.expected, problem.found) == (line, expected, found)


def test_all_problems_are_told_at_once(parser: str) -> None:
    text = "a: !t 1\nb: &x 1\nc: *x\na: 2\n1: 2\nd:\n<<: 1\ne: {f: , g: [1e999]}\nh: 'open\n"
    assert [problem.line for problem in problems(text.encode())] == [1, 2, 3, 4, 5, 6, 7, 8, 8, 9]


def test_no_more_problems_are_told_than_anybody_fixes() -> None:
    assert len(problems(b"a: 1\n" * 1000)) == 100


def test_a_lower_limit_of_digits_in_the_process_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(text: str) -> int:
        raise ValueError(text)

    monkeypatch.setattr(yaml_reader, "int", refuse, raising=False)
    (problem,) = problems(b"a: 123")
    assert problem.expected == "a shorter number"


# --- hostile input
# --------------------------------------------------------------------------------------------------

HOSTILE = {
    "brackets": b"[" * 1_000_000,
    "braces": b"{a: " * 500_000,
    "dashes": b"- " * 500_000,
    "question marks": b"[? " * 500_000,
    "lines of brackets": b"[\n" * 500_000,
    "stairs": b"".join(b" " * level + b"a:\n" for level in range(1500)),
    "billion laughs": b"a: &a [x, x]\n" + b"b: &b [*a, *a, *a, *a]\n" * 20_000,
    "a huge key": b"k" * 1_000_000 + b": 1",
    "a huge number": b"1" * 1_000_000,
    "the same key": b"k: 1\n" * 300_000,
    "blank lines": b"\n" * 2_000_000,
    "unclosed": b"'" + b"a\n" * 500_000,
    "a huge tag": b"!" + b"a" * 1_000_000,
    "directives": b"%a\n" * 500_000,
    "documents": b"---\n" * 500_000,
    "line ends": b"\r" * 500_000,
}


@pytest.mark.skipif(not LIBYAML, reason="PyYAML is built without libyaml here")
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_at_once(data: bytes) -> None:
    """A quadratic reader takes minutes of processor time, of which other processes take none."""
    began = time.process_time()
    assert all(len(str(problem)) < 400 for problem in problems(data))
    assert time.process_time() - began < 30


def test_large_honest_files_are_read() -> None:
    keys: JsonValue = {f"key{number}": number for number in range(20_000)}
    assert yamlio.load(yamlio.dump(keys), "f") == keys
    for text in ("x" * 10_000_000, "a line of text\n" * 500_000):
        assert yamlio.load(yamlio.dump({"a": text}), "f") == {"a": text}
    assert yamlio.load(yamlio.dump({"k" * 1_000_000: 1}), "f") == {"k" * 1_000_000: 1}


# --- lines
# --------------------------------------------------------------------------------------------------


def test_locate_tells_the_line_of_each_key_and_item(parser: str) -> None:
    lines = yamlio.locate(EXAMPLE.encode())
    assert lines[()] == 1
    assert lines["request",] == 4
    assert lines["request", "headers", "content-type"] == 7
    assert lines["request", "json", "messages", 0] == 10
    assert lines["request", "json", "messages", 0, "content", 0, "text"] == 12
    assert lines["response",] == 15
    assert lines["response", "events", 2] == 21
    assert lines["response", "events", 1, "json", "delta", "text"] == 20


def paths(value: JsonValue, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    below = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in below:
        yield from paths(inner, (*path, step))


@quick
@given(VALUES)
def test_locate_knows_every_path(value: JsonValue) -> None:
    lines = yamlio.locate(yamlio.dump(value))
    assert list(lines) == list(paths(value))
    assert list(lines.values()) == sorted(lines.values())


def test_an_embedding_is_wrapped_not_a_number_a_line() -> None:
    numbers: JsonValue = [number / 977 for number in range(300)]
    for value in ({"json": {"embedding": numbers}}, {"json": [numbers, numbers]}):
        lines = yamlio.dump(value).decode().splitlines()
        assert len(lines) < 200
        assert max(map(len, lines)) <= 120
        assert yamlio.load(yamlio.dump(value), "f") == value
        assert yaml.safe_load(yamlio.dump(value)) == value
