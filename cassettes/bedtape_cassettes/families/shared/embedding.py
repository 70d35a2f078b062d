"""Shared code of the embedding families: a vector for each input, and smaller number types.

The source of an input is its text, or the base64 of its image. A generated vector depends on the
source alone, so equal inputs get equal vectors, and similar texts get similar vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bedtape_cassettes.families.content import Content, Embeddings, Prompt, Turn
from bedtape_cassettes.families.family import RenderError
from bedtape_cassettes.families.shared import json_access, similarity
from bedtape_cassettes.model import JsonValue

# Larger than the dimension of any model, and small enough that a wrong request
# cannot fill the memory.
_LARGEST_DIMENSION = 16_384
# Cohere's number types. `binary` and `ubinary` hold eight dimensions per byte.
FORMS = ("float", "int8", "uint8", "binary", "ubinary")
# The standard deviation of a unit vector's numbers is 1/sqrt(dimension). It becomes 32, so a signed
# byte holds four deviations on each side.
_SPREAD = 32


def image(data: str) -> str:
    """The source of an image, from its base64 or data URI."""
    return f"image:{data.rpartition(',')[2]}"


def prompt_of(inputs: Sequence[str]) -> Prompt:
    """The prompt of an embedding request: one user turn per input text."""
    return Prompt(turns=tuple(Turn("user", text) for text in inputs))


def vectors(
    content: Content, sources: Sequence[str], requested: JsonValue, default: int
) -> list[list[float]]:
    """Return a vector for each source: the given vectors, or generated vectors.

    requested: the dimension in the request, or None. default: the dimension of the model. Raises
    RenderError if the number of given vectors differs from the number of sources, or if the
    dimension is not supported.
    """
    assert isinstance(content, Embeddings)
    if content.vectors is not None:
        if len(content.vectors) != len(sources):
            raise RenderError(
                f"expected as many vectors as the request has inputs, {len(sources)}; found"
                f" {len(content.vectors)}; give one vector for each input, or `auto` to generate"
                " them"
            )
        return [[float(number) for number in vector] for vector in content.vectors]
    dimension = default if requested is None else requested
    if content.dimension is not None:
        dimension = content.dimension
    if (
        isinstance(dimension, bool)
        or not isinstance(dimension, int)
        or not 1 <= dimension <= _LARGEST_DIMENSION
    ):
        raise RenderError(
            f"expected a whole number from 1 to {_LARGEST_DIMENSION} as the dimension, found"
            f" {dimension!r}"
        )
    return [list(similarity.make_vector(source, dimension)) for source in sources]


def input_tokens(content: Content, prompt: Prompt) -> int:
    """The number of input tokens: the given count, or an estimate from the length of the prompt."""
    usage = content.usage if isinstance(content, Embeddings) else None
    return max(1, prompt.tokens) if usage is None else usage.input


def floats(value: JsonValue) -> tuple[float, ...]:
    """Read a vector of an answer. Raises ValueError if the value is not a list of numbers."""
    if not isinstance(value, list):
        raise ValueError(f"expected a vector, a list of numbers; found {type(value).__name__}")
    numbers = [json_access.number(item) for item in value]
    if None in numbers:
        raise ValueError("expected a vector of numbers alone")
    return tuple(float(item) for item in numbers if item is not None)


# -- smaller number types --------------------------------------------------------------------------


def quantise(vector: Sequence[float], form: str) -> list[JsonValue]:
    """Convert the vector to a number type in FORMS. Raises RenderError for another type."""
    match form:
        case "float":
            return list(vector)
        case "int8":
            return list(_bytes(vector))
        case "uint8":
            return [byte + 128 for byte in _bytes(vector)]
        case "binary":
            return [byte - 128 for byte in _pack(vector)]
        case "ubinary":
            return list(_pack(vector))
    raise RenderError(f"expected embedding types among {', '.join(FORMS)}, found {form!r}")


def dequantise(numbers: Sequence[float], form: str) -> tuple[float, ...]:
    """The inverse of `quantise`, as far as the number type allows."""
    match form:
        case "int8":
            return _scale(numbers, len(numbers))
        case "uint8":
            return _scale([number - 128 for number in numbers], len(numbers))
        case "binary":
            return _unpack([int(number) + 128 for number in numbers])
        case "ubinary":
            return _unpack([int(number) for number in numbers])
    return tuple(numbers)


def _bytes(vector: Sequence[float]) -> list[int]:
    scale = _SPREAD * math.sqrt(len(vector))
    return [max(-128, min(127, round(number * scale))) for number in vector]


def _scale(numbers: Sequence[float], dimension: int) -> tuple[float, ...]:
    return tuple(number / (_SPREAD * math.sqrt(dimension)) for number in numbers)


def _pack(vector: Sequence[float]) -> list[int]:
    """One bit per dimension, set for a number above 0. The first is the highest bit of its byte."""
    return [
        sum((number > 0) << (7 - place) for place, number in enumerate(vector[at : at + 8]))
        for at in range(0, len(vector), 8)
    ]


def _unpack(packed: Sequence[int]) -> tuple[float, ...]:
    unit = 1 / math.sqrt(8 * len(packed) or 1)
    return tuple(
        unit if byte >> (7 - place) & 1 else -unit for byte in packed for place in range(8)
    )
