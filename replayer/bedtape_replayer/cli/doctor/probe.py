"""Reads the environment for `bedtape doctor`: variables, files, packages, and
servers on this machine.

It connects to addresses of this machine and to no others, looks up no host
name, and writes no file.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Timer

from bedtape_cassettes.config.files import find_working_folder, read_settings
from bedtape_cassettes.config.settings import NO_SETTINGS, Settings
from bedtape_cassettes.errors import CassetteError, ConfigInvalid
from bedtape_cassettes.storage import store
from bedtape_cassettes.storage.trust import BUNDLE_VARIABLES
from bedtape_cassettes.text import format_count
from bedtape_replayer.cli.doctor import profile as profiles
from bedtape_replayer.cli.doctor.addresses import Address, endpoints
from bedtape_replayer.cli.doctor.environment import (
    DEFAULT_PORT,
    CassetteFolder,
    ChosenSettings,
    Environment,
    Listener,
    Python,
)
from bedtape_replayer.cli.doctor.machine import DISTRIBUTIONS
from bedtape_replayer.cli.doctor.profile import Profile

# The default folders of replay and run, and of the plugin.
_FOLDERS = ("cassettes", "tests/cassettes")
# Seconds for one answer, from the connection to the last byte. A server on loopback answers
# faster, or not at all.
_PATIENCE = 5.0
# the others: no IPv6 here
_NOBODY = (errno.ECONNREFUSED, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)
# Characters of the name and version of another server.
_SHOWN = 60


def gather() -> Environment:
    """Return the environment of this process and of its working folder."""
    environ = dict(os.environ)
    profile = _profile(environ)
    settings, chosen = _settings()
    named = [endpoint for endpoint in endpoints(environ, profile) if endpoint.address]
    encrypted = {endpoint.address for endpoint in named if endpoint.is_encrypted}
    addresses = [
        Address("127.0.0.1", chosen.port),
        *(endpoint.address for endpoint in named if endpoint.address),
    ]
    cache = store.cache_folder(os.environ)
    return Environment(
        environ=environ,
        python=_python(),
        packages=_packages(),
        profile=profile,
        listeners={
            address: replace(
                listener_at(address), tls=address in encrypted and _accepts_tls(address)
            )
            for address in dict.fromkeys(addresses)
            if address.port
        },
        missing=frozenset(
            name for name in BUNDLE_VARIABLES if environ.get(name) and not _is_file(environ[name])
        ),
        settings=chosen,
        cassette_folders=_cassette_folders(settings),
        cache=str(cache) if cache else None,
        cache_problem=_problem_writing(cache) if cache else "",
        open_files=_open_files(),
        npm=_npm(),
    )


# -- this machine ----------------------------------------------------------------------------------


def _python() -> Python:
    name = sys.implementation.name
    return Python(
        sys.version_info[:3],
        name,
        sys.prefix.rstrip("/"),
        sys.platform != "win32" and name == "cpython",
    )


def _packages() -> dict[str, str]:
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _open_files() -> int | None:
    """The limit of this process, or None: some systems have no limit and no module for it."""
    try:
        resource = import_module("resource")
    except ImportError:
        return None
    limit: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _problem_writing(folder: Path) -> str:
    """Return why the folder, or its nearest existing parent, is not writable, or ""."""
    try:
        existing = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    except OSError as error:
        return error.strerror or str(error)
    if not existing.is_dir():
        return f"{existing} is not a folder"
    return "" if os.access(existing, os.W_OK | os.X_OK) else f"{existing} is not writable"


# -- AWS's files -----------------------------------------------------------------------------------


def _profile(environ: Mapping[str, str]) -> Profile:
    config = environ.get("AWS_CONFIG_FILE") or profiles.FILES[0]
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or profiles.FILES[1]
    name = profiles.find_profile(environ)[0]
    try:
        return profiles.read(name, _text(config), _text(credentials), (config, credentials))
    except (OSError, UnicodeDecodeError) as error:
        return Profile(name, problem=f"{config} or {credentials}: {error}")


def _text(file: str) -> str:
    path = os.path.expandvars(os.path.expanduser(file))  # noqa: PTH111 -- as botocore; it does not raise without a home
    return Path(path).read_text() if _is_file(path) else ""


def _is_file(name: str) -> bool:
    """Return whether the file exists; false for no file name, such as the text of a key."""
    return os.path.isfile(name)  # noqa: PTH113 -- Path.is_file raises for a long text


# -- the project -----------------------------------------------------------------------------------


def _settings() -> tuple[Settings, ChosenSettings]:
    try:
        here = find_working_folder()
        settings = read_settings(here, os.environ, here=here)
    except ConfigInvalid as error:
        return NO_SETTINGS, ChosenSettings(problems=tuple(map(str, error.problems)))
    port = settings.of("replay").get("port", DEFAULT_PORT)
    assert isinstance(port, int)
    return settings, ChosenSettings(settings.file, port, warnings=settings.warnings)


def _cassette_folders(settings: Settings) -> tuple[CassetteFolder, ...]:
    """Return the folders of the settings, and the default folders that contain cassettes."""
    value = settings.of("replay").get("cassettes", ())
    configured = [str(folder) for folder in value] if isinstance(value, tuple) else []
    others = [folder for folder in _FOLDERS if store.fingerprint([Path(folder)])]
    return tuple(_read_folder(Path(folder)) for folder in dict.fromkeys([*configured, *others]))


def _read_folder(folder: Path) -> CassetteFolder:
    try:
        suite = store.read([folder])
    except CassetteError as error:
        return CassetteFolder(str(folder), problems=tuple(str(error).splitlines()))
    return CassetteFolder(
        str(folder), len(suite), sum(len(cassette.interactions) for cassette in suite)
    )


def _npm() -> dict[str, str]:
    """Return the versions of the AWS packages in package.json, "" for a missing package."""
    package = _json(Path("package.json"))
    parts = [
        part
        for key in ("dependencies", "devDependencies")
        if isinstance(part := package.get(key), dict)
    ]
    names = {name for part in parts for name in part if name.startswith("@aws-sdk/")}
    return {
        name: str(_json(Path("node_modules", name, "package.json")).get("version", ""))
        for name in names
    }


def _json(path: Path) -> dict[str, object]:
    """Return the JSON object in a file; empty if the file is missing or has other contents."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# -- servers ---------------------------------------------------------------------------------------


