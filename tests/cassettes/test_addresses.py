"""Addresses as recorder, replayer and pytest plugin read them, and the environment in
which SDKs find a server.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import boto3
import botocore
import botocore.session
import pytest

from bedtape_cassettes.addresses import (
    BEARER,
    SERVICES,
    Host,
    Scope,
    isolate_environment,
    point_environment,
    read_host,
    read_scope,
    read_service,
    render_host,
    split_prefixes,
)
from bedtape_recorder.errors import RecorderError
from bedtape_recorder.routing import BEDROCK_HOSTS, Route, read_route
from bedtape_replayer.answering.call import Call
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.plugin.blocking import redirect

CONVERSE = "/model/amazon.nova-lite-v1%3A0/converse"
ARN = "/model/arn:aws:b:c%2Fd~+*/invoke?%3a=%3A"
RUNTIME, MANTLE = "bedrock-runtime", "bedrock-mantle"
OLD, NEW = "http://127.0.0.1:1", "http://127.0.0.1:2"


def signed(key: str, region: str = "us-east-1") -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20261122/{region}/bedrock/aws4_request,"
        " SignedHeaders=host, Signature=00"
    )


def recorder_reads(path: str, authorization: str = "", session: str | None = None) -> Route:
    return read_route(authorization, session, path, host=None)


def replayer_reads(path: str, authorization: str = "", session: str | None = None) -> Call:
    named = ((b"authorization", authorization), (b"x-bedtape-session", session))
    raw = (
        b"".join(b"\r\n%b: %b" % (name.title(), value.encode()) for name, value in named if value)
        + b"\r\n"
    )
    calls = [
        Engine(Library(())).answer("POST", path, head, b"").call
        for head in (Head(raw), Head.of((name, value.encode()) for name, value in named if value))
    ]
    assert (calls[0].session, calls[0].path) == (calls[1].session, calls[1].path)
    return calls[0]


@pytest.mark.parametrize(
    ("path", "session", "service", "rest"),
    [
        (CONVERSE, None, None, CONVERSE),
        (f"/s/a{CONVERSE}", "a", None, CONVERSE),
        (f"/s/a%2Fb%20c{CONVERSE}", "a/b c", None, CONVERSE),
        (f"/s/a%252Fb{CONVERSE}", "a%2Fb", None, CONVERSE),
        (f"/s/..%2f..{CONVERSE}", "../..", None, CONVERSE),
        (f"//s/a/{CONVERSE}", "a", None, f"/{CONVERSE}"),
        (f"/s/service{CONVERSE}", "service", None, CONVERSE),
        (
            "/service/bedrock/foundation-models?byProvider=a",
            None,
            "bedrock",
            "/foundation-models?byProvider=a",
        ),
        ("/service/bedrock", None, "bedrock", "/"),
        ("/service/bedrock?a", None, "bedrock", "/?a"),
        ("/service/bedrock%2Dagent-runtime/rerank", None, "bedrock-agent-runtime", "/rerank"),
        (f"/service/{RUNTIME}/s/a%2Fb{CONVERSE}", "a/b", RUNTIME, CONVERSE),
        (f"//service/bedrock//s/a/{CONVERSE}", "a", "bedrock", f"/{CONVERSE}"),
        ("/service/bedrock/s/a/foundation-models", "a", "bedrock", "/foundation-models"),
        ("/s/a/service/bedrock/foundation-models", "a", "bedrock", "/foundation-models"),
        (f"/s/a/service/{MANTLE}/openai/v1/responses", "a", MANTLE, "/openai/v1/responses"),
        ("/s/a/s/b/x", "a", None, "/s/b/x"),
        ("/s/a/service/bedrock/s/b/x", "a", "bedrock", "/s/b/x"),
        ("/service/bedrock/s/a/service/x/y", "a", "bedrock", "/service/x/y"),
        *(
            (path, None, None, path)
            for path in ("/s", "/s/", "/s/a", "/s/a?b", "/s/a?b/c", "/s//x", "/service//x")
        ),
        *((path, None, None, path) for path in ("/sessions/x/y", "/model/x/s/a/converse", ARN)),
    ],
)
def test_recorder_replayer_and_plugin_read_the_same_prefixes(
    path: str, session: str | None, service: str | None, rest: str
) -> None:
    assert split_prefixes(path) == (session, service, rest)
    route, call = recorder_reads(path), replayer_reads(path)
    assert (route.session, route.service, route.path) == (
        session or "default",
        service or RUNTIME,
        rest,
    )
    assert (call.session, call.path) == (session or "default", rest)
    moved = redirect(OLD + path, f"{NEW}/s/now", [OLD])
    # a URL without prefixes may look as if it had prefixes once one stands before it
    if rest != path or service:
        assert split_prefixes(moved.removeprefix(NEW)) == (
            "now",
            service if service != RUNTIME else None,
            rest,
        )
    assert moved.endswith(rest)


@pytest.mark.parametrize(
    ("path", "authorization", "header", "session"),
    [
        (CONVERSE, signed("bedtape-a"), "c", "a"),
        (CONVERSE, signed("bedtape-a", "a/b"), None, "a"),
        (f"/s/b{CONVERSE}", signed("bedtape-a"), "c", "b"),
        (f"/service/bedrock/s/b{CONVERSE}", signed("bedtape-a"), "c", "b"),
        (CONVERSE, signed("AKIAX"), "c", "c"),
        (CONVERSE, signed("AKIAX"), None, "default"),
        (CONVERSE, signed("bedtape-"), None, "default"),
        (CONVERSE, "Bearer abc", "c", "c"),
        (CONVERSE, "Bearer bedtape-a", None, "default"),
        (CONVERSE, "", "", "default"),
    ],
)
def test_recorder_and_replayer_find_the_same_session(
    path: str, authorization: str, header: str | None, session: str
) -> None:
    """In order: the path prefix, the access key id, the header."""
    assert recorder_reads(path, authorization, header).session == session
    assert replayer_reads(path, authorization, header).session == session


@pytest.mark.parametrize(
    ("authorization", "scope"),
    [
        (signed("AKIA"), Scope("AKIA", "us-east-1", "bedrock")),
        (f"AWS4-HMAC-SHA256 SignedHeaders=a,Credential=bedtape-a.b/20240101/cn-north-1/{MANTLE}/aws4_request,Sig", Scope("bedtape-a.b", "cn-north-1", MANTLE)),
        (signed("A", "evil.com#"), Scope("A", "evil.com#", "bedrock")),
        (signed("A", ""), Scope("A", "", "bedrock")),
        ("AWS4-HMAC-SHA256 Credential=A/2024/us-east-1/bedrock/aws4_request", Scope("A")),
        ("AWS4-ECDSA-P256-SHA256 Credential=A/20240101/bedrock/aws4_request", Scope("A", None, "bedrock")),
        ("Bearer abc", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_scope_is_read(authorization: str, scope: Scope | None) -> None:
    assert read_scope(authorization) == scope


# -- host names ------------------------------------------------------------------------------------


def assert_bedrock(host: str, service: str, region: str) -> None:
    """Recorder and plugin find the service and the region in a host name."""
    assert read_host(host) == Host(service, region)
    assert re.search(BEDROCK_HOSTS, f"{host.lower()}:443")
    route = read_route(signed("bedtape-a", "eu-central-1"), None, CONVERSE, host=host)
    assert (route.service, route.region, route.session, route.path) == (
        service,
        region,
        "a",
        CONVERSE,
    )
    for url in (f"https://{host}{CONVERSE}?a", f"https://{host}:443{CONVERSE}?a"):
        prefix = "" if service == RUNTIME else f"/service/{service}"
        assert redirect(url, f"{NEW}/s/now", []) == f"{NEW}/s/now{prefix}{CONVERSE}?a"


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("bedrock-runtime.us-east-1.amazonaws.com", RUNTIME, "us-east-1"),
        ("bedrock-runtime.us-east-1.amazonaws.com.", RUNTIME, "us-east-1"),
        ("Bedrock-Runtime.US-EAST-1.amazonaws.com", RUNTIME, "us-east-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", RUNTIME, "us-gov-west-1"),
        ("bedrock-fips.us-east-1.amazonaws.com", "bedrock", "us-east-1"),
        ("bedrock.cn-north-1.amazonaws.com.cn", "bedrock", "cn-north-1"),
        ("bedrock-runtime.eu-west-1.api.aws", RUNTIME, "eu-west-1"),
        ("bedrock-mantle.us-east-1.api.aws", MANTLE, "us-east-1"),
        ("vpce-0a1b-c2d3.bedrock-runtime.eu-west-1.vpce.amazonaws.com", RUNTIME, "eu-west-1"),
        ("vpce-0a1b-c2d3-us-east-1a.bedrock.us-east-1.vpce.amazonaws.com", "bedrock", "us-east-1"),
        (
            "vpce-0a1b-c2d3.bedrock-runtime-fips.us-gov-west-1.vpce.amazonaws.com",
            RUNTIME,
            "us-gov-west-1",
        ),
        (
            "vpce-0a1b-c2d3.bedrock-agent.cn-north-1.vpce.amazonaws.com.cn",
            "bedrock-agent",
            "cn-north-1",
        ),
    ],
)
def test_a_host_contains_service_and_region(host: str, service: str, region: str) -> None:
    assert_bedrock(host, service, region)


def test_every_endpoint_that_botocore_makes_is_one_of_bedrocks() -> None:
    """All services, regions and variants, as botocore's own rules give them."""
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b")
    for service in (RUNTIME, "bedrock", "bedrock-agent", "bedrock-agent-runtime"):
        for partition in ("aws", "aws-us-gov", "aws-cn", "aws-eusc"):
            for region in session.get_available_regions(service, partition):
                url = session.client(service, region_name=region).meta.endpoint_url
                assert read_service(url) == service, url
                assert render_host(service, region) == url.removeprefix("https://")


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn", "aws-eusc"])
def test_every_domain_of_a_partition_is_one_of_bedrocks(partition: str) -> None:
    """botocore lists no Bedrock region in some partitions yet."""
    partitions = json.loads((Path(botocore.__file__).parent / "data/partitions.json").read_text())[
        "partitions"
    ]
    (outputs,) = (each["outputs"] for each in partitions if each["id"] == partition)
    region = outputs["implicitGlobalRegion"]
    assert render_host(RUNTIME, region) == f"{RUNTIME}.{region}.{outputs['dnsSuffix']}"
    for domain in (outputs["dnsSuffix"], outputs["dualStackDnsSuffix"]):
        assert_bedrock(f"{RUNTIME}.{region}.{domain}", RUNTIME, region)


