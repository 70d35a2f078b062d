"""Intercepts the requests of botocore. A function may redirect or refuse each request.

botocore is wrapped when another module imports it, so that a run without AWS costs nothing. Opens no sockets.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import RUNTIME, read_service, render_prefix, split_prefixes


class RealBedrockBlocked(RuntimeError):
    """A test was about to call real Amazon Bedrock."""


def redirect(url: str, base: str, others: Sequence[str]) -> str:
    """Return the URL at the endpoint `base`, if it is at a real endpoint or at one of the servers `others`.

    Every other URL stays unchanged. others: servers whose URLs a client may have kept from another test. Such a URL
    names the session of that test, so the session is removed, and the path of the server's own URL.
    """
    service, parts = read_service(url), urlsplit(url)
    path = parts.path
    if service is None:
        bases = (urlsplit(other) for other in others)
        own = next((found.path for found in bases if parts.netloc == found.netloc), None)
        if own is None:
            return url
        _, service, path = split_prefixes(path.removeprefix(own))
    prefix = render_prefix(service=None if service == RUNTIME else service)
    return f"{base}{prefix}{path}{'?' if parts.query else ''}{parts.query}"


class Guard(MetaPathFinder):
    """Wraps botocore's sender and signer, now or when they are imported, until `lift` is called.

    route: returns the URL to which a request is sent, or raises the exception for the caller. signs: whether a client
    without keys signs requests to this URL with invented keys, because the requests stay on this machine.
    """

    def __init__(self, route: Callable[[str], str], signs: Callable[[str], bool]) -> None:
        self._route = route
        self._signs = signs
        self._lift: list[Callable[[], None]] = []
        self._wrapping: dict[str, Callable[[ModuleType], None]] = {
            "botocore.httpsession": lambda module: self._wrap(module.URLLib3Session, "send", self._wrap_send),
            "aiobotocore.httpsession": lambda module: self._wrap(module.AIOHTTPSession, "send", self._wrap_send),
            "botocore.auth": lambda module: self._wrap(module.SigV4Auth, "add_auth", self._wrap_add_auth),
        }

    def install(self) -> None:
        """Wraps what is imported, and waits for the rest."""
        for name, wrap in self._wrapping.items():
            if name in sys.modules:
                wrap(sys.modules[name])
        sys.meta_path.insert(0, self)

    def lift(self) -> None:
        """Puts everything back as it was."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        while self._lift:
            self._lift.pop()()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's usual spec with a loader that wraps the module after it was run."""
        wrap = self._wrapping.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if wrap else None
        if wrap is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            wrap(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _wrap(self, owner: Any, name: str, wrapping: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        setattr(owner, name, wraps(original)(wrapping(original)))
        self._lift.append(lambda: setattr(owner, name, original))

    def _wrap_send(self, send: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Wrap `send(request)`, sync or async."""

        def send_routed(session: Any, request: Any) -> Any:
            __tracebackhide__ = True  # a failing test shows who called, not us
            request.url = self._route(request.url)
            return send(session, request)

        return send_routed

    def _wrap_add_auth(self, add_auth: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """A client that was made without credentials fails here, before anything is sent."""

        def add_auth_routed(auth: Any, request: Any) -> None:
            if auth.credentials is None and self._signs(request.url):
                auth.credentials = sys.modules["botocore.credentials"].Credentials("bedtape", "bedtape")
            add_auth(auth, request)

        return add_auth_routed
