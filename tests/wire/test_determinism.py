"""Equal requests get equal bytes from a rule: in any order, from many clients, in any
session, beside any other calls.
"""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer import Replayer
from bedtape_replayer.engine.session import Session
from bedtape_replayer.overlay.overlay import Ids
from support.client import Http1

CLIENTS = 16
MODELS = (
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "amazon.nova-lite-v1:0",
    "meta.llama3-8b-instruct-v1:0",
)
TEXT = "It is minus four degrees in Oslo, and there will be snow in the evening. " * 4

Wanted = tuple[str, bytes]
Seen = tuple[int, tuple[tuple[str, str], ...], bytes]


OTHER_APIS: dict[str, Callable[[str], dict[str, Any]]] = {
    "/openai/v1/chat/completions": lambda text: {
        "model": "openai.gpt-oss-20b",
        "messages": say(text),
    },
    "/openai/v1/responses": lambda text: {"model": "openai.gpt-oss-20b", "input": say(text)},
    "/anthropic/v1/messages": lambda text: {
        "model": "anthropic.claude-haiku-4-5",
        "max_tokens": 9,
        "messages": say(text),
    },
}


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def build_requests() -> list[Wanted]:
    requests = []
    for model in MODELS:
        for text in ("weather in Oslo", "a tool for Oslo"):
            body = json.dumps(
                {"messages": [{"role": "user", "content": [{"text": text}]}]}
            ).encode()
            requests += [
                (f"/model/{model}/converse", body),
                (f"/model/{model}/converse-stream", body),
            ]
    claude = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "weather in Oslo"}],
    }
    body = json.dumps(claude).encode()
    requests += [
        (f"/model/{MODELS[0]}/{end}", body) for end in ("invoke", "invoke-with-response-stream")
    ]
    body = json.dumps({"inputText": "weather in Oslo"}).encode()
    requests.append(("/model/amazon.titan-embed-text-v2:0/invoke", body))
    for path, body_of in OTHER_APIS.items():
        for stream in (False, True):
            for text in ("weather in Oslo", "a tool for Oslo"):
                requests.append((path, json.dumps({**body_of(text), "stream": stream}).encode()))
    return requests


REQUESTS = build_requests()
OTHER: Wanted = (
    f"/model/{MODELS[0]}/converse",
    b'{"messages":[{"role":"user","content":[{"text":"another"}]}]}',
)


def add_rules(session: Session) -> None:
    tool = {"name": "weather", "input": {"city": "Oslo", "days": 7}}
    session.respond("a tool", tool=tool, name="tool", allow_unoffered_tools=True)
    session.respond(operation="InvokeModel", model="*embed*", embedding="auto", name="vector")
    session.respond("weather", reasoning="Think.", text=TEXT, name="text")
    session.respond("another", text="Other.", name="other")


def ask(client: Http1, session: str, wanted: Wanted) -> Seen:
    path, body = wanted
    answer = client.request("POST", path, (("content-type", "application/json"),), body, session)
    headers = tuple(pair for pair in answer.headers if pair[0].lower() != "date")
    return answer.status, headers, answer.body


def request_id(headers: tuple[tuple[str, str], ...]) -> str:
    return next(value for name, value in headers if name.lower() == "x-amzn-requestid")


@pytest.fixture(scope="module")
def expected() -> dict[Wanted, Seen]:
    """The answers of a server that is asked each request once."""
    with Replayer(()) as server, Http1(server.url) as client:
        add_rules(server)
        answers = {wanted: ask(client, "", wanted) for wanted in REQUESTS}
    assert {answer[0] for answer in answers.values()} == {200}
    return answers


@settings(max_examples=8)
@given(st.integers(), st.integers(0, 3))
def test_order_clients_sessions_and_other_calls_change_no_byte(
    expected: dict[Wanted, Seen], seed: int, others: int
) -> None:
    with Replayer(()) as server:
        sessions = ["", "one", "two"]
        for name in sessions:
            add_rules(server.session(name) if name else server)

        def run(number: int) -> list[tuple[Wanted, Seen]]:
            chance = Random(f"{seed}/{number}")
            wanted = [*REQUESTS, *REQUESTS[:4], *[OTHER] * others]
            chance.shuffle(wanted)
            with Http1(server.url) as client:
                return [(each, ask(client, chance.choice(sessions), each)) for each in wanted]

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = [pair for pairs in pool.map(run, range(CLIENTS)) for pair in pairs]
    for wanted, answer in answers:
        if wanted != OTHER:
            assert answer == expected[wanted]


