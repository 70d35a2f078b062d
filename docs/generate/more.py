"""What the page of commands says of an option beside its --help, which has no room for it: by command and option."""

from __future__ import annotations

__all__ = ["DEFAULTS", "MORE"]

_REDACT = "[how it is matched](cassettes.md#your-own-patterns)"

MORE = {
    ("replay", "--redact"): f"it is taken out of requests too, as `bedtape record --redact` did; {_REDACT}",
    ("replay", "--control-token"): "at least 16 characters",
    ("run", "--cassettes"): "where there are none, rules alone answer",
    ("record", "--mode"): "its clients are given a CA bundle",
    ("record", "--record"): "what is not recorded is played from what is there",
    ("record", "--redact"): _REDACT,
    **{("record", f"--{key}"): "of calls that are played" for key in ("ignore", "placeholder", "any-profile")},
    ("record", "--verify"): "exit code 1 where there is any, 2 where nothing could be asked",
    ("record", "--print-addon"): "with `--set connection_strategy=lazy`",
    (
        "cassette check",
        "--history",
    ): "of the [control API](control.md)'s calls, or a line of it a call; files that are not in it are noted",
    ("cassette check", "--max-age"): "by git where git holds the file; units are `d`, `w`, `m`, `y`",
    ("cassette retime", "--cap"): "milliseconds",
    ("cassette redact", "--pattern"): "alone, where no kind is named",
    ("cassette pack", "--to"): "the file to pack into",
}
# In place of "none", where that is not the whole of it.
DEFAULTS = {
    ("replay", "--ignore"): "`anthropic_version` always",
    ("run", "--ignore"): "`anthropic_version` always",
    ("record", "--ignore"): "`anthropic_version` always",
    ("record", "--region"): "as boto3 finds it",
    ("record", "--profile"): "as boto3 finds it",
    ("record", "--upstream"): "Bedrock's own",
    ("cassette scan", "--kind"): "all",
    ("cassette redact", "--kind"): "all",
    ("cassette redact", "--with"): "`REDACTED-KIND-NUMBER`",
    ("cassette check", "--max-age"): "any age",
}
