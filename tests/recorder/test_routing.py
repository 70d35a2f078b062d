"""Where requests go: by prefix, by signature, by host; and to no host but AWS's, whatever a client says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import BEDROCK_HOSTS, SERVICES, Route, is_bedrock, recorded_hosts, route_of

RUNTIME = "bedrock-runtime.us-east-1.amazonaws.com"
CONVERSE = "/model/amazon.nova-lite-v1%3A0/converse"


def signed(region: str = "us-east-1", key: str = "AKIAIOSFODNN7EXAMPLE", service: str = "bedrock") -> str:
    scope = f"{key}/20240101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def routed(path: str = CONVERSE, authorization: str = "", header: str | None = None) -> Route:
    return route_of(authorization, header, path, host=None)


@pytest.mark.parametrize(
    ("path", "session", "service", "rest"),
    [
        (CONVERSE, "default", "bedrock-runtime", CONVERSE),
        (f"/s/a{CONVERSE}", "a", "bedrock-runtime", CONVERSE),
        (f"/s/a%2Fb%20c{CONVERSE}", "a/b c", "bedrock-runtime", CONVERSE),
        (f"/s/..%2f..{CONVERSE}", "../..", "bedrock-runtime", CONVERSE),
        (f"//s/a/{CONVERSE}", "a", "bedrock-runtime", f"/{CONVERSE}"),
        ("/service/bedrock/foundation-models?byProvider=a", "default", "bedrock", "/foundation-models?byProvider=a"),
        ("/service/bedrock-agent-runtime/rerank", "default", "bedrock-agent-runtime", "/rerank"),
        ("/service/bedrock/s/a/foundation-models", "a", "bedrock", "/foundation-models"),
        ("/s/a/service/bedrock/foundation-models", "a", "bedrock", "/foundation-models"),
        ("/service/bedrock-mantle/openai/v1/responses", "default", "bedrock-mantle", "/openai/v1/responses"),
        ("/s/a", "default", "bedrock-runtime", "/s/a"),
        ("/s/a?b", "default", "bedrock-runtime", "/s/a?b"),
        ("/s/a/s/b/x", "a", "bedrock-runtime", "/s/b/x"),
        ("/model/x/s/a/converse", "default", "bedrock-runtime", "/model/x/s/a/converse"),
        (
            "/model/arn:aws:b:c%2Fd~+*/invoke?%3a=%3A",
            "default",
            "bedrock-runtime",
            "/model/arn:aws:b:c%2Fd~+*/invoke?%3a=%3A",
        ),
    ],
)
def test_prefixes(path: str, session: str, service: str, rest: str) -> None:
    route = routed(path)
    assert (route.session, route.service, route.path) == (session, service, rest)
    assert route.region == "us-east-1"


@pytest.mark.parametrize(
    ("path", "authorization", "header", "session", "access_key"),
    [
        (CONVERSE, signed(key="bedtape-a"), "c", "a", "bedtape-a"),
        (f"/s/b{CONVERSE}", signed(key="bedtape-a"), "c", "b", "bedtape-a"),
        (CONVERSE, signed(key="AKIAX"), "c", "c", "AKIAX"),
        (CONVERSE, signed(key="bedtape-"), None, "default", "bedtape-"),
        (CONVERSE, "Bearer abc", "c", "c", None),
        (CONVERSE, "Bearer abc", "", "default", None),
    ],
)
def test_whose_it_is(path: str, authorization: str, header: str | None, session: str, access_key: str | None) -> None:
    route = routed(path, authorization, header)
    assert (route.session, route.access_key) == (session, access_key)


@pytest.mark.parametrize(
    ("service", "region", "host", "signing"),
    [
        ("bedrock-runtime", "us-east-1", RUNTIME, "bedrock"),
        ("bedrock", "eu-west-3", "bedrock.eu-west-3.amazonaws.com", "bedrock"),
        ("bedrock-agent", "us-gov-west-1", "bedrock-agent.us-gov-west-1.amazonaws.com", "bedrock"),
        ("bedrock-runtime", "cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock"),
        ("bedrock-agent-runtime", "ap-southeast-2", "bedrock-agent-runtime.ap-southeast-2.amazonaws.com", "bedrock"),
        ("bedrock-mantle", "us-west-2", "bedrock-mantle.us-west-2.api.aws", "bedrock-mantle"),
    ],
)
def test_the_host_and_the_scope(service: str, region: str, host: str, signing: str) -> None:
    route = routed(f"/service/{service}/x", signed(region))
    assert (route.host, route.signing_name, route.region) == (host, signing, region)
    assert is_bedrock(host)


def test_a_request_that_does_not_say_its_region_gets_the_default() -> None:
    assert route_of("Bearer x", None, "/", host=None, default_region="eu-west-1").region == "eu-west-1"
    assert route_of(signed("us-west-2"), None, "/", host=None, default_region="eu-west-1").region == "us-west-2"


BAD_REGIONS = [
    "evil.com#",
    "evil.com",
    "us-east-1.evil.com",
    "us-east-1.evil.com?",
    "us-east-1@evil.com",
    "us-east-1:80",
    "us-east-1\\evil",
    "us-east-1%2eevil",
    "US-EAST-1",
    "Us-east-1",
    "",
    "us",
    "us-east",
    "us-east-1a",
    "us-east-١",
    "us-east-1\n",
    "-us-east-1",
    "us--east-1",
    "us-east-123",
    "localhost",
    "127.0.0.1",
    "..",
]


@pytest.mark.parametrize("region", BAD_REGIONS)
def test_a_region_that_cannot_be_is_refused(region: str) -> None:
    with pytest.raises(RecorderError, match="expected a Bedrock service and region"):
        Route("default", "bedrock-runtime", "bedrock", region, "/", None)
    with pytest.raises(RecorderError):
        route_of("", None, "/", host=None, default_region=region)
    if not re.search(r"[\s/]", region):  # else no header can say it
        with pytest.raises(RecorderError):
            routed(authorization=signed(region))


@pytest.mark.parametrize("service", ["s3", "bedrock-data", "bedrock-runtime-fips", "x", "bedrock-"])
def test_a_service_that_is_none_is_refused(service: str) -> None:
    with pytest.raises(RecorderError):
        routed(f"/service/{service}/x")
    assert service not in SERVICES


_NASTY = st.text(st.sampled_from("abus-east-1.evilcom#?@:/\\%2e\t [];,é\0"), max_size=14)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(_NASTY, _NASTY, st.one_of(_NASTY, st.sampled_from(SERVICES)))
def test_whatever_a_client_says_the_host_is_awss(region: str, key: str, service: str) -> None:
    try:
        route = route_of(signed(region, key), None, f"/service/{service}/x", host=None)
    except RecorderError:
        return
    assert re.fullmatch(r"bedrock[a-z-]*\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)", route.host)


# -- forward mode ----------------------------------------------------------------------------------------------

HOSTS = [
    (RUNTIME, "bedrock-runtime", "us-east-1"),
    ("Bedrock-Runtime.US-EAST-1.amazonaws.com", "bedrock-runtime", "us-east-1"),
    ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "bedrock-runtime", "us-gov-west-1"),
    ("bedrock-fips.us-east-1.amazonaws.com", "bedrock", "us-east-1"),
    ("bedrock.cn-north-1.amazonaws.com.cn", "bedrock", "cn-north-1"),
    ("bedrock-runtime.eu-west-1.api.aws", "bedrock-runtime", "eu-west-1"),
    ("bedrock-mantle.us-east-1.api.aws", "bedrock-mantle", "us-east-1"),
    ("bedrock-agent-runtime.us-east-1.amazonaws.com", "bedrock-agent-runtime", "us-east-1"),
    ("vpce-0a1b-c2d3.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "bedrock-runtime", "eu-west-1"),
    ("vpce-0a1b-c2d3-us-east-1a.bedrock.us-east-1.vpce.amazonaws.com", "bedrock", "us-east-1"),
    ("vpce-0a1b-c2d3.bedrock-runtime-fips.us-gov-west-1.vpce.amazonaws.com", "bedrock-runtime", "us-gov-west-1"),
    ("vpce-0a1b-c2d3.bedrock-agent-runtime.cn-north-1.vpce.amazonaws.com.cn", "bedrock-agent-runtime", "cn-north-1"),
]


@pytest.mark.parametrize(("host", "service", "region"), HOSTS)
def test_a_host_says_service_and_region(host: str, service: str, region: str) -> None:
    assert is_bedrock(host)
    assert re.search(BEDROCK_HOSTS, f"{host.lower()}:443")
    route = route_of(signed("eu-central-1", "bedtape-a"), None, CONVERSE, host=host)
    assert (route.service, route.region, route.session, route.path) == (service, region, "a", CONVERSE)


OTHERS = [
    "s3.us-east-1.amazonaws.com",
    "example.com",
    "bedrock-runtime.us-east-1.amazonaws.com.evil.com",
    "evil.bedrock-runtime.us-east-1.amazonaws.com",
    "evilbedrock.us-east-1.amazonaws.com",
    "vpce-0a1b-c2d3.s3.us-east-1.vpce.amazonaws.com",
    "evil.vpce-0a1b-c2d3.bedrock-runtime.us-east-1.vpce.amazonaws.com",
    "vpce-0a1b-c2d3.bedrock-runtime.us-east-1.vpce.amazonaws.com.evil.com",
    "vpce-0a1b.evil.bedrock-runtime.us-east-1.vpce.amazonaws.com",
    "bedrock-runtime.us-east-1.vpce.evil.com",
    "bedrock-runtime.us-east-1.evil.com",
    "bedrock-runtime.us-east-1xamazonaws.com",
    "bedrock-runtime.us-east-1.amazonaws.com:8443",
    "bedrock-runtime.amazonaws.com",
    "127.0.0.1",
    "",
]


@pytest.mark.parametrize("host", OTHERS)
def test_another_host_is_none_of_ours(host: str) -> None:
    assert not is_bedrock(host)
    assert not re.search(BEDROCK_HOSTS, f"{host}:443")
    with pytest.raises(RecorderError, match="expected one of Bedrock's hosts"):
        route_of(signed(), None, CONVERSE, host=host)


def test_a_path_addressed_to_bedrock_itself_is_not_touched() -> None:
    for path in (f"/s/a{CONVERSE}", "/service/bedrock/foundation-models"):
        route = route_of(signed(), "c", path, host=RUNTIME)
        assert (route.path, route.session, route.service) == (path, "c", "bedrock-runtime")


@pytest.mark.parametrize("authorization", [signed("eu-west-1"), ""])
def test_the_upstreams_own_host_is_one_of_ours(authorization: str) -> None:
    route = route_of(authorization, None, f"/s/a{CONVERSE}", host="gateway.corp", upstream="gateway.corp")
    region = "eu-west-1" if authorization else "us-east-1"
    assert (route.service, route.region, route.path) == ("bedrock-runtime", region, f"/s/a{CONVERSE}")
    with pytest.raises(RecorderError, match="expected one of Bedrock's hosts"):
        route_of(authorization, None, CONVERSE, host="gateway.corp.evil.com", upstream="gateway.corp")


def test_connections_to_the_upstream_are_opened_too() -> None:
    assert recorded_hosts(None) == [BEDROCK_HOSTS]
    _, own = recorded_hosts(("https", "gateway.corp", 8443))
    assert re.search(own, "gateway.corp:8443")
    for other in ("gateway.corp:443", "gatewayxcorp:8443", "a.gateway.corp:8443", "gateway.corp:84430"):
        assert not re.search(own, other)
