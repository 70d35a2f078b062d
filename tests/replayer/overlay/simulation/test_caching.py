"""Prompt caches: the token counts of requests with marks and of automatic
prefixes, on the virtual clock.
"""

from collections.abc import Iterator

import pytest

from bedtape_cassettes.families.content import Message, Text, Usage
from bedtape_cassettes.families.reading import content_of
from bedtape_cassettes.families.rendering import render
from bedtape_replayer import Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.history.assertions import CallsMismatch
from bedtape_replayer.overlay.simulation.context import Context
from bedtape_replayer.overlay.simulation.features import parse_names
from bedtape_replayer.overlay.simulation.state import SimulationState
from support import corpus
from support.faulty import make_context
from support.five_apis import NOVA, Asked, Told, ask, name_form

LONG = "word" * 2_000  # 2,000 tokens
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
GPT = "openai.gpt-5.4"
MARKED = [
    (api, stream) for api in ("Converse", "InvokeModel", "Messages") for stream in (False, True)
]
AUTOMATIC = [(api, stream) for api in ("Chat Completions", "Responses") for stream in (False, True)]


@pytest.fixture(scope="module")
def server() -> Iterator[Replayer]:
    with Replayer(()) as replayer:
        yield replayer


@pytest.fixture
def bedrock(server: Replayer) -> Replayer:
    server.reset()
    server.respond(text="Good.")
    server.simulate(caching=True)
    return server


def counts(told: Told) -> tuple[int | None, ...]:
    return told.input, told.read, told.write


@pytest.mark.parametrize(("api", "stream"), MARKED, ids=name_form)
def test_a_marked_prefix_is_written_and_then_read(
    bedrock: Replayer, api: str, stream: bool
) -> None:
    asked = Asked(("four",), system=((LONG, True),))
    assert counts(ask(api, bedrock.url, asked, stream=stream)) == (1, 0, 2_000)
    assert counts(ask(api, bedrock.url, asked, stream=stream)) == (1, 2_000, 0)
    other = Asked(("another!",), system=((LONG, True),))
    assert counts(ask(api, bedrock.url, other, stream=stream)) == (2, 2_000, 0)
    first, *_, last = bedrock.calls
    assert first.simulated == ("caching: read 0 tokens, wrote 2000",)
    assert last.simulated == ("caching: read 2000 tokens, wrote 0",)


@pytest.mark.parametrize(("api", "stream"), AUTOMATIC, ids=name_form)
def test_gpt_reads_a_prefix_that_it_has_seen(bedrock: Replayer, api: str, stream: bool) -> None:
    asked = Asked(("four",), system=((LONG, False),))
    first = ask(api, bedrock.url, asked, stream=stream, model=GPT)
    assert not first.read
    again = ask(
        api, bedrock.url, Asked(("more",), system=((LONG, False),)), stream=stream, model=GPT
    )
    assert (again.input, again.read) == (
        2_001,
        1_920,
    )  # in steps of 128; the input contains the cached tokens


def ask_marked(bedrock: Replayer, asked: Asked, model: str = CLAUDE) -> tuple[int | None, ...]:
    return counts(ask("Converse", bedrock.url, asked, stream=False, model=model))


SMALL = "word" * 1_100
MODELS = [
    (CLAUDE, 1_100),
    ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 0),
    (NOVA, 1_100),
    ("anthropic.claude-3-haiku-20240307-v1:0", None),
    ("meta.llama3-70b-instruct-v1:0", None),
]


@pytest.mark.parametrize(("model", "written"), MODELS)
def test_each_model_has_a_minimum(bedrock: Replayer, model: str, written: int | None) -> None:
    told = ask("Converse", bedrock.url, Asked(system=((SMALL, True),)), stream=False, model=model)
    assert (told.write or 0) == (written or 0)
    bedrock.simulate(caching={"minimum_tokens": 10})
    told = ask(
        "Converse",
        bedrock.url,
        Asked(system=((f"new{SMALL[3:]}", True),)),
        stream=False,
        model=model,
    )
    assert told.write == 1_100


@pytest.mark.parametrize(("lifetime", "seconds"), [(None, 300), ("5m", 300), ("1h", 3_600)])
def test_a_cache_lives_from_use_to_use(
    bedrock: Replayer, lifetime: str | None, seconds: int
) -> None:
    asked = Asked(("four",), system=((LONG, True),), lifetime=lifetime)
    assert ask_marked(bedrock, asked) == (1, 0, 2_000)
    for _ in range(2):
        bedrock.advance(seconds - 1)
        assert ask_marked(bedrock, asked) == (1, 2_000, 0)
    bedrock.advance(seconds)
    assert ask_marked(bedrock, asked) == (1, 0, 2_000)


