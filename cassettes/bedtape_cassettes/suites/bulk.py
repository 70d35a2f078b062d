"""Changes suites in bulk: drops, moves, copies, splits, merges, trims and renumbers interactions.

Each function returns a new suite and does not touch the disk. A file keeps its name, and so its
number, while it stays in its cassette. `renumber` closes gaps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.reading import prompt_of
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.names import cassette_name, check_name
from bedtape_cassettes.operations import kebab
from bedtape_cassettes.storage.file_names import name_file, number_files, order_of
from bedtape_cassettes.suites.events import find_stream, replace_stream
from bedtape_cassettes.suites.selector import Picked, find_cassettes

# -- one by one ------------------------------------------------------------------------------------


def change_each(
    suite: Suite, picked: Picked, change: Callable[[Interaction], Interaction]
) -> Suite:
    """Applies the change to every picked interaction. The file names stay."""
    places = {name: frozenset(numbers) for name, numbers in picked.items()}
    return tuple(
        Cassette(
            cassette.name,
            tuple(
                (
                    replace(change(interaction), file=interaction.file)
                    if place in places.get(cassette.name, ())
                    else interaction
                )
                for place, interaction in enumerate(cassette.interactions)
            ),
        )
        for cassette in suite
    )


def trim(interaction: Interaction, events: int, *, of_client: bool = False) -> Interaction:
    """Keeps the first `events` events of the answer, or of the client of a conversation.

    Raises CassetteError without such events, or for fewer than 1.
    """
    if events < 1:
        raise CassetteError(
            f"--events: expected a number above 0, found {events}; a stream has at least one event"
        )
    body = find_stream(interaction, of_client=of_client)
    return replace_stream(interaction, body, body.events[:events], of_client=of_client)


# -- fewer -----------------------------------------------------------------------------------------


def _keep_where(suite: Suite, stays: Callable[[Cassette, int], bool]) -> Suite:
    """Keeps the interactions for which `stays` is true, and the cassettes that still have one."""
    kept = (
        Cassette(c.name, tuple(i for place, i in enumerate(c.interactions) if stays(c, place)))
        for c in suite
    )
    return tuple(cassette for cassette in kept if cassette.interactions)


def drop(suite: Suite, picked: Picked) -> Suite:
    """Removes the picked interactions."""
    return _keep_where(suite, lambda cassette, place: place not in picked.get(cassette.name, ()))


def keep(suite: Suite, picked: Picked) -> Suite:
    """Removes the other interactions of each cassette with a picked interaction."""
    return _keep_where(suite, lambda cassette, place: place in picked.get(cassette.name, (place,)))


def truncate_after(suite: Suite, picked: Picked) -> Suite:
    """Removes the interactions after the last picked one of each cassette."""
    return _keep_where(
        suite, lambda cassette, place: place <= max(picked.get(cassette.name, (place,)))
    )


# -- elsewhere -------------------------------------------------------------------------------------


def _collect(suite: Suite, picked: Picked) -> list[Interaction]:
    return [c.interactions[place] for c in suite for place in picked.get(c.name, ())]


def append(suite: Suite, name: str, added: Iterable[Interaction]) -> Suite:
    """Appends the interactions to a cassette, which is created if it does not exist."""
    old = next(
        (cassette for cassette in suite if cassette.name == name), Cassette(check_name(name), ())
    )
    # The numbers of existing files are not used again.
    first = (
        max(
            [
                len(old.interactions),
                *(order_of(i.file.rpartition("/")[2])[0] for i in old.interactions),
            ]
        )
        + 1
    )
    folder = old.interactions[0].file.rpartition("/")[0] if old.interactions else name
    new = (
        replace(i, file=f"{folder}/{name_file(number, i)}".lstrip("/"))
        for number, i in enumerate(added, first)
    )
    return _replace(suite, Cassette(name, (*old.interactions, *new)))


def _replace(suite: Suite, *changed: Cassette) -> Suite:
    """Replaces or adds the changed cassettes, sorts them by name, and removes empty ones."""
    named = {cassette.name: cassette for cassette in (*suite, *changed)}
    return tuple(named[name] for name in sorted(named) if named[name].interactions)


def move(suite: Suite, picked: Picked, to: str) -> Suite:
    """Moves the picked interactions to the end of the cassette `to`."""
    if to in picked:
        raise CassetteError(
            f"{to}: expected another cassette to move to, found the source; choose another cassette"
        )
    return append(drop(suite, picked), to, _collect(suite, picked))


def copy(suite: Suite, picked: Picked, to: str) -> Suite:
    """Copies the picked interactions to the end of the cassette `to`."""
    return append(suite, to, _collect(suite, picked))


def _check_absent(suite: Suite, name: str, fix: str) -> str:
    if any(cassette.name == name for cassette in suite):
        raise CassetteError(
            f"{name}: expected a new cassette name, found the name of a cassette; {fix}"
        )
    return check_name(name)


def rename(suite: Suite, old: str, new: str) -> Suite:
    """Renames the cassette. Its files keep their names."""
    cassette = _find_one(suite, old)
    _check_absent(suite, new, "drop or rename that cassette first, or merge both")
    files = tuple(
        replace(i, file=f"{new}/{i.file.rpartition('/')[2]}") for i in cassette.interactions
    )
    return _replace(suite, Cassette(old, ()), Cassette(new, files))


def _find_one(suite: Suite, name: str) -> Cassette:
    matching = find_cassettes(suite, name)
    if len(matching) != 1:
        raise CassetteError(
            f"{name}: expected one cassette, found {len(matching)}; give the name of one"
        )
    return matching[0]


def renumber(suite: Suite, names: Iterable[str]) -> Suite:
    """Renames the cassettes' files: numbers without gaps, current operation and match key."""
    again = [
        number_files(cassette, cassette.interactions[0].file.rpartition("/")[0])
        for name in names
        for cassette in find_cassettes(suite, name)
        if cassette.interactions
    ]
    return _replace(suite, *again)


