"""What became of each framework, read from pytest's JUnit reports, and the page that says it.

Only the pins are read.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

REQUIREMENTS = Path(__file__).parent / "requirements"
# What points a framework at the server, where it is not only the variable of all AWS SDKs.
_SDKS = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
_LITELLM = ("AWS_BEDROCK_RUNTIME_ENDPOINT", "BEDROCK_MANTLE_API_BASE")
_VARIABLES = {
    "anthropic": (
        "ANTHROPIC_BEDROCK_BASE_URL",
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
        "ANTHROPIC_BASE_URL",
    ),
    "chatlas": (_SDKS, "AWS_ENDPOINT_URL_BEDROCK_MANTLE"),
    "dspy": _LITELLM,
    "litellm": _LITELLM,
    "openai": ("AWS_BEDROCK_BASE_URL", "OPENAI_BASE_URL"),
    "openai-agents": ("AWS_BEDROCK_BASE_URL",),
    "pydantic-ai": (_SDKS, "AWS_BEDROCK_BASE_URL", "ANTHROPIC_BEDROCK_MANTLE_BASE_URL"),
    "strands-agents": (_SDKS, "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"),
}
_NAME = re.compile(r"test_(\w+)(?:\[(.*)\])?")


@dataclass(frozen=True, slots=True)
class Case:
    """One test: what of the framework it tried, with which model or variant,
    and what became of it.
    """

    tried: str
    variant: str
    outcome: Literal["passed", "failed", "known to fail", "skipped"]
    said: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A framework's tests. output: what pip or pytest said of what failed.

    No cases: it could not be installed.
    """

    name: str
    python: str
    cases: tuple[Case, ...]
    output: str = ""
    failed: bool = False

    @property
    def broken(self) -> bool:
        return self.failed or not self.cases

    @property
    def summary(self) -> str:
        if not self.cases:
            return "could not be installed or run"
        counts = (
            (self.count(outcome), outcome)
            for outcome in ("passed", "failed", "known to fail", "skipped")
        )
        return ", ".join(f"{count} {outcome}" for count, outcome in counts if count)

    def count(self, outcome: str) -> int:
        return sum(case.outcome == outcome for case in self.cases)


def wants(name: str) -> list[str]:
    """What the environment is for, as the first line of its requirements says it."""
    return (
        (REQUIREMENTS / f"{name}.txt").read_text().splitlines()[0].removeprefix("# wants: ").split()
    )


def pins(name: str) -> dict[str, str]:
    """Versions by package."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def batches(names: list[str]) -> Iterator[list[str]]:
    """All pins, in as many lists as a package has versions, for pip takes one at a time."""
    versions: dict[str, set[str]] = {}
    for name in names:
        for package, version in pins(name).items():
            # pip freeze writes some names with underscores, and a list has each name once
            canonical = re.sub(r"[-_.]+", "-", package).lower()
            versions.setdefault(canonical, set()).add(version)
    rows = (
        [f"{package}=={version}" for version in sorted(numbers)]
        for package, numbers in sorted(versions.items())
    )
    for batch in zip_longest(*rows):
        yield [pin for pin in batch if pin is not None]


def read(xml: str) -> tuple[Case, ...]:
    """The cases of a JUnit report."""
    return tuple(_case(case) for case in ET.fromstring(xml).iter("testcase"))


def _case(case: ET.Element) -> Case:
    match = _NAME.fullmatch(case.get("name", ""))
    tried, variant = (
        (match[1].replace("_", " "), match[2] or "") if match else (case.get("name", ""), "")
    )
    for child in case:
        if child.tag in ("failure", "error"):
            return Case(tried, variant, "failed", _first_line(child))
        if child.tag == "skipped":
            known = child.get("type") == "pytest.xfail"
            return Case(tried, variant, "known to fail" if known else "skipped", _first_line(child))
    return Case(tried, variant, "passed")


def _first_line(told: ET.Element) -> str:
    return next(iter(told.get("message", "").splitlines()), "")


# -- the page --------------------------------------------------------------------------------------

_HEAD = """# Frameworks

`make test-matrix` writes this page. It runs each framework's own, unmodified code against the
server, in an environment of its own (`tests/matrix/requirements`), with the fixture `bedrock`.
Nothing is set by hand except what AWS's guide sets: `OPENAI_BASE_URL` and `ANTHROPIC_BASE_URL` name
a host of Bedrock. Rules supply the answers. The tests check the results of the framework and the
requests that it sent: chat, streams, tool round trips, structured answers, embeddings, and retries
after throttling. "bedtape run" in the lists means that a program runs under `bedtape run`. The page
about [clients in other languages](clients/retries.md) has the clients and frameworks for
JavaScript, TypeScript, Go, Java, Rust and Ruby.

| framework | versions | Python | pointed at the server by | result |
|---|---|---|---|---|
"""


def page(results: Iterable[Result]) -> str:
    """The page, in Markdown."""
    results = list(results)
    rows = "".join(f"{_row(result)}\n" for result in results)
    return _HEAD + rows + "".join(f"\n{_section(result)}" for result in results)


def _row(result: Result) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in shown(result.name))
    variables = ", ".join(f"`{name}`" for name in _VARIABLES.get(result.name, (_SDKS,)))
    return (
        f"| [{result.name}](#{result.name}) | {versions} | {result.python} | {variables} |"
        f" {result.summary} |"
    )


def shown(name: str) -> list[tuple[str, str]]:
    """The packages whose versions matter: what was wanted, and the SDK beneath."""
    versions = pins(name)
    wanted = [want.partition("[")[0] for want in wants(name)]
    return [(package, versions[package]) for package in dict.fromkeys((*wanted, "boto3"))]


def _section(result: Result) -> str:
    return f"## {result.name}\n\n" + "".join(f"- {line}\n" for line in _lines(result.cases))


def _lines(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        yield "nothing was tried: it could not be installed or run"
    for tried in dict.fromkeys(case.tried for case in cases):
        passed = [case for case in cases if case.tried == tried and case.outcome == "passed"]
        if passed:
            variants = ", ".join(case.variant for case in passed if case.variant)
            yield f"{tried}: {variants}" if variants else tried
    for case in cases:
        if case.outcome != "passed":
            yield f"**{case.outcome}**: {case.tried} {case.variant}: {case.said}"
