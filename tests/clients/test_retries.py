"""How often each client sends a call again by itself: docs/reference/clients/retries.md.

Each client runs with its default configuration. It asks one question for each error, and one
question that gets an answer. The server counts the attempts.
`ACCEPT=1 pytest -n 0 tests/clients/test_retries.py` writes the table anew.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

from bedtape_cassettes.addresses import isolate_environment
from bedtape_replayer import Replayer
from support import WAIT
from support.node_packages import skip_unless_installed
from support.toolchains import MAVEN, compiles, run_offline

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "reference" / "clients" / "retries.md"
# Errors with the head of their column. The prompt of a call contains the name of its error.
ERRORS = {
    "ThrottlingException": "429",
    "ModelNotReadyException": "429 not ready",
    "ServiceUnavailableException": "503",
    "InternalServerException": "500",
    "ModelTimeoutException": "408",
    "ModelErrorException": "424",
    "ValidationException": "400",
}
CLOSED = "closed"
ANSWERED, ANSWER = "a question", "Fine."
PROMPTS = (*ERRORS, CLOSED, ANSWERED)
JAVASCRIPT, FRAMEWORKS = HERE / "javascript", HERE / "retries"
GO, JAVA = HERE / "go" / "bearer", ROOT / "clients" / "java"
RUST, RUBY = HERE / "rust", HERE / "ruby"


class Client(NamedTuple):
    """run: sends the calls with these variables, and returns what the client printed.

    version: as it is installed, with its name.
    """

    run: Callable[[dict[str, str]], str]
    version: Callable[[], str]


def _run(command: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(
        [*command, *PROMPTS], env=environ, capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _python(name: str, package: str) -> Client:
    command = [sys.executable, "-W", "ignore", str(HERE / "retries" / "ask.py"), name]
    return Client(lambda environ: _run(command, environ), lambda: f"{package} {version(package)}")


def _node(name: str, package: str, folder: Path, script: str) -> Client:
    def run(environ: dict[str, str]) -> str:
        skip_unless_installed(folder)
        return _run(["node", str(folder / script), name], environ)

    def read_version() -> str:
        file = folder / "node_modules" / package / "package.json"
        return f"{package} {json.loads(file.read_text())['version']}"

    return Client(run, read_version)


def _run_go(environ: dict[str, str]) -> str:
    variables = {**environ, "PROMPTS": ",".join(PROMPTS)}
    done = run_offline(["go", "test", "-v", "-count=1", "-run=TestDefaultRetries"], GO, variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _run_rust(environ: dict[str, str]) -> str:
    command = [
        "cargo",
        "run",
        "--locked",
        "--offline",
        "--quiet",
        "--bin",
        "retries",
        "--",
        *PROMPTS,
    ]
    done = run_offline(command, RUST, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _run_ruby(environ: dict[str, str]) -> str:
    done = run_offline(["ruby", "retries.rb", *PROMPTS], RUBY, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _read_ruby_version() -> str:
    script = "require 'aws-sdk-core'; puts Aws::CORE_GEM_VERSION"
    return "aws-sdk-core " + run_offline(["ruby", "-e", script], RUBY).stdout.strip()


def _java(project: Path, package: str, pattern: str) -> Client:
    def run(environ: dict[str, str]) -> str:
        variables = {**environ, "PROMPTS": ",".join(PROMPTS)}
        with tempfile.TemporaryDirectory() as work:
            ignore = shutil.ignore_patterns("target")
            folder = shutil.copytree(project, Path(work, "java"), ignore=ignore)
            done = run_offline([*MAVEN, "test", "-Dtest=DefaultRetries"], folder, variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return Client(run, lambda: f"{package} {_find(pattern, project / 'pom.xml')}")


def _java_framework(folder: str, package: str) -> Client:
    pattern = rf"<artifactId>{package}</artifactId>\s*<version>([\d.]+)<"
    return _java(HERE / folder, package, pattern)


def _find(pattern: str, file: Path) -> str:
    match = re.search(pattern, file.read_text())
    assert match is not None
    return match[1]


CLIENTS = {
    "boto3 (Python)": _python("boto3", "boto3"),
    "AnthropicBedrock (Python)": _python("AnthropicBedrock", "anthropic"),
    "AnthropicBedrockMantle (Python)": _python("AnthropicBedrockMantle", "anthropic"),
    "BedrockOpenAI (Python)": _python("openai", "openai"),
    "AWS SDK (JavaScript)": _node(
        "AWS SDK", "@aws-sdk/client-bedrock-runtime", JAVASCRIPT, "retries.mjs"
    ),
    "AnthropicBedrock (JavaScript)": _node(
        "AnthropicBedrock", "@anthropic-ai/bedrock-sdk", JAVASCRIPT, "retries.mjs"
    ),
    "BedrockOpenAI (JavaScript)": _node("openai", "openai", JAVASCRIPT, "retries.mjs"),
    "Vercel AI SDK (JavaScript)": _node(
        "Vercel AI", "@ai-sdk/amazon-bedrock", JAVASCRIPT, "retries.mjs"
    ),
    "LangChain.js": _node("LangChain.js", "@langchain/aws", FRAMEWORKS, "ask.mjs"),
    "Strands Agents (TypeScript)": _node(
        "Strands TS", "@strands-agents/sdk", FRAMEWORKS, "ask.mjs"
    ),
    "Mastra (TypeScript)": _node("Mastra", "@mastra/core", FRAMEWORKS, "ask.mjs"),
    "AWS SDK (Go)": Client(
        _run_go,
        lambda: "bedrockruntime " + _find(r"service/bedrockruntime v([\d.]+)", GO / "go.mod"),
    ),
    "AWS SDK (Java)": _java(
        JAVA, "bedrockruntime", r"<artifactId>bom</artifactId>\s*<version>([\d.]+)<"
    ),
    "AnthropicBedrock (Java)": _java_framework("anthropic_java", "anthropic-java-bedrock"),
    "LangChain4j (Java)": _java_framework("langchain4j", "langchain4j-bedrock"),
    "AWS SDK (Rust)": Client(
        _run_rust,
        lambda: (
            "aws-sdk-bedrockruntime "
            + _find(r'aws-sdk-bedrockruntime = \{ version = "=([\d.]+)"', RUST / "Cargo.toml")
        ),
    ),
    "AWS SDK core (Ruby)": Client(_run_ruby, _read_ruby_version),
}


def _read_rows() -> dict[str, list[str]]:
    """Returns the cells of the page's table by client: the version and the attempts."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+ \| [\d |]+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in rows}


