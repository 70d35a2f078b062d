"""Numbers with their nouns."""

from __future__ import annotations

from bedtape_cassettes.counting import counted


def test_one_is_one() -> None:
    found = [counted(count, "interaction") for count in (0, 1, 2)]
    assert found == ["0 interactions", "1 interaction", "2 interactions"]