@pytest.mark.parametrize(
    "host",
    [
        "s3.us-east-1.amazonaws.com",
        "bedrock.s3.us-east-1.amazonaws.com",
        "example.com",
        "bedrock-runtime.us-east-1.amazonaws.com.evil.com",
        "bedrock-runtime.us-east-1.amazonaws.com..",
        "evil.bedrock-runtime.us-east-1.amazonaws.com",
        "evilbedrock.us-east-1.amazonaws.com",
        "vpce-0a1b-c2d3.s3.us-east-1.vpce.amazonaws.com",
        "evil.vpce-0a1b-c2d3.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "vpce-0a1b-c2d3.bedrock-runtime.us-east-1.vpce.amazonaws.com.evil.com",
        "vpce-0a1b.evil.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "bedrock-runtime.us-east-1.vpce.evil.com",
        "bedrock-runtime.us-east-1.evil.com",
        "bedrock-runtime.us-east-1xamazonaws.com",
        "bedrock-runtime.amazonaws.com",
        "127.0.0.1",
        "[::1]",
        "",
    ],
)
def test_another_host_is_not_bedrocks(host: str) -> None:
    assert not re.search(BEDROCK_HOSTS, f"{host}:443")
    with pytest.raises(RecorderError, match="expected one of Bedrock's hosts"):
        read_route(signed("AKIA"), None, CONVERSE, host=host)
    url = f"https://{host}/bedrock-runtime.us-east-1.amazonaws.com" if host else ""
    assert (read_service(url), redirect(url, NEW, [OLD])) == (None, url)


