"""The tables of the pages about the wire: operations, headers by what becomes of them, and the SDKs that tests drive."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from tables import code, table

from bedtape_cassettes.addresses import CLIENT_VARIABLES, RUNTIME, Endpoint, render_prefix
from bedtape_cassettes.families.rendering import can_render
from bedtape_cassettes.matching import normalise
from bedtape_cassettes.matching.key import ANSWER_HEADERS
from bedtape_cassettes.operations import OPERATIONS, SERVER_SENT, Operation

__all__ = ["headers", "operations", "sdks", "variables"]

_ROOT = Path(__file__).parents[2]
_HEADERS = {
    "kept": (*sorted(normalise._KEPT_REQUEST_HEADERS), *(f"{name}*" for name in normalise._KEPT_REQUEST_PREFIXES)),
    "volatile": tuple(sorted(normalise.VOLATILE_RESPONSE_HEADERS)),
    "matched": ANSWER_HEADERS,
}


def operations() -> list[str]:
    """Every operation by its service, with its method and path, the form of its answer, and the answers of rules."""
    found: list[str] = []
    for service in dict.fromkeys(known.service for known in OPERATIONS):
        rows = [
            (code(known.name), code(f"{known.method} {known.path}"), _answer(known), _ruled(known.name))
            for known in OPERATIONS
            if known.service == service
        ]
        found += [f"### {service}", "", *table(("operation", "request", "answer", "rules"), rows), ""]
    return found


def _answer(known: Operation) -> str:
    if known.streaming:
        return "events"
    return "JSON or SSE" if known.name in SERVER_SENT else "JSON"


def _ruled(name: str) -> str:
    return "any" if can_render(name) else "`error`, `raw`"


def variables() -> list[str]:
    """The variables from which clients read their endpoint, and what bedtape sets them to."""
    rows = [
        (code(name), variable.clients, _endpoint(variable.default), ", ".join(map(code, variable.keys)) or "-")
        for name, variable in CLIENT_VARIABLES.items()
    ]
    return table(("variable", "read by", "value", "made-up keys"), rows)


def _endpoint(default: Endpoint | None) -> str:
    if default is None:
        return "the same path, if it names an endpoint of Bedrock; else unchanged"
    prefix = "" if default.service == RUNTIME else render_prefix(service=default.service)
    return code(f"http://127.0.0.1:PORT{prefix}{default.path}")


def headers(which: str) -> list[str]:
    """A list of headers that the code has."""
    return [f"{', '.join(map(code, _HEADERS[which]))}."]


def sdks() -> list[str]:
    """The SDKs that the repository's own tests drive, in the versions that it asks for."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    python = {_name(line): line for line in (*project["dependencies"], *project["optional-dependencies"]["test"])}
    javascript = json.loads((_ROOT / "tests/clients/javascript/package.json").read_text())["dependencies"]
    go = (_ROOT / "tests/examples/go/go.mod").read_text()
    java = (_ROOT / "tests/examples/java/pom.xml").read_text()
    rows = [
        ("boto3", python["boto3"].removeprefix("boto3"), "HTTP/1.1", "samples and corpus, retries, faults, streams"),
        (
            "Anthropic's client for Python",
            python["anthropic"].removeprefix("anthropic[bedrock]"),
            "HTTP/1.1",
            "samples and corpus, streams, errors",
        ),
        (
            "AWS SDK for JavaScript",
            javascript["@aws-sdk/client-bedrock-runtime"],
            "HTTP/2 by prior knowledge; HTTP/1.1 with `NodeHttpHandler`",
            "samples and corpus, fifty streams at a time, GOAWAY",
        ),
        ("AWS SDK for Go", _find(r"bedrockruntime v([\d.]+)", go), "HTTP/1.1", "the example's four tests"),
        (
            "AWS SDK for Java",
            _find(r"<artifactId>bom</artifactId>\s*<version>([\d.]+)", java),
            "HTTP/1.1",
            "the example's four tests",
        ),
    ]
    return table(("client", "version", "speaks", "what is tested"), rows)


def _name(requirement: str) -> str:
    return re.split(r"[\[><=;]", requirement)[0]


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, pattern
    return found[1]
