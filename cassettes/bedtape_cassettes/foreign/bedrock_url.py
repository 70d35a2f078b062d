"""Decides whether a request is one to Bedrock, and returns its path."""

from __future__ import annotations

import re

from bedtape_cassettes.foreign.exchange import Unusable
from bedtape_cassettes.model import is_method, is_path
from bedtape_cassettes.operations import identify

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]*))?(?P<path>/[^#]*)?")
_HOST = re.compile(r"(?i)(?:\A|[.-])bedrock(?:[.-]|\Z)")
# No other API has paths with these prefixes, so the host may be a proxy, a placeholder or missing.
_OURS_ALONE = ("/model/", "/guardrail/", "/async-invoke")


def path_of(method: str, url: str) -> str:
    """Returns the path with its query, percent-encoded. Raises Unusable, with foreign=True for another API."""
    match = _URL.fullmatch(url)
    if not match:
        raise Unusable(f"expected a URL, found {url[:60]!r}")
    host, path = match["host"], match["path"] or "/"
    bare = path.partition("?")[0]
    known = identify(method, path).operation is not None and path.startswith(_OURS_ALONE)
    if not (known or (host and _HOST.search(host))):
        raise Unusable(f"{method} {host or ''}{bare[:80]} is not Bedrock's", foreign=True)
    if not is_path(path) or not is_method(method):
        raise Unusable(f"expected a method and a percent-encoded path, found {method[:20]} {bare[:80]!r}")
    return path
