"""Counts of played, recorded and missed calls. Each process counts; the sum is printed at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_LISTED = 10


@dataclass
class Summary:
    """Counts of calls. held: the recordings that exist. played: the recordings that were requested."""

    tests: int = 0
    ruled: int = 0
    answered: int = 0
    missed: int = 0
    recorded: int = 0
    held: set[str] = field(default_factory=set)
    played: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    failed: bool = False

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another process, in the form of `as_plain`."""
        for name in ("tests", "ruled", "answered", "missed", "recorded"):
            setattr(self, name, getattr(self, name) + other[name])
        self.held.update(other["held"])
        self.played.update(other["played"])
        self.said += other["said"]
        self.failed = self.failed or other["failed"]

    def as_plain(self) -> dict[str, Any]:
        """Return the counts for another process: numbers, texts and lists."""
        return asdict(self) | {"held": sorted(self.held), "played": sorted(self.played)}

    def lines(self, here: str, *, verbose: bool = False) -> Iterator[str]:
        """Return the lines to print at the end of a run. here: the folder that pytest was started in."""
        left = sorted(name.removeprefix(f"{here}/") for name in self.held - self.played)
        rules = f", {self.ruled} from rules and faults" if self.ruled else ""
        counts = f"{self.answered} played{rules}, {self.recorded} recorded, {self.missed} missed"
        yield f"bedtape: {counts}, {len(left)} never played"
        shown = left if verbose else left[:_LISTED]
        yield from (f"  never played: {name}" for name in shown)
        if len(left) > len(shown):
            yield f"  … and {len(left) - len(shown)} more (-v lists them)"
        yield from self.said
