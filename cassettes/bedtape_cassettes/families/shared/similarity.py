"""Generates embeddings in which similar texts have similar vectors, so that a
test can check retrieval.

A text is a bag of words, of pieces of words and of pairs of neighbouring words. Each of them is
hashed to some positions of the vector and to a sign, which is known as feature hashing. There is no
model and no table of words: synonyms are not similar.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b, shake_128
from itertools import pairwise

# Words that say little about a text. They count a tenth.
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "can",
        "do",
        "for",
        "from",
        "has",
        "have",
        "he",
        "how",
        "i",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "you",
        "your",
    ]
)
_WORD, _COMMON_WORD, _PIECE, _PAIR = 1.0, 0.1, 0.25, 0.25
# Scripts without spaces between words make one word of a sentence, so its
# pieces are what texts share.
_FOREIGN_PIECE = 0.75
# Each feature sets this many positions, so that two features at one position
# seldom hide each other.
_POSITIONS = 8
# The share of a part that depends on the whole text, because different texts must
# not have equal vectors.
_NOISE = 0.02
_MOST_WORDS = 4_000
_IMAGE = "image:"
_WORDS = re.compile(r"\w+")


def make_vector(source: str, dimension: int) -> tuple[float, ...]:
    """Return a unit vector.

    It depends on the text alone; an image's source, `image:` and base64, is one word.

    Numbers have 7 digits (single precision), as in real answers.
    """
    data = source.encode(errors="surrogatepass")
    numbers = [
        _NOISE * (byte - 127.5) / 74 / math.sqrt(dimension)
        for byte in shake_128(data).digest(dimension)
    ]
    features = dict(_find_features(source))
    scale = math.sqrt(sum(weight * weight for weight in features.values()) * _POSITIONS) or 1.0
    for feature, weight in features.items():
        digest = blake2b(
            feature.encode(errors="surrogatepass"), digest_size=4 * _POSITIONS
        ).digest()
        for at in range(0, len(digest), 4):
            position = int.from_bytes(digest[at : at + 3]) % dimension
            numbers[position] += (weight if digest[at + 3] & 1 else -weight) / scale
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return tuple(float(f"{number / length:.7g}") for number in numbers)


def _find_features(source: str) -> Iterator[tuple[str, float]]:
    """Yield the features of a text with their weights. Repeated words weigh less than twice."""
    if source.startswith(_IMAGE):
        yield source, _WORD
        return
    words = _WORDS.findall(source.casefold())[:_MOST_WORDS]
    pieces: Counter[str] = Counter()
    for word, count in Counter(words).items():
        common = word in _COMMON
        yield f"word {word}", (_COMMON_WORD if common else _WORD) * math.sqrt(count)
        if not common:
            pieces.update(_split_word(word))
    for piece, count in pieces.items():
        yield f"piece {piece}", (_PIECE if piece.isascii() else _FOREIGN_PIECE) * math.sqrt(count)
    for (one, other), count in Counter(pairwise(words)).items():
        yield f"pair {one} {other}", _PAIR * math.sqrt(count)


def _split_word(word: str) -> Iterator[str]:
    """Yield pieces of three characters; of two in scripts that write words without spaces."""
    size = 3 if word.isascii() else 2
    marked = f"<{word}>"
    yield from (marked[at : at + size] for at in range(len(marked) - size + 1))
