"""Parses the selected profile from the text of ~/.aws/config and ~/.aws/credentials, in
the same way as botocore.

It does not use botocore, because botocore fetches credentials over the network, and its import
takes a third of a second.
"""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

# The default files. AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name other files.
FILES = ("~/.aws/config", "~/.aws/credentials")
# Keys of a profile that give credentials, and the name of each source in messages.
_SOURCES = {
    "aws_access_key_id": "access keys",
    "sso_session": "SSO",
    "sso_start_url": "SSO",
    "role_arn": "a role",
    "credential_process": "a program",
    "web_identity_token_file": "a web identity",
    "login_session": "a login",
}
# Kinds of AWS's own endpoints, as a variable and as a key.
KINDS = {
    "AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint",
    "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint",
}
_Section = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile.

    endpoint: for all services. runtime_endpoint: for bedrock-runtime. kinds: the keys of `KINDS`
    that it turns on. credentials: the source of its credentials. problem: why the files cannot be
    read. In this case the other fields are empty, and botocore creates no client.
    """

    name: str = "default"
    exists: bool = False
    region: str = ""
    endpoint: str = ""
    runtime_endpoint: str = ""
    ignores_endpoints: bool = False
    kinds: tuple[str, ...] = ()
    credentials: str = ""
    problem: str = ""


def find_profile(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the selected profile and its variable, or "". boto3 reads them in this order."""
    for variable in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
        if name := environ.get(variable):
            return name, variable
    return "default", ""


def read(name: str, config: str, credentials: str, files: tuple[str, str] = FILES) -> Profile:
    """Return the profile of this name from the text of both files, which is
    empty for a missing file.

    files: the names of both files, for messages.
    """
    try:
        parsed, keys = _parse(files[0], config), _parse(files[1], credentials)
    except configparser.Error as error:
        return Profile(name, problem=_describe_error(error))
    own = _group_by_name(parsed, "profile").get(name) or (
        parsed.get("default") if name == "default" else None
    )
    merged = {**(own or {}), **keys.get(name, {})}
    services = _group_by_name(parsed, "services").get(merged.get("services", ""), {})
    return Profile(
        name,
        exists=own is not None or name in keys,
        region=merged.get("region", ""),
        endpoint=merged.get("endpoint_url", ""),
        runtime_endpoint=_read_nested(services.get("bedrock_runtime", "")).get("endpoint_url", ""),
        ignores_endpoints=_is_on(merged, "ignore_configured_endpoint_urls"),
        kinds=tuple(key for key in KINDS.values() if _is_on(merged, key)),
        credentials=next((source for key, source in _SOURCES.items() if merged.get(key)), ""),
    )


def _describe_error(error: configparser.Error) -> str:
    """Return the problem and its line number.

    The line itself is left out, because it may contain a part of a key.
    """
    lines = [line for line, _ in getattr(error, "errors", ())] or [getattr(error, "lineno", None)]
    where = ", ".join(f"line {line}" for line in lines if line)
    match error:
        case configparser.DuplicateSectionError() | configparser.DuplicateOptionError():
            problem = "a duplicate section or key"
        case configparser.MissingSectionHeaderError():
            problem = "text before the first section"
        case _:
            problem = "a line that is neither a section nor KEY = VALUE"
    return f"{problem} in {getattr(error, 'source', 'them')}, {where}"


def _is_on(section: _Section, key: str) -> bool:
    return section.get(key, "").lower() == "true"


def _parse(file: str, text: str) -> dict[str, _Section]:
    parser = configparser.RawConfigParser()
    parser.read_string(text, file)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _group_by_name(parsed: Mapping[str, _Section], kind: str) -> dict[str, _Section]:
    """Return the sections of a kind, such as `[profile dev]`, by their second word."""
    sections = {}
    for title, section in parsed.items():
        if not title.startswith(kind):
            continue
        try:
            words = shlex.split(title)
        except ValueError:  # an unclosed quotation mark: botocore ignores the section
            continue
        if len(words) == 2:
            sections[words[1]] = section
    return sections


def _read_nested(value: str) -> _Section:
    """Return the nested keys of a value, which are indented lines such as `endpoint_url = …`."""
    pairs = (line.partition("=") for line in value.splitlines() if "=" in line)
    return {key.strip(): nested.strip() for key, _, nested in pairs}
