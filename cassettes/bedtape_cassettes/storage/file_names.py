"""Names the files of a cassette: number, operation, and the beginning of the match key.

The order of the names is the order of the interactions. No disk access.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from bedtape_cassettes.matching.key import compute_name_key
from bedtape_cassettes.model import Cassette, Interaction
from bedtape_cassettes.operations import kebab

# A name that bedtape gives. Files between two others have a number with a fraction.
_NAMED_BY_US = re.compile(r"[0-9]+(?:\.[1-9])?(-[a-z-]+-[0-9a-f]{8}\.yaml)")
_MOST_BETWEEN = 9


def order_of(name: str) -> tuple[int, str]:
    """Returns the sort key of a file name: leading number (0002 before 10000), then name."""
    number = re.match(r"[0-9]{1,18}", name)
    return (int(number[0]) if number else 0, name)


def is_own_name(name: str) -> bool:
    """Whether bedtape may have given a file this name: number, operation, digits of a digest."""
    return _NAMED_BY_US.fullmatch(name) is not None


def name_file(number: int | str, interaction: Interaction) -> str:
    """Returns `0002-converse-stream-91be03d7.yaml`: number, operation, start of the match key."""
    name = re.sub("[^a-z-]", "", kebab(interaction.operation or interaction.request.method))
    return f"{number:0>4}-{name}-{compute_name_key(interaction.request).hex()[:8]}.yaml"


def number_files(cassette: Cassette, folder: str | None = None) -> Cassette:
    """Returns the cassette with new file names, numbered from 1. folder: where the files are, if
    not in the folder of the cassette's name; relative to the folder of cassettes.
    """
    names = [
        name_file(number, interaction)
        for number, interaction in enumerate(cassette.interactions, 1)
    ]
    return _with_names(cassette, names, folder)


def name_new_files(cassette: Cassette, folder: str | None = None) -> Cassette:
    """Names the files that have no name, and keeps as many of the other names as the order allows.

    A name stays if the interaction still has the operation and the match key in it. A new file
    between 0003 and 0004 gets the number 0003.1. If there is no room between two names, all files
    are numbered anew. folder: as for `number_files`.
    """
    kept = _keep_names(cassette.interactions)
    names: list[str] = []
    last = order_of("0000")
    while len(names) < len(kept):
        start = len(names)
        end = next(
            (place for place in range(start, len(kept)) if kept[place] is not None), len(kept)
        )
        following = order_of(kept[end] or "") if end < len(kept) else None
        new = _name_between(cassette.interactions[start:end], last, following)
        if new is None:
            return number_files(cassette, folder)
        names += new
        if end < len(kept):
            names.append(kept[end] or "")
        if names:
            last = order_of(names[-1])
    return _with_names(cassette, names, folder)


def _with_names(cassette: Cassette, names: Sequence[str], folder: str | None) -> Cassette:
    prefix = cassette.name if folder is None else folder
    named = zip(cassette.interactions, names, strict=True)
    return Cassette(
        cassette.name, tuple(replace(i, file=f"{prefix}/{name}".lstrip("/")) for i, name in named)
    )


def is_stale(interaction: Interaction) -> bool:
    """Whether the name of the file has another operation or match key than its interaction."""
    match = _NAMED_BY_US.fullmatch(interaction.file.rpartition("/")[2])
    return match is not None and match[1] != name_file(0, interaction).removeprefix("0000")


def _keep_names(interactions: Sequence[Interaction]) -> list[str | None]:
    """Returns each interaction's name that stays, or None: the longest rising sequence stays."""
    names = [None if not i.file or is_stale(i) else i.file.rpartition("/")[2] for i in interactions]
    tails: list[tuple[int, str]] = []  # the last name of the best sequence of each length
    places: list[int] = []
    before: dict[int, int | None] = {}
    for place, name in enumerate(names):
        if name is None:
            continue
        length = bisect_left(tails, order_of(name))
        before[place] = places[length - 1] if length else None
        tails[length : length + 1] = [order_of(name)]
        places[length : length + 1] = [place]
    kept: list[str | None] = [None] * len(names)
    at = places[-1] if places else None
    while at is not None:
        kept[at] = names[at]
        at = before[at]
    return kept


def _name_between(
    interactions: Sequence[Interaction], last: tuple[int, str], following: tuple[int, str] | None
) -> list[str] | None:
    """Returns names between two others, or None if there is no room for them."""
    count, first = len(interactions), last[0] + 1
    if following is None or following[0] - first >= count:
        return [
            name_file(number, interaction) for number, interaction in enumerate(interactions, first)
        ]
    if count > _MOST_BETWEEN:
        return None
    names = [
        name_file(f"{last[0]:04d}.{n}", interaction)
        for n, interaction in enumerate(interactions, 1)
    ]
    order = [last, *map(order_of, names), following]
    return names if all(one < other for one, other in pairwise(order)) else None
