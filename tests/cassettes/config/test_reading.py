"""A file and an environment read whole: everything they say, or everything that is wrong,
each with place and fix.
"""

import re
import tomllib
from collections.abc import Mapping

import pytest

from bedtape_cassettes.config.key_lines import KeyLines
from bedtape_cassettes.config.options import TABLES, variable_of
from bedtape_cassettes.config.reading import Source, read_document, read_environment
from bedtape_cassettes.config.settings import SettingValue


def _read(text: str, prefix: str = "") -> tuple[dict[tuple[str, str], SettingValue], list[str]]:
    source = Source("f.toml", prefix, KeyLines(text).line_of, "/project/{}".format)
    document = tomllib.loads(text)
    for part in filter(None, prefix.split(".")):
        document = document[part]
    said, problems = read_document(document, source)
    return said, list(map(str, problems))


def _values(said: Mapping[tuple[str, str], SettingValue]) -> dict[str, object]:
    return {".".join(filter(None, name)): each.value for name, each in said.items()}


def test_what_a_file_says_with_its_line_and_its_own_paths() -> None:
    text = """
cassettes = "tapes"
ignore = ["a", "b"]
redact = []
[replay]
port = 4567
speed = 2
cassettes = ["one", "/two"]
[record]
to = "other"
[pytest]
block = false
"""
    said, problems = _read(text)
    assert not problems
    assert _values(said) == {
        "cassettes": "/project/tapes",
        "ignore": ("a", "b"),
        "redact": (),
        "replay.port": 4567,
        "replay.speed": 2.0,
        "replay.cassettes": ("/project/one", "/project//two"),
        "record.to": "/project/other",
        "pytest.block": False,
    }
    assert said["replay", "port"] == SettingValue(4567, "f.toml:6", ("replay", "port"))
    assert said["record", "to"].source == "f.toml:10"


def test_tables_of_a_shared_file_are_named_with_all_their_name() -> None:
    _, problems = _read("[tool.bedtape.replay]\nprot = 1\n", "tool.bedtape")
    assert problems == [
        'f.toml:2: expected no key "prot" at tool.bedtape.replay, found 1; did you mean port?'
    ]


WRONG = {
    "any_profile = true": 'no key "any_profile" at the top, found true; did you mean any-profile?',
    "cassete = 'x'": 'no key "cassete" at the top, found "x"; did you mean cassettes?',
    "port = 3": 'no key "port" at the top, found 3; it is a key of [replay], [run], [record]',
    "[rpelay]\nport = 1": 'no table "rpelay" at the top, found {"port": 1}; did you mean replay?',
    "[demo]": 'no table "demo" at the top, found {}; known are',
    "[tool.bedtape.replay]": (
        'no table "tool" at the top, found {"bedtape": {"replay": {}}}; tables stand here by them'
    ),
    "replay = 3": "a table at replay, found 3; write [replay] and its keys below",
    "[cassette.ls]\njson = true": (
        'no table "cassette" at the top, found {"ls": {"json": true}}; it no longer exists: '
        "remove it, and write the options of `bedtape cassette` on the command line"
    ),
    "doctor.json = true": (
        'no table "doctor" at the top, found {"json": true}; it no longer exists: remove it, and'
        " write"
    ),
    "[replay]\nworkers = 2": (
        'no key "workers" at replay, found 2; it no longer exists: remove it, and start several'
    ),
    "'' = 1": 'no key "" at the top, found 1; ',
    "[replay.port.x]": 'a whole number from 0 to 65535 at replay.port, found {"x": {}}',
    "[replay]\nport = '4566'": (
        'a whole number from 0 to 65535 at replay.port, found "4566"; write it without quotes'
    ),
    "[replay]\nspeed = 0": "a number above 0 at replay.speed, found 0",
    "[replay]\nignore = 'a'": 'a list at replay.ignore, found "a"; write it in brackets: ["a"]',
    "[replay]\nignore = 3": "a list at replay.ignore, found 3",
    "[record]\nmode = 'revers'": 'one of reverse, forward at record.mode, found "revers"',
    "[replay.port]\nx = 1": 'a whole number from 0 to 65535 at replay.port, found {"x": 1}',
    "[run]\nstrict = 1979-05-27": 'true or false at run.strict, found "1979-05-27"',
    "[run]\nlog-level = 'x'": 'no key "log-level" at run, found "x"; it is a key of [replay]',
    "[pytest]\nrecord = 'once'": (
        'a command at pytest.record, found "once"; `bedtape` sets what to record'
    ),
    "RUN_REAL_BEDROCK_TESTS = 1": (
        'no key "RUN_REAL_BEDROCK_TESTS" at the top, found 1; the gate is an environment'
    ),
    "[record]\nrun-real-bedrock-tests = true": (
        'no key "run-real-bedrock-tests" at record, found true; the gate is an'
    ),
}


@pytest.mark.parametrize(("text", "told"), WRONG.items())
def test_what_is_wrong_is_told_with_what_fixes_it(text: str, told: str) -> None:
    said, (problem,) = _read(text)
    assert not said
    assert f"expected {told}" in problem
    assert problem.startswith(f"f.toml:{len(text.splitlines())}: ") or "[" in text


