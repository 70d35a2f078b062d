"""Marks: what is out of the ordinary about an interaction."""

from __future__ import annotations

from dataclasses import replace

from bedtape_cassettes.storage.store import name_file
from bedtape_cassettes.suites.flags import marks
from support.recordings import converse, recorded, stream


def test_each_mark_is_told() -> None:
    assert marks(converse("a", "b")) == ()
    assert marks(stream("a", ["b"])) == ("stream",)
    assert marks(recorded(b"{}", b"{}", exact=True)) == ("exact",)
    assert marks(replace(stream("a", ["b"]), partial=True)) == ("partial", "stream")


def test_a_file_is_stale_when_its_request_is_no_longer_the_one_it_is_named_after() -> None:
    interaction = converse("a", "b")
    named = replace(interaction, file=f"x/{name_file(12, interaction)}")
    assert marks(named) == ()
    assert marks(replace(named, request=converse("other", "b").request)) == ("stale",)
    assert marks(replace(named, request=replace(named.request, method="PUT"))) == ("stale",)
    assert marks(replace(interaction, file="x/by-hand.yaml")) == ()
