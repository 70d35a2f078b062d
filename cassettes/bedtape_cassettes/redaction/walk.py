"""Every text of an interaction, searched and rewritten: path, headers, bodies, events, and
what a stream's deltas say.

A stream's texts at one place in its events are joined before they are searched, because a
model cuts a value in two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from bedtape_cassettes.format import bodies
from bedtape_cassettes.format.json_values import Place, render_path
from bedtape_cassettes.model import Body, Event, Events, Headers, Interaction
from bedtape_cassettes.operations import find_model, identify
from bedtape_cassettes.redaction.engine import (
    Find,
    Search,
    Writer,
    find_edits,
    find_edits_in,
    settle,
)
from bedtape_cassettes.redaction.joined_texts import SINGLE, may_find_in_events, unwrap
from bedtape_cassettes.redaction.kinds import KINDS, REDACTED, SECRET_HEADER, is_secret_header
from bedtape_cassettes.redaction.leaves import (
    Edit,
    Leaf,
    apply,
    decode_base64,
    encode_like,
    read_leaves,
)
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, redact_path, write_placeholder

WriteAt: TypeAlias = Callable[[Find, str], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret that must not be written: its kind's title, and the place (`response.body …`)."""

    kind: str
    where: str


def scan(interaction: Interaction, redaction: Redaction = ALWAYS) -> list[Finding]:
    """Everything that still looks like a secret, except what the redaction keeps."""
    findings: list[Finding] = []

    def write(find: Find, where: str) -> str:
        findings.append(Finding(KINDS[find.kind].title, where))
        return REDACTED

    rewrite(interaction, redaction.refused, write)
    return list(dict.fromkeys(findings))


def scrub_interaction(interaction: Interaction, redaction: Redaction = ALWAYS) -> Interaction:
    """The interaction as it may be written: without secrets and matches of the user's patterns."""
    clean = rewrite(interaction, redaction.secrets, lambda find, _: write_placeholder(find))
    if not redaction.patterns:
        return clean
    clean = _with_path(clean, redact_path(clean.request.path, redaction))

    def redact(interaction: Interaction) -> Interaction:
        return reduce(
            lambda now, search: rewrite(now, search, lambda *_: REDACTED),
            redaction.searches,
            interaction,
        )

    return settle(clean, redact)


def rewrite(interaction: Interaction, search: Search, write: WriteAt) -> Interaction:
    """The interaction with every find replaced by what `write` returns.

    A secret header becomes `REDACTED`.

    write: called with the find, and with its place in the interaction as people write it.
    """
    return settle(interaction, lambda now: _rewrite_once(now, search, write))


def _rewrite_once(interaction: Interaction, search: Search, write: WriteAt) -> Interaction:
    walk = _Walk(search, write)
    if not search.across:  # a user's pattern is matched against the decoded path: see `redact_path`
        interaction = _with_path(
            interaction, walk.rewrite_text(interaction.request.path, "request.path")
        )
    request, response = interaction.request, interaction.response
    body = response.body
    return replace(
        interaction,
        request=replace(
            request,
            headers=walk.rewrite_headers(request.headers, "request.headers."),
            body=walk.rewrite_body(request.body, "request.body"),
            events=None
            if request.events is None
            else walk.rewrite_events(request.events, "request.events"),
        ),
        response=replace(
            response,
            headers=walk.rewrite_headers(response.headers, "response.headers."),
            body=walk.rewrite_events(body, "response.events")
            if isinstance(body, Events)
            else walk.rewrite_body(body, "response.body"),
        ),
    )


