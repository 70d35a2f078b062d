"""Hypothesis strategies for content, and requests for model families."""

from random import Random

from hypothesis import strategies as st

from bedtape_cassettes.families.content import (
    STOP_REASONS,
    Block,
    Citation,
    CitedText,
    Image,
    Message,
    Reasoning,
    Text,
    ToolUse,
    Usage,
)
from bedtape_cassettes.families.family import Family, ModelRequest
from bedtape_cassettes.model import JsonValue

# What UTF-8 can hold: halves of surrogate pairs cannot go over the wire.
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SOME_WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
SCALARS: st.SearchStrategy[JsonValue] = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS
)
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=4)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
COUNTS = st.integers(0, 100_000)

USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS)
PLAIN_USAGES = st.builds(Usage, COUNTS, COUNTS)
TEXTS = st.builds(Text, SOME_WORDS)
TOOL_USES = st.builds(ToolUse, NAMES, OBJECTS, NAMES)
SIGNED = st.builds(Reasoning, SOME_WORDS, st.none() | NAMES)
REDACTED = st.builds(Reasoning, redacted=st.binary(min_size=1, max_size=40))
IMAGES = st.builds(
    Image, st.binary(min_size=1, max_size=40), st.sampled_from(["png", "jpeg", "gif", "webp"])
)
_PLACES = st.fixed_dictionaries(
    {"documentIndex": st.integers(0, 9), "end": COUNTS, "start": COUNTS}
)
LOCATIONS: st.SearchStrategy[JsonValue] = st.builds(
    lambda kind, place: {kind: place},
    st.sampled_from(["documentChar", "documentPage", "documentChunk"]),
    _PLACES,
)
CITATIONS = st.builds(Citation, SOME_WORDS, st.none() | SOME_WORDS, LOCATIONS)
CITED = st.builds(CitedText, SOME_WORDS, st.lists(CITATIONS, min_size=1, max_size=3).map(tuple))


def messages(
    *blocks: st.SearchStrategy[Block],
    stops: tuple[str, ...] = STOP_REASONS,
    usages: st.SearchStrategy[Usage | None] = USAGES,
) -> st.SearchStrategy[Message]:
    """Messages of these blocks."""
    some = st.lists(st.one_of(*blocks), min_size=1, max_size=4).map(tuple)
    return st.builds(Message, some, st.sampled_from(stops), usage=usages)


def model_request(
    family: Family, model: str, body: dict[str, JsonValue] | None = None, seed: int = 0
) -> ModelRequest:
    """Returns a request for the family, with seeded randomness."""
    request = body or {}
    return ModelRequest(model, request, family.prompt(request), Random(seed))


# Requests that look like real ones to whoever reads them, with anything at all where
# something is expected.
_MEMBERS = (
    "messages role content text system prompt toolConfig tools toolSpec name toolUse toolResult"
    " toolUseId tool_use_id input json type inferenceConfig maxTokens max_tokens temperature"
    " stopSequences stop_sequences guardContent"
)
REQUEST_MEMBERS = _MEMBERS.split()
_REQUEST_WORDS = st.sampled_from(("tool_use", "tool_result", "text", "user", "assistant", ""))
REQUESTS: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(
    st.sampled_from(REQUEST_MEMBERS),
    st.recursive(
        SCALARS | _REQUEST_WORDS | st.floats(allow_nan=False),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(REQUEST_MEMBERS) | WORDS, inner, max_size=4)
        ),
        max_leaves=20,
    ),
    max_size=6,
)
