"""The command `bedtape mcp`: the control API of a running server as tools for coding agents.

Each tool is a route of the control API: its description and its inputs come from `ROUTES`. The
Model Context Protocol itself comes from the library `mcp`, over stdin and stdout.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import typer

from bedtape_cassettes.addresses import DEFAULT_SESSION
from bedtape_cassettes.admission import is_loopback
from bedtape_cassettes.cli.errors import fail
from bedtape_replayer.api.route import VERSION, Route
from bedtape_replayer.api.session_routes import ROUTES

_TIMEOUT = 60.0  # seconds; the server is on this machine
_INSTRUCTIONS = (
    "Tools for a running bedtape server, which answers Amazon Bedrock calls of tests from"
    " recordings, rules and faults. Start with list_misses and list_calls. `bedtape guide` prints a"
    " guide, and GET /_bedtape/overlay.schema.json has the schema of rules and faults."
)
_RULE = (
    'a rule, as in an overlay file: {"when": {"prompt_contains": "refund"}, "answer": {"text":'
    ' "Which order?"}, "times": 1}; a wrong rule is answered with all its problems'
)
_FAULT = (
    'a fault, as in an overlay file: {"error": "ThrottlingException", "times": 2, "when": {"model":'
    ' "*claude*"}}; a wrong fault is answered with all its problems'
)
_ASSERTION = (
    '{"called": {"prompt_contains": "refund", "times": 2}}, or not_called, sequence, all_used'
)
_KEEP = '{"cassette": NAME}: the cassette to add the recording to'


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool. route: the name of its route. body: a description of the request's body, or empty.

    query: fixed parameters of the query. explains: a sentence after the description of the route.
    """

    name: str
    route: str
    body: str = ""
    query: Mapping[str, str] | None = None
    explains: str = ""


_MISS = "The report of a miss names the nearest recordings and each difference."
TOOLS = (
    _Tool("list_sessions", "sessions"),
    _Tool("list_calls", "calls"),
    _Tool("list_misses", "calls", query={"source": "miss"}, explains=f"Only misses. {_MISS}"),
    _Tool("explain_call", "call", explains=f"With its request, its answer and its source. {_MISS}"),
    _Tool("explain_retries", "verdict"),
    _Tool("list_layers", "overlay"),
    _Tool("add_rule", "addRule", _RULE),
    _Tool("add_fault", "addFault", _FAULT),
    _Tool("remove_layer", "removeLayer"),
    _Tool("list_unused", "unused"),
    _Tool("list_unplayed", "unplayed"),
    _Tool("assert_calls", "assert", _ASSERTION),
    _Tool("accept_call", "keepCall", _KEEP, explains="The server must run with --edit."),
    _Tool("reset_session", "resetSession"),
    _Tool("list_cassettes", "cassettes"),
    _Tool("show_cassette", "cassette"),
)
_ROUTES: Mapping[str, Route] = {route.name: route for route in ROUTES}


def mcp(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The server, on this machine. Default: BEDTAPE_URL, or http://127.0.0.1:4566.",
        ),
    ] = None,
) -> None:
    """Serve the control API of a running bedtape to a coding agent, over MCP on stdin and stdout.

    The tools list and explain calls and misses, add rules and faults, add answers to cassettes, and
    show cassettes. The agent has the rights of any program on this machine: the server must be on
    loopback, and BEDTAPE_CONTROL_TOKEN contains its token, if it has one. Needs bedtape[mcp].

    \b
    Example:
      claude mcp add bedtape -- bedtape mcp --url http://127.0.0.1:4566
    """
    address = url or os.environ.get("BEDTAPE_URL") or "http://127.0.0.1:4566"
    client = _Client(*_split(address), os.environ.get("BEDTAPE_CONTROL_TOKEN"))
    try:
        import_module("mcp.server.stdio")
    except ImportError:
        fail("bedtape mcp needs the library mcp; to install it: pip install 'bedtape[mcp]'")
    asyncio.run(_serve(client))


