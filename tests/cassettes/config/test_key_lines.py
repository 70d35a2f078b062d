"""Where a key stands: in plain files exactly, in odd ones as near as can be told."""

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.config import key_lines
from bedtape_cassettes.config.key_lines import KeyLines

TEXT = """
cassettes = "tapes"
[tool.black]
port = 1

[ tool . "bedtape" . replay ]  # ours
port = 2
cassette.ls.json = true
overlay = { file = "x", deep = 1 }
[tool.bedtape.run]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("cassettes",), 2),
        (("tool", "bedtape", "replay"), 6),
        (("tool", "bedtape", "replay", "port"), 7),
        (("tool", "bedtape", "replay", "cassette", "ls", "json"), 8),
        (("tool", "bedtape", "replay", "overlay", "deep"), 9),
        (("tool", "bedtape", "run"), 10),
        (("tool", "bedtape"), 6),
        (("tool", "bedtape", "replay", "cassette", "ls"), 8),
        (("tool", "bedtape", "record", "to"), 0),
        (("elsewhere",), 0),
    ],
)
def test_keys_and_tables(path: tuple[str, ...], line: int) -> None:
    assert tomllib.loads(TEXT)
    assert KeyLines(TEXT).line_of(path) == line


_NAMES = st.text("abc-_1", min_size=1, max_size=3)
_TABLES = st.dictionaries(_NAMES, st.dictionaries(_NAMES, st.integers(), max_size=3), max_size=4)


def _written(tables: dict[str, dict[str, int]]) -> Iterator[tuple[tuple[str, ...], str]]:
    for table, keys in tables.items():
        yield (table,), f"[{table}]"
        for key, value in keys.items():
            yield (table, key), f"{key} = {value}"


@given(_TABLES, st.booleans())
def test_every_key_of_a_file_is_found_on_its_line(
    tables: dict[str, dict[str, int]], spaced: bool
) -> None:
    rows = list(_written(tables))
    text = ("\n\n" if spaced else "\n").join(line for _, line in rows)
    assert tomllib.loads(text) == tables
    lines = KeyLines(text)
    for number, (path, _) in enumerate(rows):
        assert lines.line_of(path) == 1 + number * (2 if spaced else 1)


def test_a_text_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    written = key_lines._read_keys
    monkeypatch.setattr(key_lines, "_read_keys", lambda text: gone.append(text) or written(text))
    lines = KeyLines(TEXT)
    assert not gone
    assert [lines.line_of((key,)) for key in ("cassettes", "elsewhere", "tool")] == [2, 0, 3]
    assert gone == [TEXT]
