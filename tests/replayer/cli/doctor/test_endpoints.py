"""Where calls go: each thing that an environment can say of it, and what is told of that."""

from dataclasses import replace

import pytest

from bedtape_replayer.cli.doctor import endpoints
from bedtape_replayer.cli.doctor.addresses import Address
from bedtape_replayer.cli.doctor.environment import ChosenSettings, Environment, Listener
from bedtape_replayer.cli.doctor.profile import Profile

HERE = Address("127.0.0.1", 4566)
URL = "http://127.0.0.1:4566"
RUNTIME = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
BEDTAPE = {HERE: Listener("bedtape", "bedtape 0.1.0 with 3 interactions in 1 cassette")}
LOCALSTACK = {HERE: Listener("localstack", "LocalStack 4.0")}
POINTED = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566"}
PROXY = {"HTTP_PROXY": "http://me:hidden@proxy.example.com:3128"}


@pytest.mark.parametrize(
    ("environ", "listeners", "level", "said"),
    [
        ({}, {}, "ok", "not set"),
        ({RUNTIME: URL}, BEDTAPE, "ok", f"{RUNTIME}={URL}: bedtape 0.1.0 with 3 interactions"),
        ({RUNTIME: f"{URL}/s/mine"}, BEDTAPE, "ok", "/s/mine"),
        ({RUNTIME: URL}, {}, "wrong", "where no server listens; start bedtape replay"),
        (
            {RUNTIME: URL},
            LOCALSTACK,
            "note",
            "expected bedtape at the endpoint, found AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        ),
        ({RUNTIME: URL.replace("http", "https")}, BEDTAPE, "wrong", "expected http://"),
        (
            {RUNTIME: URL.replace("http", "https")},
            {HERE: replace(BEDTAPE[HERE], tls=True)},
            "ok",
            "bedtape 0.1.0 with",
        ),
        ({RUNTIME: "127.0.0.1:4566"}, {}, "wrong", "expected a URL such as http://127.0.0.1:4566"),
        (
            {RUNTIME: "https://bedrock-runtime.eu-west-1.amazonaws.com"},
            {},
            "note",
            "on another machine",
        ),
        ({RUNTIME: "http://host.docker.internal:4566"}, {}, "note", "on another machine"),
        ({"AWS_ENDPOINT_URL": URL}, BEDTAPE, "ok", "AWS_ENDPOINT_URL=http"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", RUNTIME: URL}, BEDTAPE, "ok", RUNTIME),
    ],
)
def test_the_endpoint(
    environ: dict[str, str], listeners: dict[Address, Listener], level: str, said: str
) -> None:
    (diagnosis,) = endpoints.check_endpoint(Environment(environ=environ, listeners=listeners))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


@pytest.mark.parametrize(
    ("profile", "source"),
    [
        (Profile(endpoint=URL), "profile default: endpoint_url"),
        (
            Profile(endpoint="http://127.0.0.1:1", runtime_endpoint=URL),
            "services.bedrock_runtime.endpoint_url",
        ),
    ],
)
def test_the_endpoint_of_a_profile(profile: Profile, source: str) -> None:
    (diagnosis,) = endpoints.check_endpoint(Environment(profile=profile, listeners=BEDTAPE))
    assert diagnosis.level == "ok"
    assert source in diagnosis.found


@pytest.mark.parametrize(
    ("environ", "levels"),
    [
        ({RUNTIME: URL}, []),
        (
            {
                RUNTIME: URL,
                "AWS_BEDROCK_RUNTIME_ENDPOINT": URL,
                "AWS_ENDPOINT_URL_BEDROCK_MANTLE": URL,
            },
            ["ok", "ok"],
        ),
        ({RUNTIME: URL, "OPENAI_BASE_URL": "https://api.openai.com/v1"}, []),
        # it is for other services than Bedrock's
        ({RUNTIME: URL, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, []),
        ({RUNTIME: URL, "AWS_ENDPOINT_URL_BEDROCK": f"{URL}/service/bedrock"}, ["ok"]),
        (
            {"ANTHROPIC_BEDROCK_BASE_URL": URL, "AWS_BEDROCK_BASE_URL": "http://127.0.0.1:1"},
            ["ok", "wrong"],
        ),
    ],
)
def test_other_endpoints(environ: dict[str, str], levels: list[str]) -> None:
    environment = Environment(environ=environ, listeners=BEDTAPE)
    assert [diagnosis.level for diagnosis in endpoints.check_other_endpoints(environment)] == levels


@pytest.mark.parametrize(
    ("environ", "profile", "level"),
    [
        ({}, Profile(), "ok"),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"}, Profile(), "note"),
        ({"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", RUNTIME: URL}, Profile(), "wrong"),
        ({RUNTIME: URL}, Profile(ignores_endpoints=True), "wrong"),
        (
            {RUNTIME: URL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"},
            Profile(ignores_endpoints=True),
            "ok",
        ),
    ],
)
def test_endpoints_that_are_ignored(environ: dict[str, str], profile: Profile, level: str) -> None:
    (diagnosis,) = endpoints.check_ignored(Environment(environ=environ, profile=profile))
    assert diagnosis.level == level


@pytest.mark.parametrize(
    ("environ", "profile", "said"),
    [
        ({}, Profile(), []),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, Profile(), ["AWS_USE_FIPS_ENDPOINT=true"]),
        (
            {},
            Profile(kinds=("use_dualstack_endpoint",)),
            ["use_dualstack_endpoint in profile default"],
        ),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "false"}, Profile(kinds=("use_dualstack_endpoint",)), []),
    ],
)
def test_kinds_of_endpoints(environ: dict[str, str], profile: Profile, said: list[str]) -> None:
    diagnoses = list(endpoints.check_kinds(Environment({RUNTIME: URL, **environ}, profile=profile)))
    assert [diagnosis.level for diagnosis in diagnoses] == ["note"] * len(said)
    assert [diagnosis.found.partition(",")[0] for diagnosis in diagnoses] == said
    assert not list(endpoints.check_kinds(Environment(environ, profile=profile)))


def test_an_endpoint_for_all_services_is_noted() -> None:
    (diagnosis,) = endpoints.check_all_services(Environment(environ={"AWS_ENDPOINT_URL": URL}))
    assert (diagnosis.level, diagnosis.fix) == ("note", f"move its value to {RUNTIME}")
    assert not list(endpoints.check_all_services(Environment(environ={RUNTIME: URL})))


def test_clients_that_read_other_variables_are_told_where_they_are_installed() -> None:
    packages = {"anthropic": "1.0", "openai": "1.0", "litellm": "1.0"}
    (anthropic, openai, litellm) = endpoints.check_other_clients(
        Environment(environ={RUNTIME: URL}, packages=packages)
    )
    assert anthropic.fix == f"export ANTHROPIC_BEDROCK_BASE_URL={URL}"
    assert openai.fix == f"export AWS_BEDROCK_BASE_URL={URL}/service/bedrock-mantle/openai/v1"
    assert litellm.fix == f"export AWS_BEDROCK_RUNTIME_ENDPOINT={URL}"
    set_too = {RUNTIME: URL, "ANTHROPIC_BEDROCK_BASE_URL": URL}
    for silent in (
        Environment(environ={RUNTIME: URL}),
        Environment(packages=packages),
        Environment(environ=set_too, packages={"anthropic": "1.0"}),
    ):
        assert not list(endpoints.check_other_clients(silent))


@pytest.mark.parametrize(
    ("environ", "level", "said"),
    [
        ({}, "ok", "no proxy for http://"),
        ({"HTTPS_PROXY": "http://proxy.example.com"} | POINTED, "ok", "no proxy for http://"),
        (PROXY, "note", "; export NO_PROXY=127.0.0.1; bedtape run and"),
        (
            PROXY | POINTED,
            "wrong",
            "HTTP_PROXY=http://proxy.example.com:3128 for all hosts; export NO_PROXY=127.0.0.1",
        ),
        (
            PROXY | POINTED | {"NO_PROXY": "a.example"},
            "wrong",
            "export NO_PROXY=a.example,127.0.0.1",
        ),
        (
            PROXY | POINTED | {"no_proxy": "a.example", "NO_PROXY": "*"},
            "wrong",
            "export no_proxy=a.example,127.0.0.1",
        ),
        (PROXY | POINTED | {"NO_PROXY": "localhost, 127.0.0.1"}, "ok", "not for 127.0.0.1"),
        (PROXY | POINTED | {"NO_PROXY": "*"}, "ok", "not for 127.0.0.1"),
        (
            PROXY | {"AWS_ENDPOINT_URL": "http://localhost:4566", "NO_PROXY": "127.0.0.1"},
            "wrong",
            "localhost",
        ),
        ({"ALL_PROXY": "socks5://proxy"} | POINTED, "note", "ALL_PROXY"),
    ],
)
def test_proxies(environ: dict[str, str], level: str, said: str) -> None:
    (diagnosis,) = endpoints.check_proxy(Environment(environ))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis
    assert "hidden" not in str(diagnosis)


@pytest.mark.parametrize(
    ("listener", "level", "said"),
    [
        (None, "ok", "4566 is free"),
        (Listener("nobody"), "ok", "4566 is free"),
        (Listener("bedtape", "bedtape 0.1.0"), "ok", "4566: bedtape 0.1.0"),
        (
            Listener("localstack", "LocalStack 4.0"),
            "note",
            "found LocalStack 4.0; end that server, or run bedtape replay --port 0",
        ),
        (Listener("silent", "something"), "note", "found something"),
    ],
)
def test_the_port(listener: Listener | None, level: str, said: str) -> None:
    listeners = {Address("127.0.0.1", 4566): listener} if listener else {}
    (diagnosis,) = endpoints.check_port(Environment(listeners=listeners))
    assert (diagnosis.level, said in str(diagnosis)) == (level, True), diagnosis


def test_the_port_is_what_settings_say() -> None:
    listeners = {Address("127.0.0.1", 4567): Listener("bedtape", "bedtape 0.1.0")}
    (diagnosis,) = endpoints.check_port(
        Environment(listeners=listeners, settings=ChosenSettings(port=4567))
    )
    assert diagnosis.found == "4567: bedtape 0.1.0"
    (diagnosis,) = endpoints.check_port(Environment(settings=ChosenSettings(port=0)))
    assert diagnosis.level == "ok"
