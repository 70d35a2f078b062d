"""The command `bedtape cassette accept`: keeps recorded answers whose requests have changed."""

from __future__ import annotations

from dataclasses import asdict, replace

from bedtape_cassettes.cli.errors import exit_on_error
from bedtape_cassettes.cli.options import CASSETTES, AsJson, DryRun, Folder
from bedtape_cassettes.cli.output import load, print_json, print_lines
from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_cassettes.storage import undo
from bedtape_cassettes.storage.commit import commit, list_changed, lock
from bedtape_cassettes.storage.file_names import name_new_files
from bedtape_cassettes.storage.misses import read_misses, remove_misses
from bedtape_cassettes.suites import preview
from bedtape_cassettes.suites.later_turns import change_later_turn
from bedtape_cassettes.text import Line


def accept(folder: Folder = CASSETTES, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Replace the requests of recordings by the requests that missed in the last runs.

    `undo` restores them.

    `bedtape run` and pytest keep the missed requests whose recording is the only one that can be
    meant: the nearest one, not played, and the next one in order. Later turns of the same
    conversation are changed in the same way. If a later turn has other changes too, run the program
    and accept again.

    \b
    Examples:
      bedtape cassette accept --dry-run
      bedtape cassette accept --in tests/cassettes
    """
    with exit_on_error(), lock(folder):
        sent = {
            interaction.file: interaction
            for cassette in read_misses(folder)
            for interaction in cassette.interactions
        }
        before = load(folder)
        after = _replace_requests(before, sent)
        names = list_changed(before, after)
        if not names:
            raise CassetteError(
                f"{folder}: expected requests that missed, found none; run your program or your"
                " tests first"
            )
        plan = preview.plan(before, after)
        if as_json:
            print_json({**asdict(plan), "dry_run": dry_run})
        else:
            print_lines(preview.render(plan))
        if dry_run:
            print_lines([] if as_json else [Line("dry run: nothing was changed", "title")])
            return
        changed = [cassette for cassette in after if cassette.name in names]
        homes = [cassette.interactions[0].file.rpartition("/")[0] for cassette in changed]
        named = tuple(
            name_new_files(cassette, home) for cassette, home in zip(changed, homes, strict=True)
        )
        with undo.saving(folder, before, names):
            commit(folder, tuple(cassette for cassette in before if cassette.name in names), named)
        remove_misses(folder)
        done = f"accepted in {', '.join(sorted(names))}; bedtape cassette undo restores"
        print_lines([] if as_json else [Line(done, "title")])


def _replace_requests(suite: Suite, sent: dict[str, Interaction]) -> Suite:
    return tuple(Cassette(cassette.name, _replace_in_order(cassette, sent)) for cassette in suite)


def _replace_in_order(cassette: Cassette, sent: dict[str, Interaction]) -> tuple[Interaction, ...]:
    """Replaces the requests that missed, also in the later turns of their conversations."""
    pairs: list[tuple[Interaction, Interaction]] = []
    changed = []
    for interaction in cassette.interactions:
        new = sent.get(interaction.file)
        if new is not None:
            pairs.append((interaction, new))
            changed.append(replace(interaction, request=new.request, model=new.model))
            continue
        turns = (change_later_turn(interaction, old, new) for old, new in reversed(pairs))
        changed.append(next((turn for turn in turns if turn is not None), interaction))
    return tuple(changed)
