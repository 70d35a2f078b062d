"""Calls that type checkers reject: each line that ends with `# error`, and no other line."""

from bedtape_replayer import Bedrock, Session


def answers(bedrock: Bedrock) -> None:
    bedrock.respond("spam", txt="yes")  # error
    bedrock.respond("spam", {"label": "spam"})  # error
    bedrock.respond("spam", "yes", "no")  # error
    bedrock.respond("spam", "yes", modle="*nova*")  # error
    bedrock.respond("spam", "yes", when={"modle": "*nova*"})  # error
    bedrock.respond("spam", "yes", when="*nova*")  # error
    bedrock.respond(text="a", operation="Convers")  # error
    bedrock.respond(text="a", turn="1")  # error
    bedrock.respond(text="a", stop_reason="max_token")  # error
    bedrock.respond(text="a", usage={"in": 1})  # error
    bedrock.respond(tool={"input": {}})  # error
    bedrock.respond(answers=[1])  # error
    bedrock.respond(lambda call: 3)  # error
    bedrock.respond(lambda call: call.nothing)  # error


def faults(session: Session) -> None:
    session.fail(429)  # error
    session.fail("ThrottlingException", latency={"first_byte_ms": 200})  # error
    session.fail("ThrottlingException", when={"times": 2})  # error
    session.fault("ThrottlingException")  # error
    session.fault(stal={})  # error
    session.fault(stall=True)  # error
    session.fault(stall={"after": 1})  # error
    session.fault(stall={"after_events": "1"})  # error
    session.fault(swap={"first": 1})  # error
    session.fault(corrupt={"what": "crc"})  # error
    session.fault(misanswer="maxtokens")  # error
    session.fault(misanswer={"text": "END"})  # error
    session.fault(reset={}, when={"modle": "*claude*"})  # error


def calls(bedrock: Bedrock) -> None:
    bedrock.assert_called(modle="*nova*")  # error
    bedrock.assert_called("spam", times="1")  # error
    bedrock.assert_not_called("spam", times=1)  # error
    bedrock.assert_sequence([{"stats": 429}])  # error
    bedrock.assert_sequence([{"status": 429}], consecutiv=True)  # error
    bedrock.calls.filter(source="cassettes")  # error
