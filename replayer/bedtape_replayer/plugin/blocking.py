"""Redirects the requests of botocore, and refuses connections to real Bedrock. Opens no sockets.

Requests are redirected before botocore's `before-send` event, because moto answers there. A
connection is refused where a library looks up the host name, because VCR.py, aioresponses and
others answer above that. Modules are wrapped when another module imports them, so that a run
without AWS costs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from inspect import iscoroutinefunction, signature
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from bedtape_cassettes.addresses import RUNTIME, read_service, render_prefix, split_prefixes

# Nothing listens on the discard port. The path is the message, because SDKs print the URL
# that they cannot reach.
CLOSED_URL = "http://127.0.0.1:9/real-bedrock-is-blocked-use-the-fixture-bedrock"

# The modules between a client of botocore and the connection. Their frames do not
# explain a blocked call.
_BELOW_CLIENT = (
    "botocore.context",
    "botocore.httpsession",
    "urllib3.connectionpool",
    "urllib3.connection",
    "urllib3.util.connection",
    "socket",
)
_ENDPOINT = "https://bedrock-runtime.us-east-1.amazonaws.com"


class RealBedrockBlocked(BaseException):
    """A test was about to call real Amazon Bedrock.

    It is not an `Exception`, as pytest's own failures, so that no retry and no
    fallback of the code hides it.
    """


def redirect(url: str, base: str, others: Sequence[str]) -> str:
    """Return the URL at the endpoint `base`, if it is at a real endpoint or at one
    of the servers `others`.

    Every other URL stays unchanged. others: servers whose URLs a client may have kept from another
    test. Such a URL names the session of that test, so the session is removed, and the path of the
    server's own URL.
    """
    service, parts = read_service(url), urlsplit(url)
    path = parts.path
    if service is None:
        servers = (urlsplit(other) for other in others)
        own = next((server.path for server in servers if parts.netloc == server.netloc), None)
        if own is None:
            return url
        _, service, path = split_prefixes(path.removeprefix(own))
    prefix = render_prefix(service=None if service == RUNTIME else service)
    return f"{base}{prefix}{path}{'?' if parts.query else ''}{parts.query}"


def _is_miss(failure: Any) -> bool:
    """Return whether pytest's ExceptionInfo contains a miss or a blocked call."""
    if isinstance(failure.value, RealBedrockBlocked):
        return True
    response = getattr(failure.value, "response", None)
    # not at the start of pytest, which is then slower
    own = import_module("bedtape_replayer.answering.answer")
    return isinstance(response, dict) and response.get("Error", {}).get("Code") in (
        own.MISS,
        own.OVERLAY,
    )


def _ignore(*_: object) -> None:
    pass


