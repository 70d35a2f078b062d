"""Which recordings a session plays from."""

import re

from bedtape_cassettes.matching.key import MatchRules
from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.library import Library
from support.recordings import converse


def test_a_session_plays_from_the_cassette_of_its_name_else_from_all() -> None:
    library = Library(
        [
            Cassette("b", (converse("1", "x"),)),
            Cassette("a", (converse("2", "y"), converse("3", "z"))),
        ]
    )
    assert [cassette.name for cassette in library.cassettes] == ["a", "b"]
    assert len(library) == 3
    assert len(library.index("a").interactions) == 2
    assert len(library.index("other").interactions) == 3
    assert library.index(None) is library.index("other")
    assert library.index("a") is library.index("a")
    assert library.index("other", "a") is library.index("a")
    assert library.index("a", "gone").interactions == ()


def test_rules_hold_for_every_index() -> None:
    rules = MatchRules(any_profile=True)
    library = Library(
        [Cassette("a", (converse("1", "x"), converse("1", "y", model="eu.amazon.nova-lite-v1:0")))],
        rules,
    )
    for session in (None, "a"):
        assert (
            len(
                {
                    recording.key
                    for queue in library.index(session)._queues.values()
                    for recording in queue
                }
            )
            == 1
        )


def test_a_session_is_found_under_the_name_that_it_was_recorded_by() -> None:
    """The recorder takes the user's patterns out of names too; but a name that
    was given stays as it is.
    """
    cassettes = [
        Cassette(name, (converse(name, "x"),)) for name in ("REDACTED-1", "falcon-2", "other")
    ]
    library = Library(cassettes, MatchRules(redact=(re.compile("falcon"),)))
    for session, name in (
        ("falcon-1", "REDACTED-1"),
        ("REDACTED-1", "REDACTED-1"),
        ("falcon-2", "falcon-2"),
    ):
        assert (
            library.index(session).interactions
            == next(c for c in cassettes if c.name == name).interactions
        )
    assert len(library.index("falcon-3").interactions) == 3
