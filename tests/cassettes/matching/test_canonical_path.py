"""The canonical path is part of each operation's match key: all spellings of a path have one key,
and no other path has it.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from bedtape_cassettes.format.bodies import compact
from bedtape_cassettes.matching.key import DEFAULT, MatchRules, compute_key
from bedtape_cassettes.operations import OPERATIONS, Operation, identify

MODEL_LABEL = re.compile(r"\{(?:modelId|modelIdentifier|inferenceProfileIdentifier)\}")
LABEL = re.compile(r"\{\w+\}")
MODEL = "amazon.nova-lite-v1:0"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}"
VALUES = (MODEL, f"us.{MODEL}", ARN, "a?b", "a%3Fb", "a%253Fb", "ä b")
REMOVED = (
    "",
    "/s/test",
    "/service/bedrock-mantle",
    "/s/a%20b/service/bedrock",
    "/gateway/bedrock",
    "/v1/gateway",
    "/",
)
# A base URL that ends with one of these selects another API than the same URL without it.
OTHER_APIS = ("/openai", "/anthropic")

every_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: operation.path
)


def fill(path: str, value: str, *, model_safe: str = "", safe: str = "") -> str:
    path = MODEL_LABEL.sub(lambda _: quote(value, safe=model_safe), path)
    return LABEL.sub(lambda _: quote(value, safe=safe), path)


def compute(method: str, path: str, body: bytes = b"{}", rules: MatchRules = DEFAULT) -> bytes:
    return compute_key(method, identify(method, path), (), body, rules)


def spell(template: str, value: str) -> Iterator[str]:
    """Yields the paths that clients send for one call.

    An ARN that is not encoded contains slashes.
    """
    encoded = fill(template, value)
    yield from (encoded, fill(template, value, model_safe=":/", safe=":"))
    yield from (f"{encoded}/", f"{encoded}?", encoded.replace("/", "//"))
    yield re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), encoded)


@every_operation
@pytest.mark.parametrize("value", VALUES)
def test_all_spellings_of_a_path_have_one_target_and_key(operation: Operation, value: str) -> None:
    paths = [prefix + path for prefix in REMOVED for path in spell(operation.path, value)]
    (target,) = {identify(operation.method, path) for path in paths}
    assert target.operation == operation
    assert target.model == (value if MODEL_LABEL.search(operation.path) else None)
    assert len({compute(operation.method, path) for path in paths}) == 1


def test_different_paths_have_different_keys() -> None:
    requests = {
        (operation.method, root + fill(operation.path, value) + query)
        for operation in OPERATIONS
        for value in VALUES
        for root in ("", *OTHER_APIS)
        for query in ("", "?b", "?c")
    }
    assert len({compute(*request) for request in requests}) == len(requests)


@every_operation
def test_any_profile_leaves_out_the_profile_of_a_model_in_the_path_or_the_body(
    operation: Operation,
) -> None:
    def key(model: str, rules: MatchRules) -> bytes:
        path = LABEL.sub("x", MODEL_LABEL.sub(model, operation.path))
        return compute(operation.method, path, compact({"model": model, "modelId": model}), rules)

    any_profile = MatchRules(any_profile=True)
    assert (
        key(f"us.{MODEL}", any_profile)
        == key(f"eu.{MODEL}", any_profile)
        == key(MODEL, any_profile)
    )
    assert key(f"us.{MODEL}", DEFAULT) != key(MODEL, DEFAULT)
