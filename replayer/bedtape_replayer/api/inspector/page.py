"""Serves the files of the inspector's page. They are read from the package's data.

The files contain no data of users, so they need no token. Their Content-Security-Policy forbids
inline script and style and other hosts, because the page shows texts of models and prompts, which
must not run as script.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from bedtape_replayer.answering.reply import Reply, build_own_reply

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
    " data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", POLICY.encode()),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_ASSET = re.compile(r"/_bedtape/inspector/([a-z]+\.(css|js))")


def page(method: str, path: str) -> Reply | None:
    """Return the page, one of its files, or a redirect to the page; `None` for any other path."""
    if method not in ("GET", "HEAD"):
        return None
    plain = path.partition("?")[0]
    if plain == "/_bedtape":
        # Relative, so that a session's prefix stays.
        return build_own_reply(307, b"", *_HEADERS, first=(b"Location", b"_bedtape/"))
    if plain == "/_bedtape/":
        return _file("index.html", "html")
    asset = _ASSET.fullmatch(plain)
    return _file(asset[1], asset[2]) if asset else None


def _file(name: str, kind: str) -> Reply | None:
    data = read_files().get(name)
    if data is None:
        return None
    return build_own_reply(
        200, data, *_HEADERS, first=(b"Content-Type", f"{_TYPES[kind]}; charset=utf-8".encode())
    )


@cache
def read_files() -> dict[str, bytes]:
    """Read all files of the page early, because a request may find no free file descriptor."""
    return {
        file.name: file.read_bytes()
        for file in (files("bedtape_replayer.api.inspector") / "static").iterdir()
    }
