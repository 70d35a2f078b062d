"""Whether a request is one to Bedrock, and the path that it asks for. Only what is certain is taken for Bedrock's. Pure."""

from __future__ import annotations

import re

from bedtape_cassettes.foreign.exchange import Unusable
from bedtape_cassettes.model import is_method, is_path
from bedtape_cassettes.operations import identify

__all__ = ["path_of"]

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]*))?(?P<path>/[^#]*)?")
_HOST = re.compile(r"(?i)(?:\A|[.-])bedrock(?:[.-]|\Z)")
# No other API's paths begin so: whatever the host is called (a proxy, a placeholder), and where the recorder lost it.
_OURS_ALONE = ("/model/", "/guardrail/", "/async-invoke")


def path_of(method: str, url: str) -> str:
    """The path with its query, percent-encoded. Raises Unusable, as foreign where it is not Bedrock's."""
    found = _URL.fullmatch(url)
    if not found:
        raise Unusable(f"expected a URL, found {url[:60]!r}")
    host, path = found["host"], found["path"] or "/"
    bare = path.partition("?")[0]
    known = identify(method, path).operation is not None and path.startswith(_OURS_ALONE)
    if not (known or (host and _HOST.search(host))):
        raise Unusable(f"{method} {host or ''}{bare[:80]} is not Bedrock's", foreign=True)
    if not is_path(path) or not is_method(method):
        raise Unusable(f"expected a method and a percent-encoded path, found {method[:20]} {bare[:80]!r}")
    return path
