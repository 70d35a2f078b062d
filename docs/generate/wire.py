"""Renders the tables of the pages about the wire: operations, headers,
variables, and the tested SDKs.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from pathlib import Path

from tables import code, table

from bedtape_cassettes.addresses import CLIENT_VARIABLES, RUNTIME, Endpoint, render_prefix
from bedtape_cassettes.families.rendering import can_render
from bedtape_cassettes.families.service_apis import SERVICE_APIS
from bedtape_cassettes.families.shared.service_models import load_operation
from bedtape_cassettes.matching import normalise
from bedtape_cassettes.matching.key import ANSWER_HEADERS
from bedtape_cassettes.operations import OPERATIONS, SERVER_SENT, Operation
from bedtape_replayer.answering.service_operations import SERVICE_OPERATIONS
from bedtape_replayer.overlay.outputs.building import find_status
from bedtape_replayer.overlay.simulation.guardrails.feature import (
    OPERATIONS as GUARDRAIL_OPERATIONS,
)

__all__ = ["render_headers", "render_operations", "render_sdks", "render_variables"]

_ROOT = Path(__file__).parents[2]
_HEADERS = {
    "kept": (
        *sorted(normalise._KEPT_REQUEST_HEADERS),
        *(f"{name}*" for name in normalise._KEPT_REQUEST_PREFIXES),
    ),
    "volatile": tuple(sorted(normalise.VOLATILE_RESPONSE_HEADERS)),
    "matched": ANSWER_HEADERS,
}


def render_operations() -> list[str]:
    """Renders every operation by service, with method, path, form of the answer, and
    possible answers of rules.
    """
    lines: list[str] = []
    for service in dict.fromkeys(known.service for known in (*OPERATIONS, *SERVICE_OPERATIONS)):
        rowed = [known for known in OPERATIONS if known.service == service]
        names = {known.name for known in rowed}
        others = [
            known
            for known in SERVICE_OPERATIONS
            if known.service == service and known.name not in names
        ]
        rowed += [known for known in others if known.name in SERVICE_APIS]
        others = [known for known in others if known.name not in SERVICE_APIS]
        rows = [
            (
                code(known.name),
                code(f"{known.method} {known.path}"),
                _render_answer(known),
                _render_rules(known),
            )
            for known in rowed
        ]
        lines += [f"### {service}", ""]
        if rows:
            lines += [*table(("operation", "request", "answer", "rules"), rows), ""]
        answered = [known.name for known in (*rowed, *others) if known.name in GUARDRAIL_OPERATIONS]
        if answered:
            text = f"[Simulated guardrails](guardrails.md) answer {', '.join(map(code, answered))}."
            lines += [*textwrap.wrap(text, 100, break_on_hyphens=False), ""]
        for modelled in dict.fromkeys(map(_list_modelled, others)):
            some = ", ".join(
                code(known.name) for known in others if _list_modelled(known) == modelled
            )
            keys = ", ".join(map(code, (*modelled, "error", "raw")))
            lines += [*textwrap.wrap(f"With {keys}: {some}.", 100, break_on_hyphens=False), ""]
    return lines


def _render_answer(known: Operation) -> str:
    if known.streaming:
        return "events"
    return "JSON or SSE" if known.name in SERVER_SENT else "JSON"


def _render_rules(known: Operation) -> str:
    modelled = _list_modelled(known)
    if known.name in SERVICE_APIS:
        return ", ".join(map(code, (*SERVICE_APIS[known.name].words, *modelled, "error", "raw")))
    if can_render(known.name):
        return "any"
    return ", ".join(map(code, (*modelled, "error", "raw")))


def _list_modelled(known: Operation) -> tuple[str, ...]:
    """Returns the keys of an answer that the service model describes."""
    if known.dialect != "aws":
        return ()
    if known.duplex:
        return ("conversation", "output", "events")
    if known.streaming:
        return ("output", "events")
    model = load_operation(known.service, known.name)
    return ("output", "state") if model and find_status(model) else ("output",)


def render_variables() -> list[str]:
    """Renders the variables from which clients read their endpoint, and the
    values that bedtape sets.
    """
    rows = [
        (
            code(name),
            variable.clients,
            _render_endpoint(variable.default),
            ", ".join(map(code, variable.keys)) or "-",
        )
        for name, variable in CLIENT_VARIABLES.items()
    ]
    return table(("variable", "read by", "value", "made-up keys"), rows)


def _render_endpoint(default: Endpoint | None) -> str:
    if default is None:
        return "the same path, if it names an endpoint of Bedrock; else unchanged"
    prefix = "" if default.service == RUNTIME else render_prefix(service=default.service)
    return code(f"http://127.0.0.1:PORT{prefix}{default.path}")


def render_headers(which: str) -> list[str]:
    """Renders a list of headers: `kept`, `volatile` or `matched`."""
    return [f"{', '.join(map(code, _HEADERS[which]))}."]


def render_sdks() -> list[str]:
    """Renders the SDKs that the tests of this repository use, with their versions."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    python = {
        _get_name(line): line
        for line in (*project["dependencies"], *project["optional-dependencies"]["test"])
    }
    javascript = json.loads((_ROOT / "tests/clients/javascript/package.json").read_text())[
        "dependencies"
    ]
    go = (_ROOT / "tests/examples/go/go.mod").read_text()
    java = (_ROOT / "tests/examples/java/pom.xml").read_text()
    rows = [
        (
            "boto3",
            python["boto3"].removeprefix("boto3"),
            "HTTP/1.1",
            "samples and corpus, retries, faults, streams",
        ),
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
        (
            "AWS SDK for Go",
            _read_version(r"bedrockruntime v([\d.]+)", go),
            "HTTP/1.1",
            "the example's four tests",
        ),
        (
            "AWS SDK for Java",
            _read_version(r"<artifactId>bom</artifactId>\s*<version>([\d.]+)", java),
            "HTTP/1.1",
            "the example's four tests",
        ),
    ]
    return table(("client", "version", "protocol", "what is tested"), rows)


def _get_name(requirement: str) -> str:
    return re.split(r"[\[><=;]", requirement)[0]


def _read_version(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, pattern
    return match[1]
