"""The figures of models, as Bedrock and the pages of AWS and Anthropic have them."""

import pytest

from bedtape_replayer.overlay.simulation.models import find_cache, find_limits, find_output_rate

# The context window, the output and the fewest tokens of a cached prefix.
ROWS = {
    "anthropic.claude-instant-v1": (100_000, 4_096, None),
    "anthropic.claude-v2": (100_000, 4_096, None),
    "anthropic.claude-v2:1": (200_000, 4_096, None),
    "anthropic.claude-3-haiku-20240307-v1:0": (200_000, 4_096, None),
    "anthropic.claude-3-sonnet-20240229-v1:0": (200_000, 4_096, None),
    "anthropic.claude-3-opus-20240229-v1:0": (200_000, 4_096, None),
    "anthropic.claude-3-5-sonnet-20240620-v1:0": (200_000, 8_192, None),
    "anthropic.claude-3-5-sonnet-20241022-v2:0": (200_000, 8_192, 1_024),
    "us.anthropic.claude-3-5-haiku-20241022-v1:0": (200_000, 8_192, 2_048),
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0": (200_000, 64_000, 1_024),
    "us.anthropic.claude-sonnet-4-20250514-v1:0": (200_000, 64_000, 1_024),
    "us.anthropic.claude-opus-4-20250514-v1:0": (200_000, 32_000, 1_024),
    "us.anthropic.claude-opus-4-1-20250805-v1:0": (200_000, 32_000, 1_024),
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0": (200_000, 64_000, 1_024),
    "anthropic.claude-haiku-4-5": (200_000, 64_000, 4_096),
    "global.anthropic.claude-opus-4-5-20251101-v1:0": (200_000, 64_000, 4_096),
    "global.anthropic.claude-opus-4-6-v1": (1_000_000, 128_000, 4_096),
    "us.anthropic.claude-sonnet-4-6": (1_000_000, 128_000, 1_024),
    "us.anthropic.claude-opus-4-7": (1_000_000, 128_000, 4_096),
    "us.anthropic.claude-opus-4-8": (1_000_000, 128_000, 4_096),
    "us.anthropic.claude-opus-5": (1_000_000, 128_000, 512),
    "us.anthropic.claude-fable-5": (1_000_000, 128_000, 512),
    "us.anthropic.claude-opus-5-5": (1_000_000, 128_000, 1_024),
    "us.anthropic.claude-sonnet-5": (1_000_000, 128_000, 1_024),
    "us.anthropic.claude-haiku-5-5": (1_000_000, 128_000, 1_024),
    "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-fable-5-1": (
        1_000_000,
        128_000,
        1_024,
    ),
    "us.amazon.nova-micro-v1:0": (128_000, 10_000, 1_000),
    "us.amazon.nova-lite-v1:0": (300_000, 10_000, 1_000),
    "us.amazon.nova-pro-v1:0": (300_000, 10_000, 1_000),
    "us.amazon.nova-premier-v1:0": (1_000_000, 25_000, 1_000),
    "us.amazon.nova-2-lite-v1:0": (1_000_000, 65_535, 1_000),
    "amazon.titan-text-lite-v1": (4_096, 4_096, None),
    "amazon.titan-text-express-v1": (8_192, 8_192, None),
    "amazon.titan-text-premier-v1:0": (32_000, 3_072, None),
    "openai.gpt-5.6": (None, None, 1_024),
    "meta.llama3-70b-instruct-v1:0": (None, None, None),
}


@pytest.mark.parametrize("model", ROWS)
def test_the_figures_of_a_model(model: str) -> None:
    limits = find_limits(model)
    assert (limits.context, limits.output, find_cache(model).minimum) == ROWS[model]


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", 1),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", 5),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", 5),
        ("us.anthropic.claude-opus-5-5", 5),
        ("us.amazon.nova-pro-v1:0", 1),
    ],
)
def test_the_tokens_of_a_quota_that_an_output_token_uses(model: str, rate: int) -> None:
    assert find_output_rate(model) == rate