def test_all_problems_are_told_at_once_and_each_of_a_list() -> None:
    _, problems = _read(
        "ignore = [1, 'b', 2]\nx = 1\n[replay]\nport = 'a'\nplaceholder = ['(', 'b', ')']\n"
    )
    places = [re.split(" at ", problem)[1].split(",")[0] for problem in problems]
    assert places == [
        "ignore[0]",
        "ignore[2]",
        "the top",
        "replay.port",
        "replay.placeholder[0]",
        "replay.placeholder[2]",
    ]


@pytest.mark.parametrize(
    "text",
    ["[replay]\ncontrol-token = '{}'", "control-token = '{}'", "[run]\ncontrol_token = '{}'"],
)
def test_a_secret_in_a_file_is_refused_and_not_shown(text: str) -> None:
    _, (problem,) = _read(text.format("hush-hush-hush-hush"))
    assert "hush" not in problem
    assert "set BEDTAPE_CONTROL_TOKEN" in problem


@pytest.mark.parametrize(
    "key", ["contol-token", "aws_secret_access_key", "password", "BEDTAPE_CONTROL_TOKEN"]
)
def test_what_may_be_a_secret_under_another_name_is_not_shown(key: str) -> None:
    for text in (
        f"[replay]\n{key} = 'hush'\n",
        f"[rpelay.port]\n{key} = 'hush'\n",
        f"[[record]]\n{key} = 'hush'\n",
        f"[run]\nnosuch = [{{ {key} = 'hush' }}]\n",
    ):
        _, (problem,) = _read(text)
        assert "hush" not in problem


@pytest.mark.parametrize("table", [table for table in TABLES if table])
def test_every_key_is_known_in_its_table(table: str) -> None:
    for key, option in TABLES[table].items():
        _, problems = _read(f"[{table}]\n{key} = 1979-05-27\n")
        assert len(problems) == 1
        assert ("no secret" if option.secret else f"at {table}.{key}") in problems[0]


# -- variables -------------------------------------------------------------------------------------


def test_what_variables_say() -> None:
    environ = {
        "PATH": "/bin",
        "BEDTAPE_REPLAY_PORT": "4567",
        "BEDTAPE_REPLAY_STRICT": "yes",
        "BEDTAPE_IGNORE": "a.b\n\nc d\n",
        "BEDTAPE_RUN_OVERLAY": "",
        "BEDTAPE_CONTROL_TOKEN": "t",
        "BEDTAPE_CACHE_DIR": "x",
        "BEDTAPE_URL": "x",
    }
    said, problems, warnings = read_environment(environ)
    assert (problems, warnings) == ([], ())
    assert _values(said) == {
        "replay.port": 4567,
        "replay.strict": True,
        "ignore": ("a.b", "c d"),
        "run.overlay": None,
        "replay.control-token": "t",
    }
    assert said["replay", "port"] == SettingValue(
        4567, "BEDTAPE_REPLAY_PORT", ("replay", "port"), variable=True
    )


def test_variables_that_say_what_cannot_be_are_all_told() -> None:
    _, problems, _ = read_environment(
        {"BEDTAPE_REPLAY_PORT": "x", "BEDTAPE_PLACEHOLDER": "a\n(", "BEDTAPE_RUN_STRICT": "2"}
    )
    assert list(map(str, problems))[1:] == [
        'BEDTAPE_REPLAY_PORT: expected a whole number from 0 to 65535, found "x"',
        'BEDTAPE_RUN_STRICT: expected 1 or 0, true or false, yes or no, on or off, found "2"',
    ]
    assert str(problems[0]).startswith("BEDTAPE_PLACEHOLDER: expected a regular expression")


@pytest.mark.parametrize(
    ("variable", "more"),
    [
        ("BEDTAPE_REPLY_PORT", "; did you mean BEDTAPE_REPLAY_PORT?"),
        ("BEDTAPE_XYZZY", ""),
        *(
            (
                variable,
                (
                    f"; it no longer exists: write the options of `bedtape {command}` on the"
                    " command line"
                ),
            )
            for variable, command in (
                ("BEDTAPE_CASSETTE_IN", "cassette"),
                ("BEDTAPE_CASSETTE_LS_JSON", "cassette"),
                ("BEDTAPE_RECOVER_TO", "recover"),
                ("BEDTAPE_CONFIG_SHOW_JSON", "config"),
                ("BEDTAPE_DOCTOR_JSON", "doctor"),
            )
        ),
        (
            "BEDTAPE_REPLAY_WORKERS",
            "; it no longer exists: start several processes, each with a --port of its own",
        ),
    ],
)
def test_a_variable_that_nothing_reads_is_told(variable: str, more: str) -> None:
    said, problems, warnings = read_environment({variable: "1", "bedtape_port": "1"})
    assert (said, problems, warnings) == (
        {},
        [],
        (f"{variable} is set, and nothing reads it{more}",),
    )


def test_the_value_of_a_secret_is_in_no_message() -> None:
    assert variable_of(("replay", "control-token")) == "BEDTAPE_CONTROL_TOKEN"
    _, problems, warnings = read_environment({"BEDTAPE_CONTROL_TOKN": "hush"})
    assert "hush" not in f"{problems}{warnings}"
