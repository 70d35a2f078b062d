"""Names the cause of a miss: what differs between the call and the nearest recording, and
the setting that allows it.

Dates, ids and the like differ in each run of a program. A placeholder, an ignored path or
`--any-profile` allows them. Pure: no sockets, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bedtape_cassettes.format.json_values import Change, render_path
from bedtape_cassettes.matching.key import PROFILE

# Values that differ in each run, by name: the pattern is also the placeholder that allows them.
_KINDS = (
    ("a UUID", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("a tool-use id", r"(?:tooluse_|toolu_(?:bdrk_)?|call_|chatcmpl-tool-)[A-Za-z0-9_-]+"),
    ("a response id", r"\b(?:resp_|msg_(?:bdrk_)?|rs_|fc_|chatcmpl-)[A-Za-z0-9]{8,}"),
    ("a ULID", r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b"),
    ("a date", r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[0-9:.]*)?(?:Z|[+-]\d\d:\d\d)?"),
    ("a time", r"\b\d?\d:\d\d(?::\d\d)?\b"),
    ("a timestamp", r"\b1\d{9}(?:\d{3})?(?:\.\d+)?\b"),
    ("a temporary path", r"/(?:tmp|var/folders|private/var)/[\w./-]+"),
    ("a hexadecimal id", r"\b[0-9a-f]{12,64}\b"),
    ("a session id", r"(?<=/sessions/)[^/?]+"),
)
# Members that label a request and do not change its answer.
_LABELS = (
    "requestMetadata",
    "metadata",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "previous_response_id",
)
# Ids that a program chooses.
_IDS = re.compile(
    r"(?:session|invocation|invocationStep|memory|execution|request|run|trace)_?id(?:entifier)?",
    re.I,
)
_PATTERNS = [(name, source, re.compile(source)) for name, source in _KINDS]
_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
# Longer texts are not compared word by word, because a miss must not delay other tests.
_MOST_TOKENS = 4000
_MOST_CHANGES = 4
_LEAST_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class Cause:
    """What differs.

    kinds: the names of values that differ in each run. words: the other differences, the changed
    words in backquotes. options: the options that allow all of them; empty if an option cannot.
    """

    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " and ".join(f"in {part}" for part in (*self.kinds, *self.words))

    def describe(self) -> str:
        """The sentence in a miss, with the options that allow the difference."""
        fix = f" If that may differ, use {' '.join(self.options)}." if self.options else ""
        return f"Differs {self}.{fix}"


def find_cause(changes: Sequence[Change]) -> Cause | None:
    """Returns the cause, or None if the requests are too different to have one.

    changes: from the recording to the call, at places in a tree of the request, with the
    body as its member `body`.
    """
    if not 0 < len(changes) <= 2 * _MOST_CHANGES:
        return None
    kinds: list[str] = []
    words: list[str] = []
    options: list[str] = []
    for change in changes:
        field = render_path(change.place).removeprefix("body.")
        if (volatile := _find_kinds(change)) is not None:
            kinds += [name for name, _ in volatile]
            options += [option for _, option in volatile]
        elif (label := _find_label(change)) is not None:
            words.append(label)
            options.append(f"--ignore '{label}'")
        elif (difference := _describe_words(change)) is not None:
            words.append(f"{field} {difference}")
        elif _can_be_ignored(change):
            words.append(field)
            options.append(f"--ignore '{_make_pattern(field)}'")
        else:
            return None
    if len(words) > _MOST_CHANGES:
        return None
    allowed = () if any("`" in word for word in words) else tuple(dict.fromkeys(options))
    return Cause(tuple(dict.fromkeys(kinds)), tuple(dict.fromkeys(words)), allowed)


def _find_label(change: Change) -> str | None:
    """Returns the path of the changed member, if it is an id or labels the request."""
    match change.place:
        case ("body", str() as name, *_) if name in _LABELS:
            return name
        case ("body", *_, str() as name) if _IDS.fullmatch(name):
            return _make_pattern(render_path(change.place).removeprefix("body."))
    return None


def _can_be_ignored(change: Change) -> bool:
    """Whether a member is missing on one side, or has another value that is not text."""
    texts = isinstance(change.before, str) and isinstance(change.after, str)
    return change.place[0] == "body" and isinstance(change.place[-1], str) and not texts


def _make_pattern(field: str) -> str:
    """Returns the path for `--ignore`, which holds for every item of a list."""
    return re.sub(r"\[\d+\]", ".*", field)


def _find_kinds(change: Change) -> list[tuple[str, str]] | None:
    """Returns the kinds of values that differ and their options; None if other text differs."""
    before, after = change.before, change.after
    if not (isinstance(before, str) and isinstance(after, str)):
        return None
    if change.place[-1] in ("model", "modelId") and PROFILE.sub("", before) == PROFILE.sub(
        "", after
    ):
        return [("the inference profile", "--any-profile")]
    if change.place == ("model",):
        return None
    kinds = []
    for name, source, pattern in _PATTERNS:
        if pattern.findall(before) != pattern.findall(after):
            kinds.append((name, f"--placeholder '{source}'"))
            before, after = pattern.sub("<*>", before), pattern.sub("<*>", after)
    return kinds if before == after else None


def _describe_words(change: Change) -> str | None:
    """Returns the changed words of a text, or None if more than half of it differs."""
    before, after = change.before, change.after
    if not (isinstance(before, str) and isinstance(after, str)):
        return None
    one, other = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(one) + len(other) > _MOST_TOKENS:
        return None
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    spans = [*_list_spans(matcher, one, other)]
    if matcher.ratio() < _LEAST_ALIKE or len(spans) > _MOST_CHANGES:
        return None
    return ", ".join(spans)


def _list_spans(
    matcher: SequenceMatcher[str], one: Sequence[str], other: Sequence[str]
) -> Iterator[str]:
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag != "equal":
            removed, added = "".join(one[start:end]).strip(), "".join(other[first:last]).strip()
            match removed, added:
                case "", _:
                    yield f"added `{added}`"
                case _, "":
                    yield f"removed `{removed}`"
                case _:
                    yield f"`{removed}` → `{added}`"
