"""Text about options that is too long for --help, by command and option."""

from __future__ import annotations

__all__ = ["DEFAULTS", "MORE"]

_REDACT = "[how a pattern is matched](cassettes.md#your-own-patterns)"

MORE = {
    (
        "replay",
        "--redact",
    ): f"the pattern also replaces text of requests, as `bedtape record --redact` did; {_REDACT}",
    ("replay", "--control-token"): "at least 16 visible characters of ASCII, without spaces",
    ("run", "--cassettes"): "without cassettes, rules alone answer",
    ("record", "--mode"): "clients get a CA bundle",
    ("record", "--record"): "once and new answer recorded calls from cassettes",
    ("record", "--redact"): _REDACT,
    **{
        ("record", f"--{key}"): "for calls that are answered from cassettes"
        for key in ("ignore", "placeholder", "any-profile")
    },
    ("record", "--verify"): "exit code 1 if there is a change, 2 if no request could be sent",
    ("record", "--select"): "[selectors](selectors.md)",
    ("record", "--allow-list"): "[the lines of the file](../how-to/record-in-ci.md#the-weekly-job)",
    ("record", "--accept"): "an answer that is an error now, or was cut, is left out",
    ("cassette check", "--history"): (
        "from the [control API](control.md), as JSON or with one call per line; files that it does"
        " not contain are reported as notes"
    ),
    (
        "cassette check",
        "--max-age",
    ): "the age comes from git, if git holds the file; units are `d`, `w`, `m`, `y`",
    ("cassette retime", "--cap"): "milliseconds",
    ("cassette redact", "--pattern"): "without `--kind`, the patterns alone are used",
    ("cassette pack", "--to"): "the file to write",
}
# The default of an option whose value `None` has a meaning.
DEFAULTS = {
    ("replay", "--ignore"): "`anthropic_version` always",
    ("run", "--ignore"): "`anthropic_version` always",
    ("record", "--ignore"): "`anthropic_version` always",
    ("record", "--region"): "from boto3's settings",
    ("record", "--profile"): "from boto3's settings",
    ("record", "--upstream"): "the real Bedrock",
    ("cassette scan", "--kind"): "all",
    ("cassette redact", "--kind"): "all",
    ("cassette redact", "--with"): "`REDACTED-KIND-NUMBER`",
    ("cassette check", "--max-age"): "any age",
}
