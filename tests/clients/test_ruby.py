"""The core of the AWS SDK for Ruby, from Debian's packages. It signs requests, decodes event
streams and raises errors. Debian has no package of the gem with Bedrock's operations, so the
program in `ruby` declares the two operations that it calls.
"""

import json
import os
from pathlib import Path

from bedtape_cassettes.addresses import isolate_environment
from bedtape_replayer import Replayer
from support.toolchains import run_offline

HERE = Path(__file__).parent / "ruby"
TEXT = "It rains in Oslo. It rains a lot."


def test_the_sdk_for_ruby_reads_answers_streams_and_errors() -> None:
    with Replayer(()) as bedrock:
        bedrock.respond(text=TEXT)
        bedrock.fail("ModelStreamErrorException", prompt_contains="three", after_events=2)
        bedrock.fail("ValidationException", prompt_contains="four", message="Too long.")
        done = run_offline(["ruby", "talk.rb"], HERE, isolate_environment(os.environ, bedrock.url))
        calls = [(call.operation, call.status) for call in bedrock.calls]
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads(done.stdout)
    assert answers["converse"] == [TEXT, "end_turn"]
    assert answers["text"] == TEXT
    assert answers["stream"][0] == "message_start"
    assert answers["stream"][-1] == "message_stop"
    assert answers["broken"][-1] == "model_stream_error_exception"
    assert answers["refused"] == ["ValidationException", "Too long.", 400]
    stream = ("ConverseStream", 200)
    assert calls == [("Converse", 200), stream, stream, ("Converse", 400)]
