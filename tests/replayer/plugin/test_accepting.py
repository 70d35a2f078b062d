"""The requests of misses that recordings may get."""

from dataclasses import replace
from pathlib import Path

from bedtape_cassettes.model import Cassette
from bedtape_cassettes.redaction.scrub import ALWAYS
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.misses import read_misses
from bedtape_replayer.answering.call import Call
from bedtape_replayer.plugin.accepting import keep_misses
from support import calls, duplex, folders


def test_a_conversation_keeps_its_events_if_its_head_is_accepted(tmp_path: Path) -> None:
    """A conversation misses at its head, before its events come."""
    recording = duplex.record([(0, "in", duplex.START), (5, "out", {"completionStart": {}})])
    folders.write(tmp_path, Cassette("talk", (recording,)))
    ((before,),) = (cassette.interactions for cassette in store.read([tmp_path]))
    path = duplex.PATH.replace("sonic-v1", "2-sonic-v1")
    call = Call("default", "POST", path, calls.head(), b"", 1)
    keep_misses(tmp_path, ["talk"], [(before, call)], ALWAYS)
    ((kept,),) = (cassette.interactions for cassette in read_misses(tmp_path))
    assert kept.model == "amazon.nova-2-sonic-v1:0"
    assert replace(kept.request, path=before.request.path) == before.request
