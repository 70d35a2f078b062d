"""The first hour of a reader, from an empty environment.

The lines of the pages are pasted, the first tests pass, and the report of the first failing test
contains what fixes it: for Python, Node.js, Go and Java.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from support import WAIT
from support.node_packages import make_project
from support.toolchains import MAVEN, compiles, run_offline

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
JAVA_PAGE = (ROOT / "docs" / "reference" / "clients" / "java.md").read_text()
GO_PAGE = (ROOT / "docs" / "reference" / "clients" / "go.md").read_text()
ASKED, CHANGED = "why do teams record their model calls?", "why do teams record?"
pytestmark = pytest.mark.slow


def _read_first_lines() -> list[str]:
    """Returns the commands of the block of README that begins with the installation."""
    (block,) = re.findall(
        r"^```console\n(\$ pip install bedtape pytest\n.*?)^```", README, re.MULTILINE | re.DOTALL
    )
    return re.findall(r"^\$ (.+)$", block, re.MULTILINE)


def _paste(line: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def _change(test: Path) -> None:
    text = test.read_text()
    assert text.count(ASKED) == 1
    test.write_text(text.replace(ASKED, CHANGED))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with bedtape's wheel, as the page about the installation makes it."""
    folder = tmp_path_factory.mktemp("wheels")
    offline = ["--no-index", "--no-build-isolation", "--no-deps", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *offline, "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=WAIT)
    return folder


@pytest.fixture
def environ(wheels: Path, tmp_path: Path) -> dict[str, str]:
    """The variables of an empty virtual environment. Instead of a package index, it has the
    packages of this environment without bedtape, and bedtape's wheel.
    """
    venv, packages = tmp_path / "venv", tmp_path / "packages"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=WAIT)
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not re.match(r"_?bedtape|__editable__|pip\b", path.name):
            (packages / path.name).symlink_to(path)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "index.pth").write_text(f"{packages}\n")
    python = venv / "bin" / "python"
    (venv / "bin" / "pytest").write_text(f'#!/bin/sh\nexec {python} -m pytest "$@"\n')
    (venv / "bin" / "pytest").chmod(0o755)
    return {
        "PATH": os.pathsep.join((str(venv / "bin"), os.environ["PATH"])),
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


def test_python(environ: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    install, init, run = _read_first_lines()
    for line in (install, init):
        done = _paste(line, project, environ)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    bedtape = tmp_path / "venv" / "bin" / "bedtape"
    assert bedtape.exists()
    done = _paste(run, project, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout

    _change(project / "tests" / "test_bedrock.py")
    done = _paste(run, project, environ)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f'recorded "In one sentence: {ASKED}", sent "In one sentence: {CHANGED}"' in done.stdout
    (fix,) = re.findall(r"keep the recorded answer: (pytest .+)$", done.stdout, re.MULTILINE)
    done = _paste(fix, project, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    done = _paste(run, project, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_node(tmp_path: Path) -> None:
    """The commands are those that `bedtape init` prints."""
    project = tmp_path / "project"
    make_project(project, ROOT / "tests" / "clients" / "vitest")
    for package in ("@aws-sdk", "@smithy", "@aws"):  # the SDK of the project
        source = ROOT / "tests" / "clients" / "javascript" / "node_modules" / package
        if source.exists() and not (project / "node_modules" / package).exists():
            (project / "node_modules" / package).symlink_to(source)
    (project / "package.json").write_text(
        '{"type": "module", "devDependencies": {"vitest": "*"}, "scripts": {"test": "vitest run"}}'
    )
    code = "from bedtape_cassettes.cli.main import main; main()"
    command = project / ".venv" / "bin" / "bedtape"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    command.chmod(0o755)
    environ = {
        "PATH": os.pathsep.join((str(command.parent), os.environ["PATH"])),
        "HOME": str(tmp_path),
        "CI": "true",
        "NO_COLOR": "1",
    }
    done = _paste("bedtape init", project, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    lines = [line.strip() for line in done.stdout.partition("Next:")[2].splitlines() if line]
    run = next(line for line in lines if "vitest" in line or "npm test" in line)
    done = _paste(run, project, environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Tests +2 passed", done.stdout), done.stdout

    (test,) = (project / "tests").glob("bedrock.test.*")
    _change(test)
    done = _paste(run, project, environ)
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert f'recorded "In one sentence: {ASKED}", sent "In one sentence: {CHANGED}"' in output
    fix = re.findall(r"bedtape cassette accept[^\n`]*", output)
    assert fix, output
    done = _paste(fix[0], project, environ)
    assert done.returncode == 0, f"{fix[0]}\n{done.stdout}{done.stderr}"
    done = _paste(run, project, environ)
    assert done.returncode == 0, done.stdout + done.stderr


GO_TEST = """package first

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"IMPORT"
)

func TestAnAnswer(t *testing.T) {
	bedrock := bedtapetest.New(t)
	bedrock.Respond(bedtapetest.When{PromptContains: "PROMPT"}, bedtapetest.Text("Hello."))
	content := []types.ContentBlock{&types.ContentBlockMemberText{Value: "Who are you?"}}
	answer, err := bedrockruntime.NewFromConfig(bedrock.Config()).Converse(context.Background(),
		&bedrockruntime.ConverseInput{
			ModelId:  aws.String("us.amazon.nova-lite-v1:0"),
			Messages: []types.Message{{Role: "user", Content: content}},
		})
	if err != nil || answer.StopReason != "end_turn" {
		t.Fatal(answer, err)
	}
}
"""


@compiles
def test_go(tmp_path: Path) -> None:
    """A project beside the clone, as the page says. It has the versions that are downloaded."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "bedtape").symlink_to(ROOT)
    (replace,) = re.findall(r"`(replace \S+ => \S+)`", GO_PAGE)
    (package,) = re.findall(r"imports `(\S+)`", GO_PAGE)
    module = (ROOT / "clients" / "go" / "go.mod").read_text().partition("\n")[2]
    (project / "go.mod").write_text(f"module first\n{module}\n{replace}\n")
    shutil.copy(ROOT / "clients" / "go" / "go.sum", project)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    test = project / "first_test.go"

    test.write_text(GO_TEST.replace("IMPORT", package).replace("PROMPT", "Who are you?"))
    for command in (["go", "mod", "tidy"], ["go", "test", "./..."]):
        done = run_offline(command, project, {"PATH": path})
        assert done.returncode == 0, done.stdout + done.stderr

    test.write_text(GO_TEST.replace("IMPORT", package).replace("PROMPT", "Who am I?"))
    done = run_offline(["go", "test", "./..."], project, {"PATH": path})
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'rule-1: prompt_contains expected "Who am I?", found "Who are you?"' in done.stdout


JAVA_TEST = """
import static org.junit.jupiter.api.Assertions.assertEquals;

import bedtape.*;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.model.*;

@ExtendWith(BedtapeExtension.class)
class FirstTest {
    static String ask(BedrockRuntimeClient client, String prompt) {
        var message = Message.builder().role("user").content(ContentBlock.fromText(prompt)).build();
        return client.converse(request -> request.modelId("us.amazon.nova-lite-v1:0").messages(message))
                .output().message().content().get(0).text();
    }

    @Test
    void anAnswer(Bedrock bedrock) {
        bedrock.respond("PROMPT", new Answer().text("Hello."));
        var client = bedrock.configure(BedrockRuntimeClient.builder()).build();
        assertEquals("Hello.", ask(client, "Who are you?"));
    }
}
"""

PARENT = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId><artifactId>all</artifactId><version>1</version>
  <packaging>pom</packaging>
  <modules><module>client</module><module>project</module></modules>
</project>
"""


def _write_java_project(folder: Path) -> Path:
    """Writes a project that depends on the client as the page says, beside a copy of the client,
    which stands for the repository into which `mvn install` puts it. Returns its test.
    """
    client = shutil.copytree(
        ROOT / "clients" / "java", folder / "client", ignore=shutil.ignore_patterns("target")
    )
    pom = (client / "pom.xml").read_text()
    (dependency,) = re.findall(r"^```xml\n(<dependency>.*?)^```", JAVA_PAGE, re.M | re.S)
    # the versions of the client's own tests are those that are downloaded
    pom = pom.replace("<groupId>bedtape</groupId>", "<groupId>com.example</groupId>", 1)
    pom = pom.replace("bedtape-junit", "first", 1)
    pom = re.sub(
        r"<dependency>\s*<groupId>com.fasterxml.*?</dependency>",
        dependency,
        pom,
        count=1,
        flags=re.S,
    )
    test = folder / "project" / "src" / "test" / "java" / "FirstTest.java"
    test.parent.mkdir(parents=True)
    (folder / "project" / "pom.xml").write_text(pom)
    (folder / "pom.xml").write_text(PARENT)
    return test


@compiles
def test_java(tmp_path: Path) -> None:
    test = _write_java_project(tmp_path)
    command = [*MAVEN, "test", "-Dtest=FirstTest", "-Dsurefire.failIfNoSpecifiedTests=false"]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

    test.write_text(JAVA_TEST.replace("PROMPT", "Who are you?"))
    done = run_offline(command, tmp_path, {"PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tests run: 1, Failures: 0, Errors: 0, Skipped: 0" in done.stdout

    test.write_text(JAVA_TEST.replace("PROMPT", "Who am I?"))
    done = run_offline(command, tmp_path, {"PATH": path})
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'rule-1: prompt_contains expected "Who am I?", found "Who are you?"' in done.stdout
