"""What holds: variables before the file, and in each an option's own table
before what it shares.
"""

from itertools import combinations

import pytest

from bedtape_cassettes.config.kinds import Value
from bedtape_cassettes.config.options import Name
from bedtape_cassettes.config.settings import NO_SETTINGS, Settings, SettingValue

# What may say where `bedtape replay` finds its cassettes, the strongest first; and
# two more that may not.
ORDER: tuple[tuple[str, Name], ...] = (
    ("variable", ("replay", "cassettes")),
    ("variable", ("", "cassettes")),
    ("key", ("replay", "cassettes")),
    ("key", ("", "cassettes")),
)
OTHERS: tuple[tuple[str, Name], ...] = (
    ("variable", ("run", "cassettes")),
    ("key", ("record", "to")),
)


def _settings(*said: tuple[str, Name], value: Value | None = None) -> Settings:
    def of(source: str) -> dict[Name, SettingValue]:
        return {
            name: SettingValue(value or f"{source} {name}", source, name)
            for kind, name in said
            if kind == source
        }

    return Settings(of("variable"), of("key"))


@pytest.mark.parametrize(("strong", "weak"), list(combinations(ORDER, 2)))
def test_the_stronger_holds_in_whatever_order_they_came(
    strong: tuple[str, Name], weak: tuple[str, Name]
) -> None:
    for said in ((strong, weak), (weak, strong)):
        setting = _settings(*said, *OTHERS).find("replay", "cassettes")
        assert setting is not None
        assert setting.value == (f"{strong[0]} {strong[1]}",)


def test_what_others_say_does_not_hold() -> None:
    assert _settings(*OTHERS).find("replay", "cassettes") is None
    assert NO_SETTINGS.find("replay", "port") is None


def test_an_empty_variable_takes_back_what_the_file_says() -> None:
    name = ("run", "overlay")
    settings = Settings(
        {name: SettingValue(None, "BEDTAPE_RUN_OVERLAY", name)},
        {name: SettingValue("x", "f:1", name)},
    )
    setting = settings.find(*name)
    assert setting is not None
    assert setting.value is None
    assert settings.of("run") == {}


def test_a_folder_that_is_shared_is_the_one_folder_of_a_list() -> None:
    settings = _settings(("key", ("", "cassettes")), value="tapes")
    assert settings.of("replay") == {"cassettes": ("tapes",)}
    assert settings.of("record") == {"to": "tapes"}
    assert settings.of("pytest") == {}


def test_what_makes_requests_the_same_is_said_once_for_all_who_play_and_record() -> None:
    settings = Settings(keys={("", "any-profile"): SettingValue(True, "f", ("", "any-profile"))})
    assert {table for table in ("replay", "run", "record", "pytest") if settings.of(table)} == {
        "replay",
        "run",
        "record",
        "pytest",
    }


def test_what_was_said_is_listed_with_what_it_is_said_over() -> None:
    port, top = ("replay", "port"), ("", "ignore")
    variable, key, ignore = (
        SettingValue(1, "V", port),
        SettingValue(2, "f:1", port),
        SettingValue((), "f:2", top),
    )
    settings = Settings({port: variable}, {port: key, top: ignore})
    assert list(settings.entries()) == [(top, ignore, None), (port, variable, key)]