# -- several of one, one of several ----------------------------------------------------------------


_AGENT_SESSION = re.compile(r"/sessions/([^/?]+)/")


def _name_sessions(interactions: Sequence[Interaction]) -> list[str]:
    """Returns the session of each interaction: an agent's session id, or
    `session-N` by the first turn.

    Each request of a conversation repeats it from the first turn, so the first turn
    identifies the conversation.
    """
    sessions: dict[object, str] = {}
    names = []
    for interaction in interactions:
        if match := _AGENT_SESSION.search(interaction.request.path):
            names.append(match[1])
            continue
        prompt = prompt_of(interaction.operation, interaction.model, interaction.request.body.data)
        start = (prompt.system, prompt.turns[0].text) if prompt.turns else interaction.request
        names.append(sessions.setdefault(start, f"session-{len(sessions) + 1}"))
    return names


def split(suite: Suite, name: str, by: str) -> Suite:
    """Splits the cassette into `NAME/PART`, by `model`, `operation` or `session`. Order is kept."""
    cassette = _find_one(suite, name)
    match by:
        case "model":
            parts = [i.model or "no-model" for i in cassette.interactions]
        case "operation":
            parts = [kebab(i.operation or i.request.method) for i in cassette.interactions]
        case _:
            parts = _name_sessions(cassette.interactions)
    if len(set(parts)) == 1:
        raise CassetteError(
            f"{name}: expected more than one {by} to split by, found {parts[0]} alone; nothing to"
            " split"
        )
    rest = _replace(suite, Cassette(name, ()))
    for part in dict.fromkeys(parts):
        target = _check_absent(
            rest,
            f"{name}/{cassette_name(part.replace('/', '-'))}",
            "rename or drop that cassette first",
        )
        rest = append(
            rest,
            target,
            [i for i, own in zip(cassette.interactions, parts, strict=True) if own == part],
        )
    return rest


def merge(suite: Suite, names: Sequence[str], to: str) -> Suite:
    """Merges the cassettes into `to`, in the order of `names`, and removes the merged cassettes."""
    merged = tuple(
        dict.fromkeys(cassette for name in names for cassette in find_cassettes(suite, name))
    )
    if len(merged) < 2:
        raise CassetteError(
            f"expected two cassettes or more to merge, found {merged[0].name} alone; add another"
            " cassette"
        )
    rest = _replace(suite, *(Cassette(cassette.name, ()) for cassette in merged))
    _check_absent(rest, to, "add it to the cassettes to merge, or choose another name")
    return append(rest, to, [i for cassette in merged for i in cassette.interactions])
