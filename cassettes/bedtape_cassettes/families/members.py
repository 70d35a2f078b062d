"""The declaration of where a family's answers hold their text, stop reason,
token counts and tool calls.

A path is a dotted list of members, from the top of a whole body or of the JSON of one stream event:
`choices.0.delta.content`. A number is an index in a list, and `*` is every item of a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from bedtape_cassettes.format import json_values
from bedtape_cassettes.format.json_values import Place, Plain, at
from bedtape_cassettes.model import JsonValue

Paths = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """The paths of one family, for whole bodies and for stream events together.

    text: the answer's text. If an answer holds several generations, the path leads to the first.
    text_types: the values of the member `type` beside the text, if the paths also lead to other
    texts. copies: members that repeat the whole text. sequence: the number of the event in its
    stream. stop: the stop reason. input, output, cache_read, cache_write: token counts, named as in
    `Usage`. The last path that exists in the last
        event is the final count.
    input_has_cached: whether the count of input tokens includes the tokens of the cache, unlike
    `Usage.input`. total: sums of token counts. tool_inputs: the arguments of tool calls.
    tool_deltas: their pieces in a stream in which `tool_inputs` repeat the whole arguments.
    tool_delta_types: the values of the member `type` beside such a piece.
    generation: the number of the generation that an event belongs to. block: the number of the
    content block that an event belongs to. block_end: the same number in the event that ends a
    block. Declared only if every delta is a block of its own. reasoning: prefixes (not paths) of a
    text in a stream that is reasoning, not answer.
    """

    text: Paths = ()
    copies: Paths = ()
    stop: Paths = ()
    input: Paths = ()
    output: Paths = ()
    cache_read: Paths = ()
    cache_write: Paths = ()
    total: Paths = ()
    tool_inputs: Paths = ()
    tool_deltas: Paths = ()
    tool_delta_types: Paths = ()
    generation: Paths = ()
    block: Paths = ()
    block_end: Paths = ()
    reasoning: Paths = ()
    text_types: Paths = ()
    sequence: Paths = ()
    input_has_cached: bool = False

    def __or__(self, other: Members) -> Members:
        """Combine the paths of two forms, because some models answer in either form."""
        mine, others = asdict(self), asdict(other)
        paths = {
            name: tuple(dict.fromkeys((*mine[name], *others[name])))
            for name in mine
            if name != _FLAG
        }
        return Members(**paths, input_has_cached=self.input_has_cached or other.input_has_cached)


_FLAG = "input_has_cached"


def find_places(value: JsonValue | Plain, paths: Iterable[str]) -> Iterator[Place]:
    """The places in the value that the paths lead to, in the order of the paths."""
    for path in paths:
        yield from json_values.find_places(value, path.split("."))


def find_leaves(
    values: Sequence[JsonValue | Plain], paths: Paths
) -> Iterator[tuple[int, Place, JsonValue]]:
    """The number of the value, the place and the leaf, for each path that exists in a value."""
    for number, value in enumerate(values):
        for place in find_places(value, paths):
            yield number, place, at(value, place)
