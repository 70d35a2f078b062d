"""Match rules of options, and options of match rules: another process compares as this one."""

import pytest
import typer

from bedtape_cassettes.cli.options import AnyProfile, Ignore, Placeholder, RecordedRedact
from bedtape_cassettes.errors import ConfigInvalid
from bedtape_cassettes.matching.key import DEFAULT, MatchRules
from bedtape_cassettes.matching.rules import match_rules, render_arguments


def _again(rules: MatchRules) -> MatchRules:
    """What a command makes of them."""
    rules_again: list[MatchRules] = []
    app = typer.Typer()

    @app.command()
    def play(
        ignore: Ignore = None,
        placeholder: Placeholder = None,
        any_profile: AnyProfile = False,
        redact: RecordedRedact = None,
    ) -> None:
        rules_again.append(
            match_rules(ignore or (), placeholder or (), redact or (), any_profile=any_profile)
        )

    typer.main.get_command(app)(list(render_arguments(rules)), standalone_mode=False)
    return rules_again[0]


@pytest.mark.parametrize(
    "rules",
    [
        DEFAULT,
        match_rules(any_profile=True),
        match_rules(
            ["messages.*.id", "-x"], [r"\d{4}-\d\d", "a b"], ["--secret", "é"], any_profile=True
        ),
    ],
)
def test_rules_are_said_to_another_process(rules: MatchRules) -> None:
    assert _again(rules) == rules


def test_what_is_always_ignored_stays() -> None:
    assert match_rules(["a"]).ignore == (*DEFAULT.ignore, "a")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("placeholder", "(", "a regular expression"),
        ("placeholder", "a{99999999999}", "a regular expression"),
        ("redact", "(", "a regular expression"),
        ("ignore", "a..b", "members joined by dots"),
        ("ignore", "messages.*.text,system", "one path"),
    ],
)
def test_a_malformed_pattern_or_path_is_refused(kind: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigInvalid, match=rf"^--{kind}: expected {expected}.*, found '"):
        match_rules(**{kind: [value]})  # type: ignore[arg-type]
