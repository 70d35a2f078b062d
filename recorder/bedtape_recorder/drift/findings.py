"""Groups drifts into findings: one for each cause, with its severity and the
recordings that have it.

Pure.

An allow-list contains the findings that are expected, one a line: `KIND`, `KIND: WHERE`
or `KIND: WHERE in FILES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.matching.rerecording import carry_over
from bedtape_cassettes.matching.stable_values import stabilise
from bedtape_cassettes.model import Cassette, Interaction, Suite
from bedtape_recorder.drift.comparison import Drift

Severity: TypeAlias = Literal["lost", "changed", "added"]
SEVERITIES: tuple[Severity, ...] = ("lost", "changed", "added")

# The kinds of drift. A client can miss what is lost, and can often ignore what is added.
KINDS: dict[str, Severity] = {
    "missing permission": "lost",
    "model retired": "lost",
    "cut stream": "lost",
    "header lost": "lost",
    "field lost": "lost",
    "status": "changed",
    "error type": "changed",
    "error text": "changed",
    "body": "changed",
    "content type": "changed",
    "event order": "changed",
    "type": "changed",
    "stop reason": "changed",
    "content blocks": "changed",
    "latency": "changed",
    "header gained": "added",
    "field gained": "added",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result for one interaction: its drifts. skipped: why its request was not sent again, or
    its answer not compared.

    tokens: input and output of the new answer. now: the interaction with the new
    answer, or `None` without one.
    """

    file: str
    drifts: tuple[Drift, ...]
    skipped: str | None = None
    tokens: int = 0
    now: Interaction | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, and the recordings' files that have it. allowed: an allow-list contains it."""

    severity: Severity
    drift: Drift
    files: tuple[str, ...]
    allowed: bool = False

    @property
    def entry(self) -> str:
        """The line of an allow-list that allows the finding."""
        return f"{self.drift.kind}: {self.drift.where}" if self.drift.where else self.drift.kind


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an allow-list. kind, where, files: globs."""

    kind: str
    where: str = "*"
    files: str = "*"

    def allows(self, drift: Drift, file: str) -> bool:
        """Whether the line allows a drift of a file."""
        pairs = ((drift.kind, self.kind), (drift.where, self.where), (file, self.files))
        return all(fnmatchcase(value, _escape(glob)) for value, glob in pairs)


def _escape(glob: str) -> str:
    """Brackets are literal, because paths of members contain them."""
    return glob.replace("[", "[[]")


_LINE = re.compile(r"(?P<kind>[^:#]+?)\s*(?::\s*(?P<where>.+?))?(?:\s+in\s+(?P<files>\S+))?")


def parse_allow_list(text: str, name: str) -> tuple[Entry, ...]:
    """Parses the lines. # begins a comment. Raises CassetteError with the line's number."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not (content := line.strip()) or content.startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        kind = match["kind"] if match else content
        if match is None or not any(fnmatchcase(known, kind) for known in KINDS):
            known = ", ".join(KINDS)
            raise CassetteError(
                f"{name}:{number}: expected KIND: WHERE, found {content!r}; kinds are {known}"
            )
        entries.append(Entry(kind, match["where"] or "*", match["files"] or "*"))
    return tuple(entries)


def group(verdicts: Iterable[Verdict], allowed: Sequence[Entry] = ()) -> list[Finding]:
    """Groups the drifts of the verdicts by their cause: most severe first, then the most files.

    A drift that an entry allows is in a finding of its own, so that a new file of the
    same cause is not hidden.
    """
    causes: dict[tuple[Drift, bool], list[str]] = {}
    for verdict in verdicts:
        for drift in verdict.drifts:
            key = drift, any(entry.allows(drift, verdict.file) for entry in allowed)
            causes.setdefault(key, []).append(verdict.file)
    findings = [
        Finding(_rate(drift), drift, tuple(dict.fromkeys(files)), permitted)
        for (drift, permitted), files in causes.items()
    ]
    return sorted(
        findings, key=lambda one: (one.allowed, SEVERITIES.index(one.severity), -len(one.files))
    )


def _rate(drift: Drift) -> Severity:
    if drift.kind == "status" and drift.recorded < "400" <= drift.now:
        return "lost"
    if drift.kind == "content blocks":
        old, new = drift.recorded.split(", "), drift.now.split(", ")
        return "added" if _contains(new, old) else "lost" if _contains(old, new) else "changed"
    return KINDS[drift.kind]


def _contains(longer: Sequence[str], shorter: Sequence[str]) -> bool:
    """Whether the shorter list is what remains of the longer list if items are removed."""
    rest = iter(longer)
    return all(item in rest for item in shorter)


# -- new answers -----------------------------------------------------------------------------------

# The kinds of drift whose new answer is no use in a test.
_USELESS = ("missing permission", "model retired", "cut stream")


def list_acceptable(
    verdicts: Iterable[Verdict], findings: Iterable[Finding]
) -> dict[str, Interaction]:
    """Returns the new interactions of the files that have findings which are not allowed.

    An answer that is an error now, and was none, is left out.
    """
    files = {file for finding in findings if not finding.allowed for file in finding.files}
    return {
        verdict.file: verdict.now
        for verdict in verdicts
        if verdict.file in files
        and verdict.now is not None
        and not any(
            drift.kind in _USELESS or (_rate(drift) == "lost" and drift.kind == "status")
            for drift in verdict.drifts
        )
    }


def accept(suite: Suite, answers: dict[str, Interaction]) -> Suite:
    """Returns the suite with the new answers, by file. Ids and times of equal parts stay."""
    return tuple(
        Cassette(
            cassette.name,
            tuple(_accept_one(one, answers.get(one.file)) for one in cassette.interactions),
        )
        for cassette in suite
    )


def _accept_one(before: Interaction, now: Interaction | None) -> Interaction:
    if now is None:
        return before
    (stable,) = stabilise(Cassette("", (now,))).interactions
    return carry_over(before, stable)
