"""Ends of life by model id."""

from datetime import date

import pytest

from bedtape_cassettes.families.shared.lifecycle import find_end_of_life
from bedtape_cassettes.families.table import strip_profile


@pytest.mark.parametrize(
    ("model", "day"),
    [
        ("anthropic.claude-v2:1", date(2025, 7, 21)),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", date(2026, 4, 28)),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", date(2027, 1, 8)),
        ("anthropic.claude-opus-4-20250514-v1:0", date(2026, 5, 31)),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", None),
        ("meta.llama3-2-1b-instruct-v1:0", date(2026, 7, 7)),
        ("meta.llama3-70b-instruct-v1:0", None),
        ("cohere.command-r-v1:0", date(2026, 8, 19)),
    ],
)
def test_an_id_tells_the_day(model: str, day: date | None) -> None:
    assert find_end_of_life(strip_profile(model)) == day