def listener_at(address: Address) -> Listener:
    """Return the server at an address of this machine, by bedtape's or LocalStack's health."""
    try:
        status, headers, body = _request(address, "/_bedtape/health")
        interactions, cassettes = body.get("interactions"), body.get("cassettes")
        if status == 200 and isinstance(interactions, int) and isinstance(cassettes, int):
            counts = (
                f"{format_count(interactions, 'interaction')} in"
                f" {format_count(cassettes, 'cassette')}"
            )
            return Listener("bedtape", f"bedtape {_truncate(body.get('version'))} with {counts}")
        if headers.get("x-amzn-errortype") == "CassetteMissException":
            return Listener("bedtape", "bedtape without its control API")
        status, headers, body = _request(address, "/_localstack/health")
        if status == 200 and "services" in body:
            return Listener(
                "localstack", f"LocalStack {_truncate(body.get('version', ''))}".rstrip()
            )
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in _NOBODY:
            return Listener("nobody")
        return Listener("silent", "a server that does not answer HTTP")
    server = f" ({_truncate(headers['server'])})" if "server" in headers else ""
    return Listener("http", f"another server{server}")


def _accepts_tls(address: Address) -> bool:
    """Return whether the server completes a TLS handshake, which is not verified."""
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        with (
            socket.create_connection(address, timeout=_PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=address.host),
        ):
            return True
    except OSError:  # also ssl.SSLError
        return False


def _truncate(value: object) -> str:
    return str(value)[:_SHOWN]


def _request(address: Address, path: str) -> tuple[int, dict[str, str], dict[str, object]]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PATIENCE)
    connection.connect()
    # a server that sends a byte now and then does not time out
    end = Timer(_PATIENCE, _end, (connection.sock,))
    end.start()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read(65536)
    finally:
        end.cancel()
        connection.close()
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    return response.status, headers, parsed if isinstance(parsed, dict) else {}


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # the connection has ended meanwhile
        connection.shutdown(socket.SHUT_RDWR)