# -- endpoint variables ----------------------------------------------------------------------------

URL = "http://127.0.0.1:4566/s/some"
REAL = {
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "token",
}


def _endpoint(service: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = botocore.session.Session().create_client(service)
    endpoint: str = client.meta.endpoint_url
    return endpoint


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("bedrock-runtime", ""),
        ("bedrock", "/service/bedrock"),
        ("bedrock-agent", "/service/bedrock-agent"),
        ("bedrock-agent-runtime", "/service/bedrock-agent-runtime"),
    ],
)
def test_botocore_finds_every_service(
    service: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _endpoint(service, isolate_environment({}, URL), monkeypatch) == URL + path


MANTLE_HOST = "https://bedrock-mantle.us-east-1.api.aws"
RUNTIME_HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("name", "given", "path"),
    [
        ("OPENAI_BASE_URL", f"{MANTLE_HOST}/v1", "/service/bedrock-mantle/v1"),
        ("OPENAI_BASE_URL", f"{MANTLE_HOST}/openai/v1/", "/service/bedrock-mantle/openai/v1"),
        ("OPENAI_BASE_URL", f"{RUNTIME_HOST}/openai/v1", "/openai/v1"),
        ("ANTHROPIC_BASE_URL", f"{RUNTIME_HOST}/anthropic", "/anthropic"),
        ("ANTHROPIC_BASE_URL", f"{MANTLE_HOST}/anthropic", "/service/bedrock-mantle/anthropic"),
        ("AWS_BEDROCK_BASE_URL", None, "/service/bedrock-mantle/openai/v1"),
        ("AWS_BEDROCK_BASE_URL", f"{MANTLE_HOST}/v1", "/service/bedrock-mantle/v1"),
        ("AWS_BEDROCK_BASE_URL", f"{RUNTIME_HOST}/openai/v1", "/openai/v1"),
        (
            "AWS_BEDROCK_BASE_URL",
            "https://gateway.example.com/v1",
            "/service/bedrock-mantle/openai/v1",
        ),
        ("ANTHROPIC_BEDROCK_MANTLE_BASE_URL", None, "/service/bedrock-mantle/anthropic"),
        ("ANTHROPIC_BEDROCK_BASE_URL", RUNTIME_HOST, ""),
        ("AWS_ENDPOINT_URL_BEDROCK_MANTLE", None, "/service/bedrock-mantle"),
        ("AWS_BEDROCK_RUNTIME_ENDPOINT", None, ""),
        (
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            "",
        ),
    ],
)
def test_a_clients_variable_keeps_the_service_and_path(
    name: str, given: str | None, path: str
) -> None:
    environ = {} if given is None else {name: given}
    for make in (point_environment, isolate_environment):
        assert make(environ, URL)[name] == URL + path


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"])
@pytest.mark.parametrize(
    "given", [None, "", "https://api.openai.com/v1", "http://127.0.0.1:4000", "not a URL"]
)
def test_a_client_of_other_hosts_stays_there(name: str, given: str | None) -> None:
    keys = {"OPENAI_API_KEY": "own", "ANTHROPIC_API_KEY": "own"}
    environ = keys if given is None else {**keys, name: given}
    for make in (point_environment, isolate_environment):
        made = make(environ, URL)
        assert {key: made.get(key) for key in (name, *keys)} == {
            key: environ.get(key) for key in (name, *keys)
        }


