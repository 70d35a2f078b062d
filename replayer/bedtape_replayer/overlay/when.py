"""Which calls a layer is about. All that it names must hold; a `When` that names nothing takes every call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from bedtape_cassettes.families.table import bare
from bedtape_cassettes.jsonpath import find, same
from bedtape_cassettes.model import JsonValue
from bedtape_replayer.call import Call

__all__ = ["ANY", "When"]


@dataclass(frozen=True, slots=True)
class When:
    """Conditions on a call.

    operation: names, one of which it is. model: a glob over the model id as sent or its bare form. prompt_*: the text
    of the last user message; text_*: system prompt and all messages; system_*: the system prompt; `*_contains` is a
    case-sensitive substring, `*_regex` is searched for. tool_offered: the name of a tool that is offered. tool_result: the
    name or id of a tool whose result is there, `*` for any. json_path: JSON paths and the values found there. turn: number
    of user messages. attempt, call: numbers from 1. header: globs by lower-case name. session, access_key: globs.
    """

    operation: tuple[str, ...] = ()
    model: str | None = None
    prompt_contains: str | None = None
    prompt_regex: str | None = None
    prompt_equals: str | None = None
    text_contains: str | None = None
    text_regex: str | None = None
    system_contains: str | None = None
    system_regex: str | None = None
    tool_offered: str | None = None
    tool_result: str | None = None
    json_path: Mapping[str, JsonValue] = field(default_factory=dict)
    turn: int | None = None
    attempt: int | None = None
    call: int | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    session: str | None = None
    access_key: str | None = None

    def matches(self, call: Call) -> bool:
        """Whether it is about this call. The cheap questions come first: most layers are about other calls."""
        return (
            (not self.operation or call.operation in self.operation)
            and (self.model is None or _is_model(self.model, call.model))
            and (self.attempt is None or call.attempt == self.attempt)
            and (self.call is None or call.number == self.call)
            and (self.session is None or fnmatchcase(call.session, self.session))
            and (self.access_key is None or fnmatchcase(call.scope[0] or "", self.access_key))
            and all(fnmatchcase(call.head.get(name) or "", glob) for name, glob in self.header.items())
            and self._asks(call)
            and all(_is_at(call.json, path, value) for path, value in self.json_path.items())
        )

    def _asks(self, call: Call) -> bool:
        """What needs the request read."""
        prompt = call.prompt if self._reads else None
        if prompt is None:
            return True
        return (
            (self.prompt_contains is None or self.prompt_contains in prompt.last)
            and (self.prompt_equals is None or self.prompt_equals == prompt.last)
            and (self.prompt_regex is None or _found(self.prompt_regex, prompt.last))
            and (self.system_contains is None or self.system_contains in prompt.system)
            and (self.system_regex is None or _found(self.system_regex, prompt.system))
            and (self.text_contains is None or self.text_contains in prompt.text)
            and (self.text_regex is None or _found(self.text_regex, prompt.text))
            and (self.tool_offered is None or self.tool_offered in prompt.tools)
            and (self.tool_result is None or any(self.tool_result in ("*", r.id, r.name) for r in prompt.results))
            and (self.turn is None or prompt.turn == self.turn)
        )

    @property
    def _reads(self) -> bool:
        return any(
            condition is not None
            for condition in (
                self.prompt_contains,
                self.prompt_equals,
                self.prompt_regex,
                self.system_contains,
                self.system_regex,
                self.text_contains,
                self.text_regex,
                self.tool_offered,
                self.tool_result,
                self.turn,
            )
        )


ANY = When()


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


@lru_cache(maxsize=4096)
def _is_model(glob: str, model: str | None) -> bool:
    return model is not None and (fnmatchcase(model, glob) or fnmatchcase(bare(model), glob))


def _is_at(body: JsonValue, path: str, value: JsonValue) -> bool:
    return any(same(found, value) for found in find(body, path))
