"""Starts bedtape's image for all tests of a project."""

import os
from collections.abc import Iterator

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

TOKEN = "a-token-for-tests"


@pytest.fixture(scope="session", autouse=True)
def bedtape() -> Iterator[str]:
    container = (
        DockerContainer("bedtape")
        .with_exposed_ports(4566)
        .with_env("BEDTAPE_CONTROL_TOKEN", TOKEN)
        .waiting_for(HealthcheckWaitStrategy())
    )
    with container:
        url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(4566)}"
        os.environ |= {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url}
        yield url