def _split(url: str) -> tuple[str, int]:
    """Returns the host and the port. Ends the program unless the URL is http and on loopback."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme != "http" or not is_loopback(host):
        fix = "name the server by 127.0.0.1 or localhost"
        fail(f"--url: expected http:// and a server on this machine, found {url!r}; {fix}")
    return host, port


@dataclass(frozen=True, slots=True)
class _Client:
    """Sends requests to the control API. token: the control token of the server, or `None`."""

    host: str
    port: int
    token: str | None

    def call(self, tool: _Tool, arguments: Mapping[str, Any]) -> tuple[bool, str]:
        """Returns whether the request succeeded, and the answer's text. Raises KeyError."""
        route = _ROUTES[tool.route]
        parts = {name: arguments[name] for name in _list_needed(tool) if name in route.path}
        parts = {"session": arguments.get("session", DEFAULT_SESSION), **parts}
        path = route.path.format_map({k: quote(str(v), safe="") for k, v in parts.items()})
        query = {**{name: arguments[name] for name in _query(route) if name in arguments}}
        query |= tool.query or {}
        if query:
            path += "?" + urlencode({k: _render(v) for k, v in query.items()})
        body = json.dumps(arguments["body"]) if tool.body else None
        headers = {"content-type": "application/json"}
        if self.token is not None:
            headers["x-bedtape-token"] = self.token
        connection = HTTPConnection(self.host, self.port, timeout=_TIMEOUT)
        try:
            connection.request(route.method, path, body, headers)
            response = connection.getresponse()
            return response.status == 200, response.read().decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            fix = "start bedtape replay or bedtape run, or name its address with --url"
            return False, f"no server answers at {self.host}:{self.port} ({error}); {fix}"
        finally:
            connection.close()


def _render(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _query(route: Route) -> Mapping[str, Any]:
    """The inputs of a route's query, without the list of operations (17,000 characters)."""
    operation = {"operation": {"type": "string"}} if "operation" in route.query else {}
    return {**route.query, **operation}


def _list_needed(tool: _Tool) -> list[str]:
    """The inputs that a tool needs: the parts of its path, except the session, and its body."""
    pieces = _ROUTES[tool.route].path.split("/")
    parts = [piece[1:-1] for piece in pieces if piece.startswith("{")]
    return [*(part for part in parts if part != "session"), *(["body"] if tool.body else [])]


def describe_tool(tool: _Tool) -> dict[str, Any]:
    """Returns the name, the description and the JSON Schema of the inputs, as MCP lists a tool."""
    route = _ROUTES[tool.route]
    fixed = tool.query or {}
    properties: dict[str, Any] = {k: v for k, v in _query(route).items() if k not in fixed}
    if "{session}" in route.path:
        default = {"default": DEFAULT_SESSION}
        properties["session"] = {"type": "string", "description": "its name in /s/NAME", **default}
    for name in _list_needed(tool):
        properties[name] = {"type": "string"}
    if tool.body:
        properties["body"] = {"type": "object", "description": tool.body}
    schema = {"type": "object", "properties": properties, "required": _list_needed(tool)}
    return {
        "name": tool.name,
        "description": f"{route.summary} {tool.explains}".strip(),
        "inputSchema": {**schema, "additionalProperties": False},
        "annotations": {"readOnlyHint": route.method == "GET", "openWorldHint": False},
    }


async def _serve(client: _Client) -> None:
    """Serves until stdin ends."""
    types: Any = import_module("mcp_types")
    lowlevel: Any = import_module("mcp.server.lowlevel")
    stdio: Any = import_module("mcp.server.stdio")
    tools = {tool.name: tool for tool in TOOLS}

    async def list_tools(_: Any, __: Any) -> Any:
        listed = [types.Tool.model_validate(describe_tool(tool)) for tool in TOOLS]
        return types.ListToolsResult(tools=listed)

    async def call_tool(_: Any, parameters: Any) -> Any:
        done, text = await asyncio.to_thread(_call, client, tools, parameters)
        content = [types.TextContent(type="text", text=text)]
        return types.CallToolResult(content=content, is_error=not done)

    server = lowlevel.Server(
        "bedtape",
        version=VERSION,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio.stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _call(client: _Client, tools: Mapping[str, _Tool], parameters: Any) -> tuple[bool, str]:
    tool, arguments = tools.get(parameters.name), parameters.arguments or {}
    if tool is None:
        return False, f"expected one of {', '.join(tools)}, found {parameters.name!r}"
    known = describe_tool(tool)["inputSchema"]["properties"]
    missing = [name for name in _list_needed(tool) if name not in arguments]
    unknown = [name for name in arguments if name not in known]
    if missing or unknown:
        return (
            False,
            f"expected the inputs {', '.join(known)}; missing: {missing}, unknown: {unknown}",
        )
    return client.call(tool, arguments)