def test_a_conversation_reads_what_the_turn_before_wrote(bedrock: Replayer) -> None:
    bedrock.simulate(caching=True)
    first = {
        "cache_control": {"type": "ephemeral"}
    }  # Anthropic's automatic caching: a mark at the end
    one = Asked((LONG,), more={"extra_body": first})
    two = Asked((LONG, "well", "word" * 500), more={"extra_body": first})
    assert counts(ask("Messages", bedrock.url, one, stream=False)) == (0, 0, 2_000)
    assert counts(ask("Messages", bedrock.url, two, stream=False)) == (0, 2_000, 501)


def test_a_change_before_the_mark_is_another_prefix(bedrock: Replayer) -> None:
    tool = {"toolSpec": {"name": "a", "inputSchema": {"json": {"type": "object"}}}}
    marked = ((LONG, True),)
    assert ask_marked(bedrock, Asked(system=marked))[1:] == (0, 2_000)
    assert ask_marked(bedrock, Asked(system=((f"{LONG}!", True),)))[1] == 0
    told = ask_marked(bedrock, Asked(system=marked, more={"toolConfig": {"tools": [tool]}}))
    assert told[1] == 0  # the tools come first
    assert ask_marked(bedrock, Asked(system=marked))[1:] == (2_000, 0)
    assert ask_marked(bedrock, Asked(system=marked), NOVA)[1:] == (0, 2_000)  # models share none


def test_a_request_without_a_mark_is_not_changed(bedrock: Replayer) -> None:
    asked = Asked(system=((LONG, False),))
    told = ask("Converse", bedrock.url, asked, stream=False)
    bedrock.simulate()
    assert ask("Converse", bedrock.url, asked, stream=False) == told
    before, after = bedrock.calls
    assert before.outcome.answer.reply.body == after.outcome.answer.reply.body


def test_sessions_share_no_cache_and_a_reset_clears_it(bedrock: Replayer) -> None:
    asked = Asked(("four",), system=((LONG, True),))
    ask_marked(bedrock, asked)
    used = bedrock.engine.memory.used
    bedrock.reset()
    assert bedrock.engine.memory.used < used
    bedrock.respond(text="Good.")
    bedrock.simulate(caching=True)
    assert ask_marked(bedrock, asked) == (1, 0, 2_000)


def test_an_assertion_shows_that_a_cache_takes_no_effect(bedrock: Replayer) -> None:
    asked = Asked(("four",), system=((LONG, True),))
    ask_marked(bedrock, asked)
    with pytest.raises(CallsMismatch, match="read"):
        bedrock.assert_cached()
    ask_marked(bedrock, asked)
    bedrock.assert_cached()
    bedrock.assert_cached("four", at_least_tokens=2_000)
    with pytest.raises(CallsMismatch, match="2001"):
        bedrock.assert_cached(at_least_tokens=2_001)


PAIRS = [
    ("dd-trace-py", "bedrock_converse_prompt_caching.yaml"),
    ("dd-trace-py", "bedrock_converse_stream_prompt_caching.yaml"),
    ("pydantic-ai", "test_bedrock_cache_write_and_read.yaml"),
]


@corpus.needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize(("source", "file"), PAIRS)
def test_the_real_service_counted_the_same(source: str, file: str) -> None:
    features, state = parse_names(["caching"]), SimulationState()
    rows = [row for row in corpus.exchanges(source) if row.file.endswith(file)]
    assert len(rows) == 2
    for row in rows:
        call = Call("default", row.method, row.path, Head.of(()), row.request_body)
        recorded = content_of(row.operation, row.model, row.interaction().response)
        assert isinstance(recorded, Message)
        assert recorded.usage is not None
        answer = Message(
            (Text("a"),), usage=Usage(recorded.usage.total_input, recorded.usage.output)
        )
        response = render(
            answer,
            operation=row.operation,
            model=row.model,
            body=row.request_body,
            chance=make_context(1).chance,
        )
        effect = features.change(Context(call, state=state), response, b"")
        assert effect is not None
        simulated = content_of(row.operation, row.model, effect.response)
        assert isinstance(simulated, Message)
        assert simulated.usage is not None
        assert simulated.usage.total == recorded.usage.total
        # A part's share of the tokens is that of its characters.
        assert (
            abs(simulated.usage.cache_read - recorded.usage.cache_read)
            <= 0.02 * recorded.usage.cache_read
        )
        assert (
            abs(simulated.usage.cache_write - recorded.usage.cache_write)
            <= 0.02 * recorded.usage.cache_write
        )
        assert (
            features.change(
                Context(call, state=state if recorded.usage.cache_read else SimulationState()),
                row.interaction().response,
                b"",
            )
            is None
        )
