"""The shape of an answer: members in their order, JSON types, events in their order, headers.

Values are left out.

What is rendered has to have the shape of what Bedrock really sent;
`problems` says where it has not.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from random import Random

from bedtape_cassettes.addresses import MANTLE
from bedtape_cassettes.families.family import Family, RenderError
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import can_render, render
from bedtape_cassettes.families.table import family_of, strip_profile
from bedtape_cassettes.format import bodies
from bedtape_cassettes.model import Events, Interaction, JsonValue, Response
from bedtape_replayer.answering.reply import build_reply
from support.corpus import Exchange, every

# Which family speaks behind a model id that does not tell it.
_TOLD = {"*endpoint-quick-start*": "completions"}
# Recorders that keep no counting headers of whole answers.
_SPARSE_HEADERS = ("fantasy",)
# Recorders that parse whole answers and sort their members.
_SORTING = ("req_llm", "pydantic-ai")
# What real answers hold that no rule can say, so that it cannot be rendered.
_UNSAID = (
    # a guardrail's assessments, which also turn the family's integers into floats
    b"amazon-bedrock-trace",
    b"server_tool_use",  # tools that Bedrock itself runs, and their results
)


@dataclass(frozen=True)
class Allowance:
    """A difference that is known: `path` is left out of both shapes; where it ends in `{}`, only
    the order of the members there is.

    path: a glob over dotted members, `*` for a list's items, after the event's type in a stream:
    `usage.cache*`, `chunk.message{}`; or `headers.` and a header's name in lower case.
    """

    family: str
    model: str
    path: str
    why: str

    def covers(self, family: str, model: str) -> bool:
        return fnmatchcase(family, self.family) and fnmatchcase(strip_profile(model), self.model)


# -- shapes ----------------------------------------------------------------------------------------


def shape(value: JsonValue, forgiven: Sequence[str] = (), path: str = "") -> str:
    """JSON as text with types instead of values: `{text:str,n:int}`."""
    match value:
        case dict():
            members = [
                f"{key}:{shape(member, forgiven, f'{path}.{key}')}"
                for key, member in value.items()
                if not _matches(f"{path}.{key}", forgiven)
            ]
            return (
                "{"
                + ",".join(sorted(members) if _matches(path + "{}", forgiven) else members)
                + "}"
            )
        case list():
            inner = [shape(member, forgiven, f"{path}.*") for member in value]
            return (
                "["
                + ",".join(
                    inner
                    if any(isinstance(member, dict) for member in value)
                    else _merge_equal(inner)
                )
                + "]"
            )
        case None:
            return "null"
    return type(value).__name__


def _matches(path: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(path.lstrip("."), glob) for glob in globs)


def _merge_equal(lines: Iterable[str]) -> list[str]:
    """Merges equal neighbours."""
    distinct: list[str] = []
    for line in lines:
        if distinct[-1:] != [line]:
            distinct.append(line)
    return distinct


def _merge_pairs(lines: list[str]) -> list[str]:
    """Merges equal neighbouring pairs, because Nova ends a block after every delta."""
    distinct: list[str] = []
    for line in lines:
        distinct.append(line)
        if distinct[-4:-2] == distinct[-2:] and len(distinct) >= 4:
            del distinct[-2:]
    return distinct


def shape_of(response: Response, forgiven: Sequence[str] = ()) -> list[str]:
    """The shape of a body, or of the events of a stream: one line each, runs of equal ones once."""
    if not isinstance(response.body, Events):
        return [shape(bodies.parse(response.body.data), forgiven)]
    lines = [
        f"{event.type}"
        f" {shape(bodies.read_value(event.form, event.payload), forgiven, event.type or '')}"
        for event in response.body.events
    ]
    return _merge_pairs(_merge_equal(lines))


# -- the corpus against what is rendered -----------------------------------------------------------


@lru_cache(maxsize=1)
def list_rendered() -> tuple[tuple[str | None, Exchange], ...]:
    """Every exchange whose answer could be rendered, with its family's name (None:
    its model id tells none).
    """
    return tuple(
        (_name_family(row), row)
        for row in every()
        if row.status == 200
        and can_render(row.operation)
        and row.operation not in ("CountTokens", "ApplyGuardrail")
        and b":exception-type" not in row.response_body
        and not any(what in _read_body(row) for what in _UNSAID)
    )


def _read_body(row: Exchange) -> bytes:
    body = row.interaction().response.body
    if not isinstance(body, Events):
        return body.data
    return b"".join(
        bodies.compact(bodies.read_value(event.form, event.payload)) for event in body.events
    )


def find_named_family(model: str) -> str | None:
    """The family that has to be named for this model."""
    return next((name for glob, name in _TOLD.items() if fnmatchcase(model, glob)), None)


def _name_family(row: Exchange) -> str | None:
    try:
        return family(row).name
    except RenderError:
        return None


def family(row: Exchange) -> Family:
    """The family of the exchange's model. Raises RenderError."""
    return family_of(row.operation, row.model, find_named_family(row.model))


