"""Counts of played, recorded and missed calls of each process, summed up at the run's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bedtape_cassettes.text import format_count

_LISTED = 10


@dataclass
class Summary:
    """Counts of calls. held: the recordings that exist. played: the recordings that were requested.

    unused: the rules and faults that never acted, each with its test. by_vcr: the calls to Bedrock
    that VCR.py played. unlike: the calls that VCR.py's matching answers and bedtape's would not,
    each with its test. migrated: the rows of `Migration.write`.
    """

    tests: int = 0
    ruled: int = 0
    answered: int = 0
    missed: int = 0
    recorded: int = 0
    by_vcr: int = 0
    held: set[str] = field(default_factory=set)
    played: set[str] = field(default_factory=set)
    unused: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    causes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    migrated: list[tuple[str, str, str]] = field(default_factory=list)
    failed: bool = False

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another process, in the form of `as_plain`."""
        for name in ("tests", "ruled", "answered", "missed", "recorded", "by_vcr"):
            setattr(self, name, getattr(self, name) + other[name])
        self.held.update(other["held"])
        self.played.update(other["played"])
        self.unused += other["unused"]
        self.unlike += other["unlike"]
        self.messages += other["messages"]
        self.migrated += map(tuple, other["migrated"])
        self.causes += [(cause, tuple(options)) for cause, options in other["causes"]]
        self.failed = self.failed or other["failed"]

    def as_plain(self) -> dict[str, Any]:
        """Return the counts for another process: numbers, texts and lists."""
        return asdict(self) | {"held": sorted(self.held), "played": sorted(self.played)}

    def lines(self, here: str, *, verbose: bool = False) -> Iterator[str]:
        """Return the lines for the end of a run. here: the folder where pytest was started."""
        unplayed = sorted(name.removeprefix(f"{here}/") for name in self.held - self.played)
        rules = f", {self.ruled} from rules and faults" if self.ruled else ""
        counts = f"{self.answered} played{rules}, {self.recorded} recorded, {self.missed} missed"
        yield f"bedtape: {counts}, {len(unplayed)} never played"
        yield from _list("never played", unplayed, verbose=verbose)
        yield from _list("never acted", self.unused, verbose=verbose)
        if self.by_vcr:
            yield (
                "  played by VCR.py, because no AWS SDK sent it or sockets are blocked:"
                f" {self.by_vcr} of Bedrock's entries"
            )
        if self.unlike:
            yield (
                f"bedtape: {format_count(len(self.unlike), 'call')} would miss under bedtape's own"
                " matching"
            )
        yield from _list("would miss", self.unlike, verbose=verbose)
        yield from self._group_misses()
        yield from self.messages
        yield from self._list_migrated(verbose=verbose)

    def _list_migrated(self, *, verbose: bool) -> Iterator[str]:
        """Yields what was migrated, and what to change in the suite."""
        written = [int(count) for kind, _, count in self.migrated if kind == "written"]
        if written:
            exchanges, tests = (
                format_count(sum(written), "exchange"),
                format_count(len(written), "test"),
            )
            yield f"bedtape: migrated {exchanges} of {tests}"
        unplayed = [test for kind, test, _ in self.migrated if kind == "unplayed"]
        yield from _list(
            "not migrated, because it played none of its entries of Bedrock",
            unplayed,
            verbose=verbose,
        )
        changed = [text for kind, text, _ in self.migrated if kind == "changed"]
        yield from _list("recorded as the test sends it", changed, verbose=verbose)
        changes = Counter((file, what) for kind, file, what in self.migrated if kind == "change")
        for (file, what), count in sorted(changes.items()):
            yield f"  change {file} ({format_count(count, 'test')}): {what}"
        sources = {path for kind, path, hosts in self.migrated if kind == "source" and not hosts}
        yield from _list("remove when the changed tests pass", sorted(sources), verbose=verbose)

    def _group_misses(self) -> Iterator[str]:
        """Yields each cause of several misses, and what to do."""
        for (cause, options), count in Counter(self.causes).items():
            if count > 1:
                yield f"bedtape: {count} misses, one cause: {cause}"
                if options:
                    yield (
                        "  if that may differ, set in [tool.bedtape]:"
                        f" {', '.join(map(_render_setting, options))}"
                    )
                yield "  if the recorded answers still fit: pytest --last-failed --bedtape=accept"


def _render_setting(option: str) -> str:
    """`placeholder = ['…']` for `--placeholder '…'`."""
    name, _, value = option.removeprefix("--").partition(" ")
    return f"{name} = [{value}]" if value else f"{name} = true"


def _list(label: str, names: Sequence[str], *, verbose: bool) -> Iterator[str]:
    shown = names if verbose else names[:_LISTED]
    yield from (f"  {label}: {name}" for name in shown)
    if len(names) > len(shown):
        yield f"  … and {len(names) - len(shown)} more (-v lists them)"
