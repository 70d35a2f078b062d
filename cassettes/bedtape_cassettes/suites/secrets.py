"""Lists the secrets and personal data of a suite, or replaces each value by the
same placeholder everywhere.

`scan` and `redact_suite` use the same search, so `redact_suite` replaces each
value that `scan` lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Protocol

from bedtape_cassettes.model import Interaction, Suite
from bedtape_cassettes.redaction.engine import (
    Find,
    HintedLook,
    Search,
    Span,
    find_pattern,
    find_words,
    replace_all,
)
from bedtape_cassettes.redaction.hints import HintIndex
from bedtape_cassettes.redaction.kinds import ACCESS_KEY, PLACEHOLDER, REDACTED, SECRET_HEADER
from bedtape_cassettes.redaction.walk import rewrite
from bedtape_cassettes.storage.file_names import is_own_name
from bedtape_cassettes.suites import bulk
from bedtape_cassettes.suites.members import with_length
from bedtape_cassettes.suites.selector import Picked, list_numbers


class Names:
    """Placeholders by value, numbered by kind in the order of their finds,
    above the numbers that exist.

    fixed: replaces every value instead.
    """

    def __init__(self, fixed: str | None = None) -> None:
        self.fixed = fixed
        self.given: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self._last: dict[str, int] = {}

    def reserve(self, text: str) -> None:
        """Reserves the numbers of the placeholders in the text."""
        if REDACTED in text:
            for match in PLACEHOLDER.finditer(text):
                self._last[match[1]] = max(self._last.get(match[1], 0), int(match[2]))

    def learn(self, find: Find) -> None:
        """Stores the kind of a value that is replaced everywhere, except of secret headers."""
        if find.kind != SECRET_HEADER:
            self.kinds.setdefault(find.value, find.kind)

    def name(self, find: Find) -> str:
        """Returns the placeholder of the value."""
        if find.value not in self.given:
            kind = self.kinds.get(find.value, find.kind)
            self._last[kind] = self._last.get(kind, 0) + 1
            self.given[find.value] = self.fixed or f"{REDACTED}-{kind}-{self._last[kind]}"
        return self.given[find.value]


def redact(interaction: Interaction, search: Search, names: Names) -> Interaction:
    """Replaces every value that the search finds in the interaction."""
    changed = rewrite(interaction, search, lambda find, _: names.name(find))
    return interaction if changed == interaction else with_length(changed)


def redact_suite(
    suite: Suite,
    picked: Picked,
    search: Search,
    names: Names,
    tick: Callable[[str], None] = lambda _: None,
) -> Suite:
    """Replaces every value that the search finds in the picked interactions.

    A value that is found in one interaction is replaced in all picked interactions. tick: called
    twice for each of them.
    """

    def learn(find: Find, _where: str) -> str:
        names.learn(find)
        return REDACTED

    for interaction in (
        cassette.interactions[at] for cassette in suite for at in picked.get(cassette.name, ())
    ):
        _reserve_all(interaction, names)
        rewrite(interaction, search, learn)
        tick(interaction.file)
    words = (find_words(names.kinds),) if names.kinds else ()
    everywhere = replace(search, looks=(*search.looks, *words))

    def redact_and_tick(interaction: Interaction) -> Interaction:
        changed = redact(interaction, everywhere, names)
        tick(interaction.file)
        return changed

    return bulk.change_each(suite, picked, redact_and_tick)


def _reserve_all(interaction: Interaction, names: Names) -> None:
    def look(text: str) -> Iterator[Span]:
        names.reserve(text)
        return iter(())

    rewrite(interaction, Search(looks=(look,)), lambda *_: REDACTED)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """A secret or personal data. shown: the masked value. how: "in base64",
    "percent-encoded" or "".

    where: the place in the interaction, or one of `NAME_PLACES`. cassette, file: without what
    the search finds in them.
    """

    cassette: str
    number: int
    file: str
    where: str
    kind: str
    shown: str
    how: str = ""


# The places of finds in names, and the command that gives another name, because `redact` does not.
NAME_PLACES = {"the cassette's name": "rename", "the file's name": "renumber"}


def scan(
    suite: Suite, picked: Picked, search: Search, tick: Callable[[str], None] = lambda _: None
) -> list[ScanResult]:
    """Returns all that the search finds in the picked interactions and names, each once."""
    findings: list[ScanResult] = []
    for cassette in suite:
        places = set(picked.get(cassette.name, ()))
        for place, number in enumerate(list_numbers(cassette) if places else ()):
            if place in places:
                interaction = cassette.interactions[place]
                findings += _scan_interaction(cassette.name, number, interaction, search)
                tick(interaction.file)
    return list(dict.fromkeys(findings))


def _scan_interaction(
    cassette: str, number: int, interaction: Interaction, search: Search
) -> list[ScanResult]:
    findings: list[ScanResult] = []

    def hide(name: str) -> str:
        return replace_all(name, search, lambda _: REDACTED)

    def write(find: Find, where: str) -> str:
        shown = hide(cassette), number, hide(interaction.file)
        findings.append(ScanResult(*shown, where, find.kind, _mask(find.value), find.how))
        return REDACTED

    names = (cassette, interaction.file.rpartition("/")[2])
    for name, where in zip(names, NAME_PLACES, strict=True):
        # a name that bedtape gave matches a pattern of the user, but no kind of secret
        if not (search.is_hinted and is_own_name(name)):
            replace_all(name, search, partial(write, where=where))
    rewrite(interaction, search, write)
    return findings


def _mask(value: str) -> str:
    kept = min(4, len(value) // 4)
    return f"{value[:kept]}… ({len(value)} characters)"


# -- detect-secrets --------------------------------------------------------------------------------

# These detectors report every id and signature of an answer, because ids and
# signatures are random too.
_NOISY = ("Base64HighEntropyString", "HexHighEntropyString")
# What a text contains if these detectors find something in it: a long word, or one of the texts.
_LONG_WORD = re.compile(r"[\w-]{20}")
_LONG = (
    *(
        "Cloudant",
        "DiscordBotToken",
        "GitHubToken",
        "GitLabToken",
        "IbmCloudIam",
        "IbmCosHmac",
        "Mailchimp",
    ),
    *("OpenAI", "PypiToken", "SendGrid", "Softlayer", "Stripe", "TelegramBotToken", "TwilioKey"),
)
_MARKS = {
    "Artifactory": ("AKC", *(f"AP{character}" for character in "0123456789ABCDEF")),
    "AzureStorageKey": ("AccountKey=",),
    "BasicAuth": ("//",),
    "IPPublic": tuple(f".{digit}" for digit in range(10)),
    "JwtToken": ("eyJ",),
    "Npm": ("//",),
    "PrivateKey": ("BEGIN", "PuTTY"),
    "SquareOAuth": ("sq0csp-",),
}
# As `_MARKS`, in lower case, of detectors to which case does not matter.
_FOLDED_MARKS = {"AWSKey": ("a3t", "abia", "acca", "akia", "asia", "aws"), "Slack": ("xox", "//")}
# JSON's escapes of the characters outside ASCII that `casefold` makes k and s.
_FOLDED_ESCAPES = ("\\u212a", "\\u017f")
# `bytes.translate` makes a run of every long word of a document, and of some other texts.
_LONG_RUN = b"a" * 20
_WORD_BYTES = bytes(
    ord("a") if byte >= 128 or chr(byte).isalnum() or chr(byte) in "_-" else ord(" ")
    for byte in range(256)
)
# Each keyword of the KeywordDetector contains one of these texts.
_KEYWORDS = ("key", "pass", "pwd", "secret", "contrase")


class _Plugin(Protocol):
    secret_type: str

    def analyze_string(self, string: str) -> Iterator[str]:
        """Yields the secrets in a line."""


def load_detectors() -> HintedLook | None:
    """Returns a look that uses the detectors of detect-secrets, or `None` if
    detect-secrets is not installed.

    The look uses their patterns and does not verify secrets, so it contacts no host.
    """
    try:
        util = import_module("detect_secrets.core.plugins.util")
    except ImportError:
        return None
    classes = util.get_mapping_from_secret_type_to_class().values()
    plugins: list[_Plugin] = [kind() for kind in classes if kind.__name__ not in _NOISY]
    long = [plugin for plugin in plugins if _name_of(plugin) in _LONG]
    folded_marks = _FOLDED_MARKS | {"Keyword": _list_keywords()}
    folded = _index_marks(plugins, folded_marks)
    rest = [plugin for plugin in plugins if _name_of(plugin) not in (*_LONG, *folded_marks)]
    exact = _index_marks(rest, {_name_of(plugin): ("",) for plugin in rest} | _MARKS)

    def look(text: str) -> Iterator[Span]:
        hinted = [*exact.find(text), *folded.find(text.casefold())]
        if _has_long_word(text):
            hinted += long
        for plugin in hinted:
            for value in dict.fromkeys(plugin.analyze_string(text)):
                if value and value != ACCESS_KEY and REDACTED not in value:
                    kind = "-".join(re.findall("[a-z]+", plugin.secret_type.lower()))
                    yield from find_pattern(re.compile(re.escape(value)), kind)(text)

    def has_hint(data: bytes) -> bool:
        text = data.decode(errors="surrogateescape")
        folded_text = text.casefold()
        return (
            exact.has(text)
            or folded.has(folded_text)
            or any(escape in folded_text for escape in _FOLDED_ESCAPES)
            or (_LONG_RUN in data.translate(_WORD_BYTES) and _LONG_WORD.search(text) is not None)
        )

    return HintedLook(look, has_hint)


def _name_of(plugin: _Plugin) -> str:
    return type(plugin).__name__.removesuffix("Detector")


def _index_marks(
    plugins: Sequence[_Plugin], marks: Mapping[str, tuple[str, ...]]
) -> HintIndex[_Plugin]:
    return HintIndex((plugin, marks.get(_name_of(plugin), ())) for plugin in plugins)


def _has_long_word(text: str) -> bool:
    # Splitting at spaces is faster than a search, and most texts have no long word.
    return max(map(len, text.split()), default=0) >= 20 and _LONG_WORD.search(text) is not None


def _list_keywords() -> tuple[str, ...]:
    """Returns texts of which a text in lower case contains one if the KeywordDetector finds
    something in it.
    """
    words: tuple[str, ...] = import_module("detect_secrets.plugins.keyword").DENYLIST
    return _KEYWORDS if all(any(part in word for part in _KEYWORDS) for word in words) else ("",)