def problems(name: str, allowed: Sequence[Allowance]) -> list[str]:
    """Where answers rendered for a family differ from its real ones, one line each."""
    return [
        f"{row} {row.model}: {problem}"
        for owner, row in list_rendered()
        if owner == name
        for problem in _find_problems(row, [a.path for a in allowed if a.covers(name, row.model)])
    ]


def find_unneeded(name: str, allowed: Sequence[Allowance]) -> list[Allowance]:
    """Allowances of a family without which nothing more would differ."""
    mine = [row for row in allowed if fnmatchcase(name, row.family)]
    rows = [row for owner, row in list_rendered() if owner == name]
    return [one for one in mine if not any(_needs(row, name, one, mine) for row in rows)]


def _needs(row: Exchange, name: str, one: Allowance, all_of_them: list[Allowance]) -> bool:
    if not one.covers(name, row.model):
        return False
    rest = [
        other.path for other in all_of_them if other is not one and other.covers(name, row.model)
    ]
    return bool(list(_find_problems(row, rest)))


def render_again(row: Exchange) -> Response | None:
    """What is rendered for the exchange's request from what its real answer says; None
    where that is not understood.
    """
    content = content_of(
        row.operation, row.model, row.interaction().response, family=find_named_family(row.model)
    )
    if content is None:
        return None
    return render(
        content,
        operation=row.operation,
        model=row.model,
        body=row.request_body,
        chance=Random(0),
        family=find_named_family(row.model),
        service=MANTLE,  # where OpenAI's APIs were recorded
    )


def _find_problems(row: Exchange, forgiven: Sequence[str]) -> Iterator[str]:
    made = render_again(row)
    if made is None:
        yield "its answer is not understood"
        return
    real = row.interaction()
    recorder = row.source.split(".")[0]
    order = ["*{}"] if recorder in _SORTING and not row.stream else []
    # Exactly equal is best; what is allowed to differ is only left out where something does.
    if shape_of(real.response) != shape_of(made):
        recorded, rendered = (
            shape_of(real.response, [*forgiven, *order]),
            shape_of(made, [*forgiven, *order]),
        )
        if recorded != rendered:
            yield (
                f"\n  real {_render_first(recorded, rendered)}\n  made"
                f" {_render_first(rendered, recorded)}"
            )
    recorded, rendered = (
        _list_headers(real, forgiven),
        _list_headers(replace(real, response=made), forgiven),
    )
    if recorded != rendered and recorder not in _SPARSE_HEADERS:
        yield f"\n  real headers {recorded}\n  made headers {rendered}"


def _list_headers(interaction: Interaction, forgiven: Sequence[str]) -> list[str]:
    """The names of what goes over the wire, in order."""
    names = [name.decode() for name, _ in build_reply(interaction, b"key", 0).headers]
    return [name for name in names if not _matches(f"headers.{name.lower()}", forgiven)]


def _render_first(lines: list[str], others: list[str]) -> str:
    """Renders the first different line and its number."""
    at = next(
        (i for i, (a, b) in enumerate(zip(lines, others, strict=False)) if a != b),
        min(len(lines), len(others)),
    )
    return f"#{at} of {len(lines)}: {lines[at] if at < len(lines) else '(ends)'}"