def _with_path(interaction: Interaction, path: str) -> Interaction:
    if path == interaction.request.path:
        return interaction
    target = identify(interaction.request.method, path)
    return replace(
        interaction,
        operation=interaction.operation and target.name,
        model=interaction.model and find_model(target, interaction.request.body.data),
        request=replace(interaction.request, path=path),
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    search: Search
    write: WriteAt

    def rewrite_text(self, text: str, where: str) -> str:
        if self.search.is_clean(text):  # most headers and events repeat
            return text
        return apply(text, find_edits(text, self.search, self._writer(where)))

    def rewrite_headers(self, headers: Headers, where: str) -> Headers:
        return tuple(
            (name, self._rewrite_header(name, value, where + name)) for name, value in headers
        )

    def _rewrite_header(self, name: str, value: str, where: str) -> str:
        if not is_secret_header(name, value):
            return self.rewrite_text(value, where)
        if value != REDACTED:
            self.write(Find(SECRET_HEADER, value, "", ()), where)
        return REDACTED

    def rewrite_body(self, body: Body, where: str) -> Body:
        text = self.rewrite_text(body.data.decode(errors="surrogateescape"), where)
        data = text.encode(errors="surrogateescape")
        return body if data == body.data else bodies.read_body(data)

    def rewrite_events(self, body: Events, where: str) -> Events:
        """First the texts that events make together, because joining may hide where a word ends."""
        if self.search.is_hinted and not may_find_in_events(body, self.search):
            return body
        documents = [
            _Document(event.payload.decode(errors="surrogateescape")) for event in body.events
        ]
        for run in _join(dict(enumerate(documents))):
            self._rewrite_run(run, where)
        each = _Walk(self.search.without_paths, self.write)
        events = [
            each.rewrite_event(event, document.spell(), f"{where}[{number}]")
            for number, (event, document) in enumerate(zip(body.events, documents, strict=True))
        ]
        return body if tuple(events) == body.events else Events.of(events, padded=body.padded)

    def _rewrite_run(self, run: Sequence[_Piece], part: str) -> None:
        first, last = run[0].number, run[-1].number
        where = f"{part}[{first}]" if first == last else f"{part}[{first}-{last}]"
        wrapped = [unwrap(piece.document.texts[piece.at]) for piece in run]
        texts = [text for _, text, _ in wrapped]
        edits = find_edits_in(
            run[0].leaf, "".join(texts), run[0].place, self.search, self._writer(where)
        )
        spread = _spread(texts, edits, whole=self.search.across)
        for piece, (start, _, end), text in zip(run, wrapped, spread, strict=True):
            piece.document.texts[piece.at] = f"{start}{text}{end}"

    def rewrite_event(self, event: Event, text: str, where: str) -> Event:
        headers = tuple(
            (name, self.rewrite_text(value, f"{where}.headers.{name}"))
            for name, value in event.headers
        )
        payload = self.rewrite_text(text, where).encode(errors="surrogateescape")
        same = payload == event.payload
        if same and headers == event.headers:
            return event
        form = event.form if same else bodies.choose_form(payload, framed=bool(headers))
        return replace(event, headers=headers, payload=payload, form=form)

    def _writer(self, where: str) -> Writer:
        return lambda find: self.write(find, f"{where} {self._write_place(find.place)}".rstrip())

    def _write_place(self, place: Place) -> str:
        """The place, less names that are secret themselves."""
        silent: Writer = lambda _: REDACTED  # noqa: E731
        parts = [
            part if isinstance(part, int) or not find_edits(part, self.search, silent) else "…"
            for part in place
        ]
        return render_path(tuple(parts))


# -- texts that stand in several events ------------------------------------------------------------


class _Document:
    """An event's payload: its leaves, and their texts to be changed, also inside `bytes`."""

    def __init__(self, text: str) -> None:
        leaves, whole = read_leaves(text)
        self.text = text
        # a quotation mark may be in the middle of a text that is cut
        if not whole or text.lstrip().startswith('"'):
            leaves = [Leaf(0, len(text), (), text, "raw")]
        self.leaves = leaves
        self.texts = [leaf.text for leaf in self.leaves]
        self._inner = {
            index: _Document(inner)
            for index, leaf in enumerate(self.leaves)
            if leaf.place == ("bytes",) and (inner := decode_base64(leaf.text)) is not None
        }

    @cached_property
    def _indexes(self) -> dict[Place, str]:
        """The objects that say with a member `index` which of several texts they continue."""
        return {
            leaf.place[:-1]: leaf.text
            for leaf in self.leaves
            if leaf.form == "number" and leaf.place[-1:] == ("index",)
        }

    def name_text(self, place: Place) -> tuple[object, ...]:
        """The text that a place continues: the place, with the `index` of an item of a list
        instead of its number, because an event may have several pieces of one text.
        """
        if not self._indexes:
            return place
        named: list[object] = [self._indexes.get(())]
        for at, part in enumerate(place):
            index = self._indexes.get(place[: at + 1])
            named.append(part if index is None else ("index", index))
        return tuple(named)

    def pieces(self, number: int, place: Place = ()) -> Iterator[_Piece]:
        """The pieces of texts that other events may continue. place: of this document."""
        for index, leaf in enumerate(self.leaves):
            own = leaf.place or place
            if index in self._inner:
                yield from self._inner[index].pieces(number, own)
            elif (
                leaf.form == "string" or leaf.text.lstrip("-").isdecimal() or len(self.leaves) == 1
            ):
                yield _Piece(number, own, self, index)

    def spell(self) -> str:
        """The payload with the texts as they are now."""
        for index, inner in self._inner.items():
            if (spelled := inner.spell()) != inner.text:
                self.texts[index] = encode_like(self.leaves[index].text, spelled)
        pairs = zip(self.leaves, self.texts, strict=True)
        changed = (
            leaf.outer([Edit(0, len(leaf.text), text)], self.text)
            for leaf, text in pairs
            if text != leaf.text
        )
        return apply(self.text, [edit for edits in changed for edit in edits])


class _Piece(NamedTuple):
    number: int
    place: Place
    document: _Document
    at: int

    @property
    def leaf(self) -> Leaf:
        return self.document.leaves[self.at]


def _join(documents: Mapping[int, _Document]) -> Iterable[list[_Piece]]:
    """The pieces of each text, in the order of their events. documents: by the number of the
    event.
    """
    pieces_by_key: dict[tuple[object, ...], list[_Piece]] = {}
    for number, document in documents.items():
        for piece in document.pieces(number):
            alone = piece.leaf.form == "number" or (piece.place and piece.place[-1] in SINGLE)
            key = (
                (piece.place, number, piece.at) if alone else piece.document.name_text(piece.place)
            )
            pieces_by_key.setdefault(key, []).append(piece)
    return pieces_by_key.values()


def edit_events(body: Events, find: Callable[[str], Sequence[Edit]]) -> Events:
    """Returns the events with edits of the strings in them.

    find: returns the edits of a text, from left to right. It is called with the string of each
    event, and with the text that the strings at one place make together, of which it may only
    change what is in several events.
    """
    documents = {
        number: _Document(event.payload.decode(errors="surrogateescape"))
        for number, event in enumerate(body.events)
        if event.form != "base64"
    }
    for run in _join(documents):
        if run[0].leaf.form == "string":
            texts = [piece.document.texts[piece.at] for piece in run]
            for piece, text in zip(run, _edit_together(texts, find), strict=True):
                piece.document.texts[piece.at] = text
    events = list(body.events)
    for number, document in documents.items():
        if (text := document.spell()) != document.text:
            payload = text.encode(errors="surrogateescape")
            event = events[number]
            form = bodies.choose_form(payload, framed=bool(event.headers))
            events[number] = replace(event, payload=payload, form=form)
    return body if tuple(events) == body.events else Events.of(events, padded=body.padded)


def _edit_together(texts: Sequence[str], find: Callable[[str], Sequence[Edit]]) -> list[str]:
    starts = [*accumulate(map(len, texts), initial=0)]
    edits = [
        Edit(edit.start + start, edit.end + start, edit.new)
        for start, text in zip(starts, texts, strict=False)
        for edit in find(text)
    ]
    split = [
        edit
        for edit in (find("".join(texts)) if len(texts) > 1 else ())
        if any(edit.start < start < edit.end for start in starts)
        and not any(edit.start < other.end and other.start < edit.end for other in edits)
    ]
    return _spread(texts, sorted([*edits, *split], key=lambda edit: edit.start), whole=False)


def _spread(texts: Sequence[str], edits: Sequence[Edit], *, whole: bool) -> list[str]:
    """The texts with the edits of the text that they make together.

    What is new is cut as what it replaces was, or stands whole in the first of the texts, so that a
    user's pattern does not match a piece of a placeholder.
    """
    made = list(texts)
    starts = list(accumulate(map(len, texts), initial=0))[:-1] if edits else []
    for edit in reversed(edits):
        touched = [
            n for n, at in enumerate(starts) if at < edit.end and edit.start < at + len(texts[n])
        ]
        rest = edit.new
        for n in touched:
            start, end = max(edit.start - starts[n], 0), min(edit.end - starts[n], len(texts[n]))
            size = len(rest) if whole or n == touched[-1] else end - start
            made[n] = made[n][:start] + rest[:size] + made[n][end:]
            rest = rest[size:]
    return made