def test_a_client_that_is_isolated_gets_a_made_up_key() -> None:
    secrets = (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_AWS_API_KEY",
    )
    urls = {
        "OPENAI_BASE_URL": f"{MANTLE_HOST}/v1",
        "ANTHROPIC_BASE_URL": f"{MANTLE_HOST}/anthropic",
    }
    for environ in (urls, urls | dict.fromkeys(secrets, "secret")):
        made = isolate_environment(environ, URL)
        assert (made["OPENAI_API_KEY"], made["ANTHROPIC_API_KEY"]) == ("bedtape", "bedtape")
        assert "secret" not in made.values()
    assert (
        point_environment(urls | dict.fromkeys(secrets, "secret"), URL)["OPENAI_API_KEY"]
        == "secret"
    )


@pytest.mark.parametrize("said", ["variable", "profile"])
def test_endpoints_are_heeded_where_somebody_had_turned_them_off(
    said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"} if said == "variable" else {}
    profile = tmp_path / "config"
    profile.write_text(
        "[default]\nignore_configured_endpoint_urls = true\n" if said == "profile" else ""
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profile))
    assert _endpoint("bedrock-runtime", isolate_environment(given, URL), monkeypatch) == URL


def test_no_kind_of_aws_own_endpoints_is_asked_for() -> None:
    """JavaScript's SDK refuses any other endpoint then; the test that `bedtape init` writes
    is run with one asked for.
    """
    variables = point_environment({"AWS_USE_FIPS_ENDPOINT": "true"}, URL)
    assert (variables["AWS_USE_FIPS_ENDPOINT"], variables["AWS_USE_DUALSTACK_ENDPOINT"]) == (
        "false",
        "false",
    )


def test_a_proxy_sees_no_call_to_this_machine_and_what_it_did_not_see_before_neither() -> None:
    assert (
        point_environment({"NO_PROXY": "intra.example"}, URL)["NO_PROXY"]
        == "intra.example,127.0.0.1,localhost"
    )
    assert point_environment({}, URL)["no_proxy"] == "127.0.0.1,localhost"