def test_different_requests_have_different_ids(expected: dict[Wanted, Seen]) -> None:
    ids = [request_id(headers) for _, headers, _ in expected.values()]
    assert len(set(ids)) == len(ids)


def test_another_seed_gives_other_values(expected: dict[Wanted, Seen]) -> None:
    with (
        Replayer((), overlay={"bedtape-overlay": 1, "seed": 7}) as server,
        Http1(server.url) as client,
    ):
        add_rules(server)
        assert ask(client, "", REQUESTS[1])[2] != expected[REQUESTS[1]][2]


IDS = re.compile(rb'"(?:id|toolUseId)":"([^"]+)"')


@pytest.mark.parametrize("session", ["", "one"])
def test_each_call_can_get_ids_of_its_own_the_same_in_every_run(
    expected: dict[Wanted, Seen], session: str
) -> None:
    def run(*wanted: Wanted) -> list[Seen]:
        with Replayer((), ids="unique") as server, Http1(server.url) as client:
            add_rules(server.session(session) if session else server)
            return [ask(client, session, each) for each in wanted]

    for wanted in REQUESTS:
        answers = run(wanted, OTHER, wanted, wanted)
        assert run(OTHER, *[wanted] * 3)[1:] == [answers[0], *answers[2:]]
        assert answers[0] == expected[wanted]
        ids = [{request_id(headers).encode(), *IDS.findall(body)} for _, headers, body in answers]
        assert len(set(chain(*ids))) == sum(map(len, ids))
    assert len(ids_of_a_tool := IDS.findall(expected[REQUESTS[2]][2])) == 1, ids_of_a_tool


def test_ids_are_unique_where_the_nearest_overlay_or_the_server_says() -> None:
    """A session's overlay has precedence over the server's overlay, and an overlay
    over the server's setting.
    """

    def is_unique(server: Ids, file: Ids | None, own: Ids | None) -> bool:
        def render(ids: Ids | None) -> dict[str, object]:
            return {"bedtape-overlay": 1, **({"ids": ids} if ids else {})}

        with (
            Replayer((), ids=server, overlay=render(file)) as replayer,
            Http1(replayer.url) as client,
        ):
            replayer.overlay(render(own))
            replayer.fail("ThrottlingException", prompt_contains="weather", times=1)
            add_rules(replayer)
            ids = [request_id(ask(client, "", REQUESTS[0])[1]) for _ in range(3)]
        assert len(set(ids)) in (1, 3)
        return len(set(ids)) == 3

    assert not is_unique("equal", None, None)
    for server, file, own in product(
        ("equal", "unique"), ("equal", "unique", None), ("equal", "unique", None)
    ):
        assert is_unique(server, file, own) == ((own or file or server) == "unique")  # type: ignore[arg-type]


def test_other_values_of_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="expected ids to be one of equal, unique, found 'uniq'"):
        Replayer((), ids="uniq")  # type: ignore[arg-type]


def test_probability_depends_on_the_request_and_its_count_and_not_on_other_calls() -> None:
    """One call in front of others, or calls side by side, do not change which calls fail."""

    def count_failures(before: int, clients: int) -> dict[Wanted, list[int]]:
        with Replayer(()) as server:
            add_rules(server)
            server.fault(error="ThrottlingException", probability=0.5, name="sometimes")
            with Http1(server.url) as client:
                for _ in range(before):
                    ask(client, "", OTHER)

            def run(wanted: Wanted) -> tuple[Wanted, list[int]]:
                with Http1(server.url) as client:
                    return wanted, [ask(client, "", wanted)[0] for _ in range(6)]

            with ThreadPoolExecutor(clients) as pool:
                return dict(pool.map(run, REQUESTS))

    alone = count_failures(0, 1)
    assert count_failures(3, 1) == alone
    assert count_failures(1, 8) == alone
    assert {status for statuses in alone.values() for status in statuses} == {200, 429}
