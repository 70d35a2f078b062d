"""What a block of data is held to: an overlay, a cassette's file, a configuration; anything else is
to be read as what it is.
"""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from bedtape_cassettes.config.reading import Source, read_document
from bedtape_cassettes.format import document
from bedtape_replayer import pytest_plugin
from bedtape_replayer.overlay.document import read as read_overlay
from support.pages.page import Block


def check(block: Block, *, asked: bool = False) -> None:
    """Raises PageInvalid, or what the reader of such a document raises.

    asked: whether a command follows, which reads settings itself, and may be there to show
    what is wrong with them.
    """
    value = READERS[block.language](block.text)
    if not value:
        raise block.refuse("expected some data, found none")
    if isinstance(value, dict):
        _check_known(block, value)
        if not asked and block.language == "toml":
            _check_settings(block, value)


def _check_known(block: Block, value: Mapping[str, Any]) -> None:
    if "bedtape-overlay" in value:
        overlay = read_overlay(block.text.encode(), block.where)
        assert overlay.rules or overlay.faults or overlay.features, block.where
    elif "bedtape" in value and "request" in value:
        assert document.read(block.text.encode(), block.where).request
    for section in (
        value.get("pytest"),
        value.get("tool", {}).get("pytest", {}).get("ini_options"),
    ):
        _check_pytest(block, section or {})


def _check_settings(block: Block, value: Mapping[str, Any]) -> None:
    settings = value.get("tool", {}).get("bedtape") if block.name != "bedtape.toml" else value
    if settings is not None:
        _, problems = read_document(settings, Source(block.where, "", lambda _: 0, str))
        if problems:
            raise block.refuse("\n".join(map(str, problems)))


def _check_pytest(block: Block, options: Mapping[str, Any]) -> None:
    known = _Options()
    pytest_plugin.pytest_addoption(known)  # type: ignore[arg-type]
    unknown = {name for name in options if name.startswith("bedtape")} - known.ini
    if unknown:
        raise block.refuse(
            f"expected options of pytest's configuration {sorted(known.ini)}, found"
            f" {sorted(unknown)}"
        )


class _Options:
    """Listens to a plugin that says its options to pytest."""

    def __init__(self) -> None:
        self.ini: set[str] = set()

    def addini(self, name: str, *_: object, **__: object) -> None:
        self.ini.add(name)

    def getgroup(self, *_: object, **__: object) -> _Options:
        return self

    def addoption(self, *_: object, **__: object) -> None:
        pass


def _ini(text: str) -> dict[str, Any]:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def _yaml(text: str) -> Any:
    """One document, or a list of documents."""
    documents = list(yaml.safe_load_all(text))
    return documents[0] if len(documents) == 1 else documents


READERS: Mapping[str, Callable[[str], Any]] = {
    "yaml": _yaml,
    "json": json.loads,
    "toml": tomllib.loads,
    "ini": _ini,
}
