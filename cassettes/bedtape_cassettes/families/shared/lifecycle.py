"""Bedrock models with an end of life, and its date.

The dates come from Amazon's page of the model lifecycle and its notices, as public trackers quote
them until 2026-09. If regions differ, the last date is used. A recording of an ended model still
replays, but cannot be recorded again.
"""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase

# Globs of bare model ids (no inference profile, no ARN).
ENDS = {
    "anthropic.claude-v1*": date(2024, 2, 28),
    "anthropic.claude-v2*": date(2025, 7, 21),
    "anthropic.claude-instant-v1*": date(2025, 7, 21),
    "anthropic.claude-3-opus-20240229*": date(2026, 1, 15),
    "anthropic.claude-3-sonnet-20240229*": date(2026, 7, 30),
    "anthropic.claude-3-5-sonnet-20240620*": date(2026, 7, 30),
    "anthropic.claude-3-5-sonnet-20241022*": date(2026, 7, 30),
    "anthropic.claude-3-7-sonnet-20250219*": date(2026, 4, 28),
    "anthropic.claude-3-5-haiku-20241022*": date(2026, 6, 19),
    "anthropic.claude-opus-4-20250514*": date(2026, 5, 31),
    "anthropic.claude-sonnet-4-20250514*": date(2026, 10, 14),
    "anthropic.claude-opus-4-1-20250805*": date(2027, 1, 8),
    "amazon.nova-premier-v1*": date(2026, 9, 14),
    "amazon.titan-text-lite-v1*": date(2025, 8, 15),
    "amazon.titan-text-express-v1*": date(2025, 8, 15),
    "amazon.titan-image-generator-v2*": date(2026, 6, 30),
    "ai21.jamba-1-5-*": date(2026, 11, 26),
    "cohere.command-text-v14*": date(2025, 8, 12),
    "cohere.command-light-text-v14*": date(2025, 8, 12),
    "cohere.command-r-v1*": date(2026, 8, 19),
    "cohere.command-r-plus-v1*": date(2026, 8, 19),
    "meta.llama3-1-405b-instruct-v1*": date(2026, 7, 7),
    "meta.llama3-2-*": date(2026, 7, 7),
}


def find_end_of_life(bare: str) -> date | None:
    """Returns the day from which requests to the model fail, or `None` if it is unknown."""
    return next((day for glob, day in ENDS.items() if fnmatchcase(bare, glob)), None)