def _write_row(name: str, cells: list[str]) -> None:
    rows = {**_read_rows(), name: cells}
    head = ["client", "measured with", *ERRORS.values(), CLOSED]
    table = [head, ["---"] * len(head), *([each, *rows[each]] for each in CLIENTS if each in rows)]
    text = "\n".join(f"| {' | '.join(row)} |" for row in table)
    page = re.sub(r"(?ms)^\| client \|.*^\|[^\n]*\|$", lambda _: text, PAGE.read_text())
    PAGE.write_text(page)


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("name", CLIENTS)
def test_the_page_has_the_attempts_of_the_client(name: str) -> None:
    client = CLIENTS[name]
    with Replayer(()) as bedrock:
        bedrock.respond(text=ANSWER)
        for error in ERRORS:
            bedrock.fail(error, prompt_contains=error, times=99)
        bedrock.fault(reset={}, prompt_contains=CLOSED)
        printed = client.run(isolate_environment(os.environ, bedrock.url))
        calls = [bedrock.calls.filter(prompt_contains=each) for each in PROMPTS]
        assert [call.status for call in calls.pop()] == [200]
        attempts = [str(len(each)) for each in calls]
        assert bedrock.verdict == ()
    assert printed.count(ANSWER) == 1, printed
    if os.environ.get("ACCEPT"):
        _write_row(name, [client.version(), *attempts])
    assert _read_rows()[name][1:] == attempts


def test_the_page_has_a_row_for_each_client() -> None:
    assert list(_read_rows()) == list(CLIENTS)