def test_pointed_keeps_keys_and_profile() -> None:
    kept = {**REAL, "AWS_PROFILE": "dev", "AWS_REGION": "eu-west-1"}
    assert kept.items() <= point_environment(kept, URL).items()


@pytest.mark.parametrize(
    ("given", "region", "default"),
    [
        ({}, None, None),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1", "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2", "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1", "eu-west-2"),
    ],
)
def test_a_region_that_one_sdk_reads_the_others_read_too(
    given: dict[str, str], region: str | None, default: str | None
) -> None:
    """boto3 does not look at AWS_REGION.

    Where neither is set, a profile may have one, and it is left to it.
    """
    variables = point_environment(given, URL)
    assert (variables.get("AWS_REGION"), variables.get("AWS_DEFAULT_REGION")) == (region, default)


def test_a_bearer_token_is_taken_out_and_keys_take_its_place_where_there_are_none() -> None:
    alone = point_environment({BEARER: "secret"}, URL)
    assert BEARER not in alone
    assert alone["AWS_ACCESS_KEY_ID"] == alone["AWS_SECRET_ACCESS_KEY"] == "bedtape"
    assert point_environment({BEARER: "secret", **REAL}, URL)["AWS_ACCESS_KEY_ID"] == "AKIAREAL"
    assert "AWS_ACCESS_KEY_ID" not in point_environment({}, URL)


def test_isolated_holds_nobodys_credentials() -> None:
    variables = isolate_environment(
        {**REAL, BEARER: "secret", "AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "dev"}, URL
    )
    assert (
        not {"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", BEARER} & variables.keys()
    )
    assert variables["AWS_ACCESS_KEY_ID"] == "bedtape"
    assert not {"AKIAREAL", "real", "token", "secret", "dev"} & set(variables.values())


@pytest.mark.parametrize("url", [URL, URL.replace("http://", "https://")])
@pytest.mark.parametrize("preference", [{}, {"AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth"}])
def test_a_made_up_bearer_key_takes_the_place_of_a_real_one_over_https(
    url: str, preference: dict[str, str]
) -> None:
    isolated = isolate_environment({**REAL, **preference, BEARER: "secret"}, url)
    if url.startswith("https:"):
        assert isolated[BEARER] == "bedtape"
        assert isolated.get("AWS_AUTH_SCHEME_PREFERENCE") == preference.get(
            "AWS_AUTH_SCHEME_PREFERENCE"
        )
    else:
        assert BEARER not in isolated
        assert isolated["AWS_AUTH_SCHEME_PREFERENCE"] == "sigv4"
    assert BEARER not in isolate_environment(REAL, url)


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
    ],
)
def test_isolated_has_a_region_that_every_sdk_reads(given: dict[str, str], region: str) -> None:
    variables = isolate_environment(given, URL)
    assert (variables["AWS_REGION"], variables["AWS_DEFAULT_REGION"]) == (region, region)


def test_what_was_given_is_left_as_it_was() -> None:
    given = {**REAL, BEARER: "secret"}
    before = dict(given)
    isolate_environment(given, URL)
    assert given == before


def test_no_client_of_a_bedrock_service_leaves_this_machine() -> None:
    """botocore reads a variable for each service."""
    session = botocore.session.get_session()
    names = [name for name in session.get_available_services() if name.startswith("bedrock")]
    ids = {name: session.get_service_model(name).service_id for name in names}
    variables = {
        name: f"AWS_ENDPOINT_URL_{service_id.upper().replace(' ', '_')}"
        for name, service_id in ids.items()
    }
    assert len(variables) >= 8
    isolated = isolate_environment({}, "http://127.0.0.1:4566")
    assert {
        name: isolated.get(variable, "")[:17] for name, variable in variables.items()
    } == dict.fromkeys(names, "http://127.0.0.1:")
    recorded = point_environment({}, "http://127.0.0.1:4566")
    assert (
        {name for name, variable in variables.items() if variable in recorded}
        == set(names) - {"bedrock-mantle"}
        == set(SERVICES) - {"bedrock-mantle"}
    )


@pytest.mark.parametrize("make", [isolate_environment, point_environment])
def test_a_client_that_prefers_api_keys_signs_when_the_key_is_gone(
    make: Callable[..., dict[str, str]],
) -> None:
    environ = {BEARER: "a-key", "AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth"}
    pointed = make(environ, "http://127.0.0.1:4566")
    assert BEARER not in pointed
    assert pointed["AWS_AUTH_SCHEME_PREFERENCE"] == "sigv4"
