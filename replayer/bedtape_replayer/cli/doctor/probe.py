"""Looks at the environment for `bedtape doctor`: variables, files, packages, who listens. The only file here that does.

It asks addresses of this machine and no others, looks up no name, writes nothing and starts nothing.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Timer

from bedtape_cassettes.config.files import find_working_folder, read_settings
from bedtape_cassettes.config.settings import NO_SETTINGS, Settings
from bedtape_cassettes.errors import CassetteError, ConfigInvalid
from bedtape_cassettes.storage import store
from bedtape_cassettes.text import format_count
from bedtape_replayer.cli.doctor import profile as profiles
from bedtape_replayer.cli.doctor.addresses import Address, endpoints
from bedtape_replayer.cli.doctor.credentials import BUNDLES
from bedtape_replayer.cli.doctor.environment import (
    DEFAULT_PORT,
    CassetteFolder,
    ChosenSettings,
    Environment,
    Listener,
    Python,
)
from bedtape_replayer.cli.doctor.machine import LOOKED_FOR
from bedtape_replayer.cli.doctor.profile import Profile

# Where replay and run look for cassettes, and where the tests of the plugin have theirs.
_FOLDERS = ("cassettes", "tests/cassettes")
# Whoever listens on loopback answers at once, or not at all: for one answer, from first to last byte.
_PATIENCE = 2.0
_NOBODY = (errno.ECONNREFUSED, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)  # the others: no IPv6 here
# Of what others say of themselves.
_SHOWN = 60


def gather() -> Environment:
    """What this process's environment is, and what its folder holds."""
    environ = dict(os.environ)
    profile = _profile(environ)
    settings, chosen = _settings()
    addresses = [Address("127.0.0.1", chosen.port), *(e.address for e in endpoints(environ, profile) if e.address)]
    cache = store.cache_folder(os.environ)
    return Environment(
        environ=environ,
        python=_python(),
        packages=_packages(),
        profile=profile,
        listeners={address: listener_at(address) for address in dict.fromkeys(addresses) if address.port},
        missing=frozenset(name for name in BUNDLES if environ.get(name) and not _is_file(environ[name])),
        settings=chosen,
        shelves=_shelves(settings),
        cache=str(cache) if cache else None,
        cache_problem=_problem_writing(cache) if cache else "",
        open_files=_open_files(),
        npm=_npm(),
    )


# -- this machine ----------------------------------------------------------------------------------------------


def _python() -> Python:
    name = sys.implementation.name
    return Python(sys.version_info[:3], name, sys.prefix.rstrip("/"), sys.platform != "win32" and name == "cpython")


def _packages() -> dict[str, str]:
    found = {}
    for name in LOOKED_FOR:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _open_files() -> int | None:
    """The limit of this process, None for none: some systems have no such limit, and no module for it."""
    try:
        resource = import_module("resource")
    except ImportError:
        return None
    limit: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _problem_writing(folder: Path) -> str:
    """Why the folder, or where it would be made, cannot be written; found out without writing."""
    try:
        there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    except OSError as error:
        return error.strerror or str(error)
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} may not be written"


# -- AWS's files -----------------------------------------------------------------------------------------------


def _profile(environ: Mapping[str, str]) -> Profile:
    config = environ.get("AWS_CONFIG_FILE") or profiles.FILES[0]
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or profiles.FILES[1]
    name = profiles.find_profile(environ)[0]
    try:
        return profiles.read(name, _text(config), _text(credentials), (config, credentials))
    except (OSError, UnicodeDecodeError) as error:
        return Profile(name, problem=f"{config} or {credentials}: {error}")


def _text(file: str) -> str:
    path = os.path.expandvars(os.path.expanduser(file))  # noqa: PTH111 -- as botocore does, for homes of no user
    return Path(path).read_text() if _is_file(path) else ""


def _is_file(name: str) -> bool:
    """False as well for what can be no file's name: a variable may hold what its file should, certificates or keys."""
    return os.path.isfile(name)  # noqa: PTH113 -- a Path's raises for a name that is too long, and tells it


# -- the project -----------------------------------------------------------------------------------------------


def _settings() -> tuple[Settings, ChosenSettings]:
    try:
        here = find_working_folder()
        settings = read_settings(here, os.environ, here=here)
    except ConfigInvalid as error:
        return NO_SETTINGS, ChosenSettings(problems=tuple(map(str, error.problems)))
    port = settings.of("replay").get("port", DEFAULT_PORT)
    assert isinstance(port, int)
    return settings, ChosenSettings(settings.file, port, warnings=settings.warnings)


def _shelves(settings: Settings) -> tuple[CassetteFolder, ...]:
    """The folders that settings name, which must be there, or those that commands look into, where they hold any."""
    said = settings.of("replay").get("cassettes", ())
    configured = [str(folder) for folder in said] if isinstance(said, tuple) else []
    others = [folder for folder in _FOLDERS if store.fingerprint([Path(folder)])]
    return tuple(_shelf(Path(folder)) for folder in dict.fromkeys([*configured, *others]))


def _shelf(folder: Path) -> CassetteFolder:
    try:
        read = store.read([folder])
    except CassetteError as error:
        return CassetteFolder(str(folder), problems=tuple(str(error).splitlines()))
    return CassetteFolder(str(folder), len(read), sum(len(cassette.interactions) for cassette in read))


def _npm() -> dict[str, str]:
    """AWS's packages that package.json names, with the versions that are installed."""
    package = _json(Path("package.json"))
    parts = [part for key in ("dependencies", "devDependencies") if isinstance(part := package.get(key), dict)]
    names = {name for part in parts for name in part if name.startswith("@aws-sdk/")}
    return {name: str(_json(Path("node_modules", name, "package.json")).get("version", "")) for name in names}


def _json(path: Path) -> dict[str, object]:
    """An object in a file; an empty one where there is none, or something else."""
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


# -- who listens -----------------------------------------------------------------------------------------------


def listener_at(address: Address) -> Listener:
    """Who answers at an address of this machine, which must be one. Asks what bedtape, then what LocalStack tells of itself."""
    try:
        status, headers, body = _request(address, "/_bedtape/health")
        held = body.get("interactions"), body.get("cassettes")
        if status == 200 and isinstance(held[0], int) and isinstance(held[1], int):
            says = f"{format_count(held[0], 'interaction')} in {format_count(held[1], 'cassette')}"
            return Listener("bedtape", f"bedtape {_truncate(body.get('version'))} with {says}")
        if headers.get("x-amzn-errortype") == "CassetteMissException":
            return Listener("bedtape", "bedtape without its control API")
        status, headers, body = _request(address, "/_localstack/health")
        if status == 200 and "services" in body:
            return Listener("localstack", f"LocalStack {_truncate(body.get('version', ''))}".rstrip())
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in _NOBODY:
            return Listener("nobody")
        return Listener("silent", "something that does not answer HTTP")
    server = f" ({_truncate(headers['server'])})" if "server" in headers else ""
    return Listener("http", f"another server{server}")


def _truncate(said: object) -> str:
    return str(said)[:_SHOWN]


def _request(address: Address, path: str) -> tuple[int, dict[str, str], dict[str, object]]:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PATIENCE)
    connection.connect()
    end = Timer(_PATIENCE, _end, (connection.sock,))  # for who sends a byte now and then, and never times out
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
    with suppress(OSError):  # it has ended meanwhile
        connection.shutdown(socket.SHUT_RDWR)
