"""Where SDKs find Bedrock: the environment variables that point them at a server here. Pure; it sets nothing itself.

AWS's SDKs read AWS_ENDPOINT_URL_*, Anthropic's and OpenAI's clients their own; a test holds what each of them does.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BEARER", "isolated", "pointed"]

# A Bedrock API key. It wins over access keys wherever it is set, and boto3 refuses to send one over http.
BEARER = "AWS_BEARER_TOKEN_BEDROCK"
# Said aloud, for where a variable is silent a profile holds. With the first, calls go to AWS all the same; with the others
# JavaScript's SDK takes no endpoint but AWS's.
_OFF = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
_LOCAL = "127.0.0.1,localhost"
_REGION = "us-east-1"
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def _endpoints(url: str) -> dict[str, str]:
    """Services other than bedrock-runtime are told apart by a prefix, for their paths do not say whose they are."""
    return {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        "AWS_ENDPOINT_URL_BEDROCK": f"{url}/service/bedrock",
        "AWS_ENDPOINT_URL_BEDROCK_AGENT": f"{url}/service/bedrock-agent",
        "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": f"{url}/service/bedrock-agent-runtime",
        "ANTHROPIC_BEDROCK_BASE_URL": url,
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": f"{url}/service/bedrock-mantle/anthropic",
        "AWS_BEDROCK_BASE_URL": f"{url}/service/bedrock-mantle/openai/v1",
    }


def _keys() -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": "bedtape", "AWS_SECRET_ACCESS_KEY": "bedtape"}


def pointed(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The environment in which Bedrock calls come to `url`; credentials and region are as they were."""
    pointed = {**environ, **_endpoints(url), **dict.fromkeys(_OFF, "false")}
    for name in ("NO_PROXY", "no_proxy"):  # a company's proxy must not see calls to this machine
        pointed[name] = ",".join(filter(None, (pointed.get(name), _LOCAL)))
    for name, other in (_REGIONS, _REGIONS[::-1]):  # boto3 reads one, the other SDKs the other
        if found := environ.get(other):
            pointed.setdefault(name, found)
    if pointed.pop(BEARER, None):  # whoever listens at `url` holds it instead
        pointed = {**_keys(), **pointed}
    return pointed


def isolated(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The same without anybody's credentials: made-up keys, a region, no profile."""
    isolated = pointed(environ, url) | _keys()
    for name in ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        isolated.pop(name, None)
    region = next((found for name in _REGIONS if (found := environ.get(name))), _REGION)
    return isolated | dict.fromkeys(_REGIONS, region)
