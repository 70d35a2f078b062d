"""Notes which parts of a request an answer depends on, so that the answer can serve every
request that equals in these.

The parts are learned while an answer is rendered, as HTTP's header Vary names parts of a request. A
family needs no declaration, and a part that it begins to read is noted.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import orjson

from bedtape_cassettes.families.content import Prompt
from bedtape_cassettes.model import JsonValue

T = TypeVar("T")


@dataclass(slots=True)
class Reads:
    """The parts of a request that were read: members at the top of the body, attributes of the
    prompt, and what functions found in the body.

    whole: whether a part was read that has no name here.
    """

    # Dictionaries keep the order of reading, so that the parts of two requests have the same order.
    members: dict[str, None] = field(default_factory=dict)
    attributes: dict[str, None] = field(default_factory=dict)
    derived: dict[Callable[[dict[str, JsonValue]], object], None] = field(default_factory=dict)
    whole: bool = False

    def watch(
        self, body: dict[str, JsonValue], prompt: Prompt
    ) -> tuple[dict[str, JsonValue], Prompt]:
        """Returns a body and a prompt whose reading is noted here."""
        # an empty body is written as JSON without a call that can be noted
        self.whole = self.whole or not body
        return _WatchedBody(body, self), cast(Prompt, _WatchedPrompt(prompt, self))

    def take(self, body: JsonValue, prompt: Prompt) -> tuple[object, ...] | None:
        """Returns these parts of another request. Requests with equal parts have the same answer.

        Returns None if the body is not an object, or cannot be compared.
        """
        if self.whole or not isinstance(body, dict) or (members := self.take_members(body)) is None:
            return None
        return (*members, *self.take_attributes(prompt))

    def take_members(self, body: dict[str, JsonValue]) -> tuple[object, ...] | None:
        """Returns the parts of a body, or None if they cannot be compared."""
        try:
            members = [orjson.dumps(body[name]) if name in body else None for name in self.members]
        except orjson.JSONEncodeError:
            return None
        return (*members, *[repr(find(body)) for find in self.derived])

    def take_attributes(self, prompt: Prompt) -> list[str]:
        """Returns the parts of a prompt."""
        return [repr(getattr(prompt, name)) for name in self.attributes]


def derive(body: dict[str, JsonValue], find: Callable[[dict[str, JsonValue]], T]) -> T:
    """Returns what a function finds in a body.

    In a watched body, the result is noted, and not what the function reads.
    """
    if not isinstance(body, _WatchedBody):
        return find(body)
    body.reads.derived[find] = None
    return find(body.plain)


class _WatchedBody(dict[str, JsonValue]):
    """The members of a body. Notes which are read."""

    __slots__ = ("plain", "reads")

    def __init__(self, body: dict[str, JsonValue], reads: Reads) -> None:
        super().__init__(body)
        self.plain, self.reads = body, reads

    def __getitem__(self, name: str) -> JsonValue:
        self.reads.members[name] = None
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.reads.members[str(name)] = None
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.reads.members[name] = None
        return super().get(name, default)

    # Methods that read all members. C code calls them for a subclass of dict.

    def __iter__(self) -> Iterator[str]:
        self.reads.whole = True
        return super().__iter__()

    def __len__(self) -> int:
        self.reads.whole = True
        return super().__len__()

    def __eq__(self, other: object) -> bool:
        self.reads.whole = True
        return super().__eq__(other)

    __hash__ = None

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        self.reads.whole = True
        return super().keys()

    def values(self) -> ValuesView[JsonValue]:  # type: ignore[override]
        self.reads.whole = True
        return super().values()

    def items(self) -> ItemsView[str, JsonValue]:  # type: ignore[override]
        self.reads.whole = True
        return super().items()


class _WatchedPrompt:
    """The attributes of a prompt. Notes which are read."""

    __slots__ = ("_prompt", "_reads")

    def __init__(self, prompt: Prompt, reads: Reads) -> None:
        self._prompt = prompt
        self._reads = reads

    def __getattr__(self, name: str) -> object:
        self._reads.attributes[name] = None
        return getattr(self._prompt, name)
