"""Moving in: suites with VCR.py's cassettes, run under VCR.py, then with `--bedtape-vcr`, then
migrated: equal results.

Three suites are in the style of pydantic-ai, openinference and langchain-aws. They replay what
other projects recorded (`foreign-cassettes`), each with an entry of another host. The fourth suite
replays exchanges of the corpus.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from support import foreign
from support.corpus import needs_corpus
from support.suites import run_suite
from support.vcr_suites import APP, CLASSES, COMPRESSED, MARKS, OTHER, write_corpus

FILES = sorted(foreign.ROOT.glob("vcrpy-*.yaml"))
# A recording of Converse, and the cassette of the test that changes its prompts.
CONVERSE = next(
    (n for n, file in enumerate(FILES) if file.stem.endswith("titan_converse_guardrail")), 0
)
PROMPTS = "TestBedrock.test_other_prompts.yaml"
# Tests that change when they move: the id, and the beginning after the move.
CHANGED = "tests.test_suite.TestChanged.test_body"
REGION = """@pytest.mark.default_cassette("test_it[0].yaml")
@pytest.mark.vcr
@pytest.mark.bedrock("test_suite/test_it[0]")
def test_another_region(vcr, bedrock):"""


@dataclass(frozen=True)
class Outcome:
    """tests: the outcomes by test. seen: what each test saw of its answers.
    output: what pytest printed.
    """

    tests: dict[str, str]
    seen: list[str]
    output: str


def run_pytest(folder: Path, *options: str) -> Outcome:
    seen = folder / "seen.jsonl"
    seen.write_text("")
    cases, output = run_suite(folder, *options, "tests")
    tests = {
        name: ",".join({child.tag for child in case if child.tag != "properties"}) or "passed"
        for name, case in cases.items()
    }
    return Outcome(tests, seen.read_text().splitlines(), output)


def write_project(folder: Path, code: str, name: str, compress: bool = False) -> None:
    """Writes a suite, and a cassette of it for each recorded file. name: of the cassettes,
    with a number to fill in.
    """
    import gzip

    (folder / "app.py").write_text(APP)
    (folder / "pytest.ini").write_text("[pytest]\n")
    tests = folder / "tests"
    tests.mkdir()
    (tests / "test_suite.py").write_text(re.sub(r"\bCOUNT\b", str(len(FILES)), code))
    for number, file in enumerate(FILES):
        cassette = yaml.load(file.read_text(), yaml.CSafeLoader)
        cassette["interactions"].append(OTHER)
        path = tests / "cassettes" / name.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = yaml.dump(cassette, Dumper=yaml.CSafeDumper).encode()
        path.write_bytes(gzip.compress(data) if compress else data)


def copy(folder: Path, name: str, to: str) -> None:
    cassettes = folder / "tests" / "cassettes"
    (cassettes / to).write_bytes((cassettes / name).read_bytes())


def count_played(output: str) -> int:
    match = re.search(r"bedtape: (\d+) played, 0 recorded, 0 missed", output)
    assert match, output
    return int(match[1])


def migrate(folder: Path, *options: str) -> str:
    """Migrates the suite with the command, and returns the output."""
    command = [
        sys.executable,
        "-c",
        "from bedtape_cassettes.cli.main import main; main()",
        "migrate",
        "vcrpy",
        *options,
    ]
    done = subprocess.run(
        [*command, "tests", "--", "-p", "no:randomly"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def change_suite(folder: Path, mark: str, without: tuple[str, ...] = ()) -> None:
    """Changes the suite as the output says. mark: of all tests. without: words of lines that
    read VCR.py's own counts.
    """
    file = folder / "tests" / "test_suite.py"
    lines = [
        line for line in file.read_text().splitlines() if not any(word in line for word in without)
    ]
    file.write_text("\n".join([*lines, f"pytestmark = {mark}", ""]))
    (folder / "bedtape.toml").write_text('[pytest]\nendpoint = "kept"\n')


def change_test(folder: Path, *changes: tuple[str, str]) -> None:
    """Replaces code of the suite, each piece of which occurs once."""
    file = folder / "tests" / "test_suite.py"
    code = file.read_text()
    for before, after in changes:
        assert code.count(before) == 1, before
        code = code.replace(before, after)
    file.write_text(code)


@foreign.needs_foreign
def test_classes_named_marks_and_shared_fixtures(tmp_path: Path) -> None:
    write_project(tmp_path, CLASSES, "test_suite/TestBedrock.test_it[{}].yaml")
    copy(tmp_path, f"test_suite/TestBedrock.test_it[{CONVERSE}].yaml", f"test_suite/{PROMPTS}")
    before, now = (
        run_pytest(tmp_path, "-p", "no:bedtape"),
        run_pytest(tmp_path, "--bedtape-vcr", "-v"),
    )
    assert set(before.tests.values()) == {"passed", "skipped"}, before.output
    assert (now.tests, now.seen) == (before.tests, before.seen), now.output
    assert count_played(now.output) == len(FILES) + 3

    output = migrate(tmp_path, "--exact", "--keep-account")
    change = 'add the mark usefixtures("bedrock"); the mark vcr still plays weather.example'
    assert f"  change tests/test_suite.py ({len(FILES) + 3} tests): {change}" in output
    assert re.search(
        "recorded as the test sends it: tests/test_suite.py::TestBedrock::test_other_prompts: ",
        output,
    ), output
    assert "remove when" not in output, "the files contain an entry of another host"
    change_suite(tmp_path, '[pytest.mark.vcr, pytest.mark.usefixtures("bedrock")]')
    moved = run_pytest(tmp_path)
    assert (moved.tests, moved.seen) == (before.tests, before.seen), moved.output
    assert f"bedtape: {len(FILES) + 3} played, 0 recorded, 1 missed" in moved.output, (
        "one test has no cassette"
    )


@foreign.needs_foreign
def test_arguments_in_marks_and_cassettes_opened_by_hand(tmp_path: Path) -> None:
    write_project(tmp_path, MARKS, "test_suite/test_it[{}].yaml")
    before, now = run_pytest(tmp_path, "-p", "no:bedtape"), run_pytest(tmp_path, "--bedtape-vcr")
    assert set(before.tests.values()) == {"passed"}, before.output
    assert (now.tests, now.seen) == (before.tests, before.seen), now.output
    assert count_played(now.output) == len(FILES) + 4

    output = migrate(tmp_path, "--exact", "--keep-account")
    marked = 'add the mark usefixtures("bedrock"); the mark vcr still plays weather.example'
    unmarked = (
        'add the mark usefixtures("bedrock"); the cassette that the test opens still plays'
        " weather.example"
    )
    assert f"  change tests/test_suite.py ({len(FILES) + 1} tests): {marked}" in output, output
    unplayed = "not migrated, because it played none of its entries of Bedrock"
    assert re.findall(f"  {unplayed}: (.*)", output) == ["tests/test_suite.py::test_another_region"]
    assert f"  change tests/test_suite.py (1 test): {unmarked}" in output
    change_suite(tmp_path, 'pytest.mark.usefixtures("bedrock")', ("play_count", "all_played"))
    # bedtape does not compare hosts: the call of another region gets an answer, and the
    # test reads the region.
    change_test(
        tmp_path,
        (
            (
                '@pytest.mark.default_cassette("test_it[0].yaml")\n@pytest.mark.vcr\ndef'
                " test_another_region(vcr):"
            ),
            REGION,
        ),
        ("    with pytest.raises(Exception):\n        list(", "    list("),
        (
            'region="eu-west-1"))',
            'region="eu-west-1"))\n    assert bedrock.calls[-1].region == "eu-west-1"',
        ),
    )
    moved = run_pytest(tmp_path)
    assert (moved.tests, moved.seen) == (before.tests, before.seen), moved.output
    assert count_played(moved.output) == len(FILES) + 5
    repeated = tmp_path / "tests" / "cassettes" / "test_suite" / "test_repeats"
    assert len([*repeated.glob("*.yaml")]) == 1, "the last recording repeats"


@foreign.needs_foreign
def test_compressed_cassettes_and_matchers_of_the_suite(tmp_path: Path) -> None:
    write_project(tmp_path, COMPRESSED, "TestStandard_test_it[{}].yaml.gz", compress=True)
    copy(tmp_path, f"TestStandard_test_it[{CONVERSE}].yaml.gz", "TestChanged_test_body.yaml.gz")
    before, now = run_pytest(tmp_path, "-p", "no:bedtape"), run_pytest(tmp_path, "--bedtape-vcr")
    assert set(before.tests.values()) == {"passed"}, before.output
    assert (now.tests, now.seen) == (before.tests, before.seen), now.output
    assert count_played(now.output) == len(FILES)

    migrate(tmp_path, "--exact", "--keep-account")
    change_suite(tmp_path, 'pytest.mark.usefixtures("bedrock")')
    # A call that no recording answers fails a test of bedtape, also if the test expects an error.
    assert [
        name for name, outcome in run_pytest(tmp_path).tests.items() if outcome != "passed"
    ] == [CHANGED]
    # A miss is an error of the service, which the program catches. In VCR.py it is an
    # exception of the recorder.
    change_test(
        tmp_path,
        ("class TestChanged", "@pytest.mark.bedrock(allow_misses=True)\nclass TestChanged"),
        (
            "(self, tape):\n        with pytest.raises(Exception):\n            list(",
            "(self, tape, bedrock):\n        list(",
        ),
        ("Oh: ')))", "Oh: ')))\n        assert bedrock.calls[-1].error == 'CassetteMissException'"),
    )
    moved = run_pytest(tmp_path)
    assert (moved.tests, moved.seen) == (before.tests, before.seen), moved.output


@foreign.needs_foreign
def test_tests_that_would_miss_under_bedtapes_own_matching_are_listed(tmp_path: Path) -> None:
    write_project(tmp_path, CLASSES, "test_suite/TestBedrock.test_it[{}].yaml")
    copy(tmp_path, f"test_suite/TestBedrock.test_it[{CONVERSE}].yaml", f"test_suite/{PROMPTS}")
    said = run_pytest(tmp_path, "--bedtape-vcr").output
    assert "bedtape: 1 call would miss under bedtape's own matching" in said
    where = r"messages\[0\]\.content\[0\]\.guardContent\.text\.text added `Oh:`"
    assert re.search(
        rf"would miss: tests/test_suite.py::TestBedrock::test_other_prompts: {where}", said
    ), said


@needs_corpus
def test_exchanges_of_the_corpus_behind_shared_clients(tmp_path: Path) -> None:
    cassettes = write_corpus(tmp_path)
    exchanges = sum(map(len, cassettes)) + len(cassettes[0])
    before, now = run_pytest(tmp_path, "-p", "no:bedtape"), run_pytest(tmp_path, "--bedtape-vcr")
    assert set(before.tests.values()) == {"passed"}, before.output
    assert len(before.seen) == len(before.tests) == len(cassettes) + 2
    assert (now.tests, now.seen) == (before.tests, before.seen), now.output
    assert count_played(now.output) == exchanges

    output = migrate(tmp_path, "--exact", "--keep-account")
    assert f"bedtape: migrated {exchanges} exchanges of {len(cassettes) + 1} tests" in output
    assert (
        f"  change tests/test_suite.py ({len(cassettes) + 1} tests): replace the mark vcr by"
        in output
    )
    assert "recorded as the test sends it" not in output, "boto3 sends what was recorded"
    change_test(
        tmp_path,
        ("@pytest.mark.vcr\nclass", '@pytest.mark.usefixtures("bedrock")\nclass'),
        ('@pytest.mark.vcr("TestCorpus.test_it[0].yaml")', '@pytest.mark.usefixtures("bedrock")'),
    )
    (tmp_path / "bedtape.toml").write_text('[pytest]\nendpoint = "kept"\n')
    moved = run_pytest(tmp_path)
    assert (moved.tests, moved.seen) == (before.tests, before.seen), moved.output
    assert count_played(moved.output) == exchanges
