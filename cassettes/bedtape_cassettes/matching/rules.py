"""Converts match options (`--ignore`, `--placeholder`) to match rules, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bedtape_cassettes.errors import ConfigInvalid, Problem
from bedtape_cassettes.format.json_values import parse_path
from bedtape_cassettes.format.patterns import compile_pattern
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.redaction.scrub import read_patterns


def match_rules(
    ignore: Sequence[str] = (),
    placeholder: Sequence[str] = (),
    redact: Sequence[str] = (),
    *,
    any_profile: bool = False,
) -> MatchRules:
    """Returns the rules of `--ignore`, `--placeholder`, `--redact` and
    `--any-profile`, and the default rules.

    Raises ConfigInvalid with a line for each malformed pattern or path.
    """
    compiled, problems = [], []
    for source in placeholder:
        try:
            compiled.append(compile_pattern(source))
        except ValueError as error:
            problems.append(
                Problem("--placeholder", 0, "a regular expression", f"{source!r} ({error})")
            )
    for path in ignore:
        if "," in path:
            problems.append(
                Problem(
                    "--ignore",
                    0,
                    "one path",
                    repr(path),
                    "repeat the option, or write a list in the file",
                )
            )
            continue
        try:
            parse_path(path)
        except ValueError:
            problems.append(
                Problem("--ignore", 0, "members joined by dots (messages.*.text)", repr(path))
            )
    if problems:
        raise ConfigInvalid(problems)
    return MatchRules(
        (*DEFAULT.ignore, *ignore), tuple(compiled), any_profile, read_patterns(redact).patterns
    )


def render_arguments(rules: MatchRules) -> Iterator[str]:
    """Yields the command-line options of the rules, for another process."""
    yield from (f"--ignore={path}" for path in rules.ignore if path not in DEFAULT.ignore)
    yield from (f"--placeholder={pattern.pattern}" for pattern in rules.placeholders)
    yield from (f"--redact={pattern.pattern}" for pattern in rules.redact)
    yield "--any-profile" if rules.any_profile else "--no-any-profile"
