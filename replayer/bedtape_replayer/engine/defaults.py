"""Answers where nothing else answers, for first steps and demos: `--default
canned`, `echo` or `schema`.

The history marks them: their source is `default`. botocore's service models are
read when the server starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from random import Random
from typing import Literal, TypeAlias, get_args

from bedtape_cassettes.families.content import (
    Content,
    Embeddings,
    Images,
    Message,
    Passages,
    Ranking,
    Text,
)
from bedtape_cassettes.families.dependencies import Reads
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.model import Response
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.rule import Rule

# strict: a miss. canned: a fixed text. echo: the prompt. schema: no text, and the required
# members of each output.
DefaultAnswer: TypeAlias = Literal["strict", "canned", "echo", "schema"]
_CANNED = "This is a canned answer of bedtape: no rule and no recording answers the request."


class Defaults:
    """Makes the default answers. kind: one of `DefaultAnswer`, except `strict`."""

    def __init__(self, kind: DefaultAnswer) -> None:
        self.kind = kind
        self._rule = Rule(kind, ())
        self._outputs = import_module("bedtape_replayer.overlay.outputs.building")
        self._outputs.load_models()

    def answer(self, call: Call, key: bytes) -> Response | None:
        """Return the answer to a call with a match key. `None` for a path that is not Bedrock's."""
        if call.known is None:
            return None
        for content in self._list_contents(call):
            try:
                return self._rule.render(content, call, Random(key), Reads())  # noqa: S311 - the ids of an answer
            except RenderError:
                continue
        response: Response | None = self._outputs.make_default_response(call.known, call)
        return response

    def _list_contents(self, call: Call) -> Iterator[Content]:
        """Yield one content of each kind that models answer with. The first that fits is used."""
        text = {"canned": _CANNED, "echo": call.prompt.last or call.prompt.text}.get(self.kind, "")
        yield Message((Text(text),) if text else ())
        yield Embeddings()
        yield Ranking()
        yield Passages()
        yield Images()


def parse_default(kind: DefaultAnswer) -> Defaults | None:
    """Return the default answers, or `None` for `strict`. Raises ValueError for another value."""
    if kind not in get_args(DefaultAnswer):
        raise ValueError(
            f"expected default to be one of {', '.join(get_args(DefaultAnswer))}, found {kind!r}"
        )
    return None if kind == "strict" else Defaults(kind)
