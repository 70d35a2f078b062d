"""The recorder sends requests to AWS's hosts alone, whatever a client sends.

How it reads addresses: test_addresses.
"""

import re

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.addresses import SERVICES
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import BEDROCK_HOSTS, Route, make_host_patterns, read_route

RUNTIME = "bedrock-runtime.us-east-1.amazonaws.com"
CONVERSE = "/model/amazon.nova-lite-v1%3A0/converse"


def signed(
    region: str = "us-east-1", key: str = "AKIAIOSFODNN7EXAMPLE", service: str = "bedrock"
) -> str:
    scope = f"{key}/20240101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def routed(path: str = CONVERSE, authorization: str = "", header: str | None = None) -> Route:
    return read_route(authorization, header, path, host=None)


@pytest.mark.parametrize(
    ("service", "region", "host", "signing"),
    [
        ("bedrock-runtime", "us-east-1", RUNTIME, "bedrock"),
        ("bedrock", "eu-west-3", "bedrock.eu-west-3.amazonaws.com", "bedrock"),
        ("bedrock-agent", "us-gov-west-1", "bedrock-agent.us-gov-west-1.amazonaws.com", "bedrock"),
        ("bedrock-runtime", "cn-north-1", "bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock"),
        (
            "bedrock-agent-runtime",
            "ap-southeast-2",
            "bedrock-agent-runtime.ap-southeast-2.amazonaws.com",
            "bedrock",
        ),
        ("bedrock-mantle", "us-west-2", "bedrock-mantle.us-west-2.api.aws", "bedrock-mantle"),
        (
            "bedrock-runtime",
            "eusc-de-east-1",
            "bedrock-runtime.eusc-de-east-1.amazonaws.eu",
            "bedrock",
        ),
    ],
)
def test_the_host_and_the_scope(service: str, region: str, host: str, signing: str) -> None:
    route = routed(f"/service/{service}/x", signed(region))
    assert (route.host, route.scope_service, route.region) == (host, signing, region)


def test_a_request_that_does_not_say_its_region_gets_the_default() -> None:
    assert (
        read_route("Bearer x", None, "/", host=None, default_region="eu-west-1").region
        == "eu-west-1"
    )
    assert (
        read_route(signed("us-west-2"), None, "/", host=None, default_region="eu-west-1").region
        == "us-west-2"
    )


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
        Route("default", "bedrock-runtime", region, "/")
    with pytest.raises(RecorderError):
        read_route("", None, "/", host=None, default_region=region)
    if not re.search(r"[\s/]", region):  # else no header can say it
        with pytest.raises(RecorderError):
            routed(authorization=signed(region))


@pytest.mark.parametrize("service", ["s3", "bedrock-data", "bedrock-runtime-fips", "x", "bedrock-"])
def test_a_service_that_is_none_is_refused(service: str) -> None:
    with pytest.raises(RecorderError):
        routed(f"/service/{service}/x")
    assert service not in SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_signed_as_botocore_signs_it(service: str) -> None:
    if service != "bedrock-mantle":  # botocore does not know it
        model = botocore.session.get_session().get_service_model(service)
        assert Route("default", service, "us-east-1", "/").scope_service == model.signing_name


_NASTY = st.text(st.sampled_from("abus-east-1.evilcom#?@:/\\%2e\t [];,é\0"), max_size=14)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(_NASTY, _NASTY, st.one_of(_NASTY, st.sampled_from(SERVICES)))
def test_whatever_a_client_says_the_host_is_awss(region: str, key: str, service: str) -> None:
    try:
        route = read_route(signed(region, key), None, f"/service/{service}/x", host=None)
    except RecorderError:
        return
    assert re.fullmatch(
        r"bedrock[a-z-]*\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws)",
        route.host,
    )


# -- forward mode ----------------------------------------------------------------------------------


def test_a_path_addressed_to_bedrock_itself_is_not_touched() -> None:
    for path in (f"/s/a{CONVERSE}", "/service/bedrock/foundation-models"):
        route = read_route(signed(), "c", path, host=RUNTIME)
        assert (route.path, route.session, route.service) == (path, "c", "bedrock-runtime")


@pytest.mark.parametrize("authorization", [signed("eu-west-1"), ""])
def test_the_upstreams_own_host_is_one_of_ours(authorization: str) -> None:
    route = read_route(
        authorization, None, f"/s/a{CONVERSE}", host="gateway.corp", upstream="gateway.corp"
    )
    region = "eu-west-1" if authorization else "us-east-1"
    assert (route.service, route.region, route.path) == (
        "bedrock-runtime",
        region,
        f"/s/a{CONVERSE}",
    )
    for host in ("gateway.corp.evil.com", f"{RUNTIME}:8443"):
        with pytest.raises(RecorderError, match="expected one of Bedrock's hosts"):
            read_route(authorization, None, CONVERSE, host=host, upstream="gateway.corp")


def test_connections_to_the_upstream_are_opened_too() -> None:
    assert make_host_patterns(None) == [BEDROCK_HOSTS]
    _, own = make_host_patterns(("https", "gateway.corp", 8443))
    assert re.search(own, "gateway.corp:8443")
    for other in (
        "gateway.corp:443",
        "gatewayxcorp:8443",
        "a.gateway.corp:8443",
        "gateway.corp:84430",
    ):
        assert not re.search(own, other)
