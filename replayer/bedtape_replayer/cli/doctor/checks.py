"""Every check, in the order in which they are told: what calls meet first comes first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bedtape_replayer.cli.doctor import credentials, endpoints, machine, network, packages, project
from bedtape_replayer.cli.doctor.diagnosis import Diagnosis
from bedtape_replayer.cli.doctor.environment import Environment

__all__ = ["CHECKS", "examine"]

CHECKS: tuple[Callable[[Environment], Iterator[Diagnosis]], ...] = (
    machine.check_python,
    machine.check_environment,
    machine.check_uvloop,
    machine.check_open_files,
    machine.check_cache,
    packages.check_boto3,
    packages.check_pytest,
    packages.check_javascript,
    packages.check_mitmproxy,
    endpoints.check_endpoint,
    endpoints.check_other_endpoints,
    endpoints.check_ignored,
    endpoints.check_kinds,
    endpoints.check_all_services,
    endpoints.check_other_clients,
    network.check_port,
    network.check_proxy,
    credentials.check_profile,
    credentials.check_bearer,
    credentials.check_keys,
    credentials.check_region,
    credentials.check_bundles,
    project.check_settings,
    project.check_gate,
    project.check_token,
    project.check_cassettes,
)


def examine(found: Environment) -> tuple[Diagnosis, ...]:
    """What all checks say."""
    return tuple(diagnosis for check in CHECKS for diagnosis in check(found))
