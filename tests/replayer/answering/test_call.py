"""What a call says of itself."""

from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head


def test_a_call_knows_what_it_asks_for() -> None:
    target = Call("s", "POST", "/model/a%3A0/converse", Head.of(()), b"").target
    assert (target.name, target.model) == ("Converse", "a:0")