class Guard(MetaPathFinder):
    """Redirects and refuses, from `install` until `lift` is called.

    route: sets the URL to which botocore sends a request. signs: whether a client without keys
    signs requests to this URL with invented keys, so that the request reaches the connection.
    refuse: raises the exception for a connection to a host, or returns. environ: returns the
    environment of a child process. waits: whether SDKs wait before they retry. opened, closed:
    called with VCR.py's context of a cassette after the cassette was opened, and before it is
    closed. local: whether other tools must not block connections to this machine.
    """

    def __init__(
        self,
        route: Callable[[Any], None],
        signs: Callable[[str], bool],
        refuse: Callable[[str], None],
        environ: Callable[[Mapping[str, str]], Mapping[str, str]],
        waits: Callable[[], bool],
        opened: Callable[[object, Any], object] = _ignore,
        closed: Callable[[object], object] = _ignore,
        local: Callable[[], bool] = bool,
    ) -> None:
        self._route = route
        self._signs = signs
        self._refuse = refuse
        self._environ = environ
        self._waits = waits
        self._opened = opened
        self._closed = closed
        self._local = local
        self._lift: list[Callable[[], None]] = []
        self._wrapping: dict[str, Callable[[ModuleType], None]] = {
            "botocore.endpoint": self._wrap_botocore,
            "aiobotocore.endpoint": self._wrap_aiobotocore,
            "anthropic._base_client": self._wrap_stainless,
            "openai._base_client": self._wrap_stainless,
            "botocore.client": self._wrap_client,
            "aiobotocore.client": lambda module: self._wrap(
                module.AioClientCreator, "create_client", self._wrap_create_client
            ),
            **dict.fromkeys(_BELOW_CLIENT, self._hide),
            "botocore.auth": lambda module: self._wrap(
                module.SigV4Auth, "add_auth", self._wrap_add_auth
            ),
            "awscrt.http": lambda module: self._wrap(
                module.HttpClientConnectionBase,
                "_generic_new",
                lambda new: staticmethod(self._wrap_host(new)),
            ),
            "aiohttp.resolver": lambda module: self._wrap(
                module.ThreadedResolver, "resolve", self._wrap_resolve
            ),
            "vcr.cassette": self._wrap_vcr,
            "pytest_recording.network": lambda module: self._wrap(
                module, "block_socket", self._wrap_block_socket
            ),
            "subprocess": lambda module: self._wrap(module.Popen, "__init__", self._wrap_popen),
        }

    def install(self) -> None:
        """Wraps what is imported, and waits for the rest."""
        for name, wrap in self._wrapping.items():
            if name in sys.modules:
                wrap(sys.modules[name])
        sys.meta_path.insert(0, self)
        if not _REFUSE:
            sys.addaudithook(_audit)
        _REFUSE.append(self._refuse)

    def lift(self) -> None:
        """Puts everything back as it was."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            _REFUSE.remove(self._refuse)
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

    def _wrap_client(self, module: ModuleType) -> None:
        self._hide(module)
        self._wrap(module.ClientCreator, "create_client", self._wrap_create_client)

    def _wrap_create_client(self, create: Callable[..., Any]) -> Callable[..., Any]:
        """A client without a region would fail here, before its call reaches the connection."""
        parameters = signature(create)

        def create_client_with_region(*arguments: Any, **options: Any) -> Any:
            bound = parameters.bind(*arguments, **options)
            given = bound.arguments
            if (
                given["region_name"] is None
                and given["service_name"].startswith("bedrock")
                and self._signs(_ENDPOINT)
            ):
                given["region_name"] = "us-east-1"
            return create(*bound.args, **bound.kwargs)

        return create_client_with_region

    def _hide(self, module: ModuleType) -> None:
        """Hide the SDK's frames in the traceback of a miss, because they are longer than it."""
        if "__tracebackhide__" not in vars(module):  # another guard may have set it
            module.__dict__["__tracebackhide__"] = _is_miss
            self._lift.append(lambda: module.__dict__.pop("__tracebackhide__", None))

    def _replace(self, owner: Any, name: str, value: object) -> None:
        original = vars(owner)[name]
        setattr(owner, name, value)
        self._lift.append(lambda: setattr(owner, name, original))

    def _wrap(self, owner: Any, name: str, wrapping: Callable[[Any], Any]) -> None:
        original = vars(owner)[name]
        function = original.__func__ if isinstance(original, staticmethod) else original
        self._replace(owner, name, wraps(function)(wrapping(function)))

    def _wrap_botocore(self, module: ModuleType) -> None:
        self._hide(module)
        self._wrap(module.Endpoint, "_do_get_response", self._wrap_send)
        clock = vars(module)["time"]
        self._replace(
            module, "time", SimpleNamespace(**{**vars(clock), "sleep": self._make_sleep(clock)})
        )

    def _make_sleep(self, clock: ModuleType) -> Callable[[float], None]:
        def sleep_if_due(seconds: float) -> None:
            if self._waits():
                clock.sleep(seconds)

        return sleep_if_due

    def _wrap_aiobotocore(self, module: ModuleType) -> None:
        self._wrap(module.AioEndpoint, "_do_get_response", self._wrap_send)
        if hasattr(module.AioEndpoint, "_sleep"):
            self._wrap(module.AioEndpoint, "_sleep", self._wrap_wait)

    def _wrap_stainless(self, module: ModuleType) -> None:
        """Wrap the clients of Anthropic and OpenAI, which one generator makes."""
        self._wrap(module.BaseClient, "_calculate_retry_timeout", self._wrap_wait)

    def _wrap_wait(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function that waits for its last argument in seconds, or that returns seconds."""

        def wait_if_due(client: Any, *arguments: Any) -> Any:
            if self._waits():
                return wait(client, *arguments)
            return wait(client, 0) if iscoroutinefunction(wait) else 0.0

        return wait_if_due

    def _wrap_send(self, send: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `send(request, operation, context)`, sync or async."""

        def send_routed(endpoint: Any, request: Any, *more: Any) -> Any:
            __tracebackhide__ = True  # a failing test shows who called, not us
            self._route(request)
            return send(endpoint, request, *more)

        return send_routed

    def _wrap_add_auth(self, add_auth: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        """A client that was made without credentials fails here, before anything is sent."""

        def add_auth_routed(auth: Any, request: Any) -> None:
            if auth.credentials is None and self._signs(request.url):
                auth.credentials = sys.modules["botocore.credentials"].Credentials(
                    "bedtape", "bedtape"
                )
            add_auth(auth, request)

        return add_auth_routed

    def _wrap_host(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function whose first argument is a host, which it looks up by itself."""

        def connect_refused(host_name: str, *more: Any, **options: Any) -> Any:
            self._refuse(host_name)
            return connect(host_name, *more, **options)

        return connect_refused

    def _wrap_resolve(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap aiohttp's resolver, because uvloop looks names up without Python's help."""

        def resolve_refused(resolver: Any, host: str, *more: Any, **options: Any) -> Any:
            self._refuse(host)
            return resolve(resolver, host, *more, **options)

        return resolve_refused

    def _wrap_vcr(self, module: ModuleType) -> None:
        context = module.CassetteContextDecorator

        def wrap_enter(enter: Callable[[object], Any]) -> Callable[[object], Any]:
            def enter_watched(self: object) -> Any:
                cassette = enter(self)
                opened(self, cassette)
                return cassette

            return enter_watched

        def wrap_exit(leave: Callable[..., Any]) -> Callable[..., Any]:
            def leave_watched(self: object, *failure: Any) -> Any:
                closed(self)
                return leave(self, *failure)

            return leave_watched

        opened, closed = self._opened, self._closed
        self._wrap(context, "__enter__", wrap_enter)
        self._wrap(context, "__exit__", wrap_exit)

    def _wrap_block_socket(self, block: Callable[..., None]) -> Callable[..., None]:
        """pytest-recording blocks connections to this machine too, unless a pattern allows them."""

        def block_others(allowed_hosts: list[str] | None = None) -> None:
            block([*(allowed_hosts or ()), r"127\.0\.0\.1"] if self._local() else allowed_hosts)

        return block_others

    def _wrap_popen(self, begin: Callable[..., None]) -> Callable[..., None]:
        place = list(signature(begin).parameters).index("env")

        def begin_blocked(process: Any, *positional: Any, **options: Any) -> None:
            if len(positional) < place:
                environ = options.get("env")
                changed = self._environ(os.environ if environ is None else environ)
                if changed is not os.environ:
                    options["env"] = changed
            begin(process, *positional, **options)

        return begin_blocked


# -- connections -----------------------------------------------------------------------------------

# The functions of the installed guards. Python has no way to remove an audit hook.
_REFUSE: list[Callable[[str], None]] = []
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyname_ex")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to look up a host name, and to ask a proxy for a connection to it."""
    __tracebackhide__ = True
    if event in _LOOKUPS:
        host = arguments[0]
    elif (
        event == "http.client.send"
        and isinstance(arguments[1], bytes)
        and arguments[1].startswith(b"CONNECT ")
    ):
        host = arguments[1].split()[1].rpartition(b":")[0]
    else:
        return
    for refuse in tuple(_REFUSE):
        refuse(host.decode("latin-1") if isinstance(host, bytes) else str(host))
