"""Settings to read: TOML that says the same again, and JSON; never a secret."""

import json
import tomllib

from bedtape_cassettes.config.reading import Source, read_document, read_environment
from bedtape_cassettes.config.rendering import render_json, render_toml
from bedtape_cassettes.config.settings import NO_SETTINGS, Settings

DOCUMENT = {
    "cassettes": "tapes",
    "ignore": ['a"b', "é\x1b"],
    "replay": {"port": 1, "speed": 0.5, "strict": True},
    "record": {"exact": False},
}
ENVIRON = {
    "BEDTAPE_REPLAY_PORT": "2",
    "BEDTAPE_RUN_PORT": "",
    "BEDTAPE_CONTROL_TOKEN": "hush",
    "BEDTAPE_NO": "1",
}


def _settings() -> Settings:
    keys, wrong = read_document(DOCUMENT, Source("f.toml", "", lambda _: 7, str))
    said, problems, warnings = read_environment(ENVIRON)
    assert (wrong, problems) == ([], [])
    return Settings(said, keys, "f.toml", warnings)


def test_as_toml_it_says_the_same_again_and_who_said_it() -> None:
    text = "\n".join(line.text for line in render_toml(_settings()))
    replay = {"port": 2, "speed": 0.5, "strict": True}
    assert tomllib.loads(text) == DOCUMENT | {"replay": replay, "run": {}}
    assert "port = 2  # BEDTAPE_REPLAY_PORT, over f.toml:7" in text
    assert "# control-token is set  # BEDTAPE_CONTROL_TOKEN" in text
    assert "# port is the default  # BEDTAPE_RUN_PORT" in text
    assert "\x1b" not in text


def test_as_json_it_is_all_there() -> None:
    shown = json.loads(json.dumps(render_json(_settings())))
    assert shown["file"] == "f.toml"
    assert {
        "table": "replay",
        "key": "port",
        "value": 2,
        "by": "BEDTAPE_REPLAY_PORT",
        "over": "f.toml:7",
    } in shown["settings"]
    assert shown["warnings"] == ["BEDTAPE_NO is set, and nothing reads it"]


def test_no_secret_is_shown() -> None:
    assert "hush" not in f"{list(render_toml(_settings()))}{render_json(_settings())}"


def test_where_nothing_was_said_it_says_so() -> None:
    assert [line.text for line in render_toml(NO_SETTINGS)] == ["# no file of settings"]
    assert render_json(NO_SETTINGS) == {"file": None, "settings": [], "warnings": []}
