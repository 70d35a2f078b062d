"""A call's request as JSON that is equal in every run, for snapshot tests.

Ids, times and dates in texts become marks, because they are new in every run. Equal ids get equal
marks, so that a tool call and its result stay connected. Secrets are replaced as in recordings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from hashlib import blake2b

from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.matching.stable_values import ID_PATTERN
from bedtape_cassettes.model import JsonValue
from bedtape_cassettes.redaction.scrub import scrub
from bedtape_replayer.history.json_safe import make_json_safe

_ID, _HEX = ID_PATTERN.pattern, "[0-9A-Fa-f]"
_VOLATILE = re.compile(
    rf"(?P<id>\b{_ID})"
    rf"|(?P<uuid>\b{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<date>\b\d{4}-\d\d-\d\d\b)"
)
# Images and documents. Shorter texts of base64 stay.
_BINARY = re.compile(r"(?:data:[^,]{0,100},)?([A-Za-z0-9+/]{200,}={0,2})")


def build_snapshot(operation: str, model: str | None, body: JsonValue) -> dict[str, JsonValue]:
    """Return operation, model and body with sorted members.

    `<id-1>`, `<uuid-1>`, `<time>` and `<date>` replace parts of texts. `<300 bytes, digest
    3f2a…>` replaces base64.
    """
    value = {"operation": operation, **({} if model is None else {"model": model}), "body": body}
    safe = parse(scrub(compact(make_json_safe(value))))
    stable = _replace(safe, _Marks())
    assert isinstance(stable, dict)
    return {name: stable[name] for name in value}


class _Marks:
    """The marks of the ids that were seen, by kind, in order of their first appearance."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = defaultdict(dict)

    def __call__(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if kind in ("time", "date"):
            return f"<{kind}>"
        numbers = self._seen[kind]
        return f"<{kind}-{numbers.setdefault(match[0], len(numbers) + 1)}>"


def _replace(value: JsonValue, mark: Callable[[re.Match[str]], str]) -> JsonValue:
    if isinstance(value, dict):
        return {name: _replace(value[name], mark) for name in sorted(value)}
    if isinstance(value, list):
        return [_replace(item, mark) for item in value]
    if not isinstance(value, str):
        return value
    if binary := _BINARY.fullmatch(value):
        digest = blake2b(binary[1].encode(), digest_size=4).hexdigest()
        return f"<{len(binary[1].rstrip('=')) * 3 // 4} bytes, digest {digest}>"
    return _VOLATILE.sub(mark, value)
