"""What ~/.aws/config and ~/.aws/credentials say of the profile that is in force, read as botocore reads them. Pure.

botocore itself is not asked: it would fetch credentials over the network, and takes a third of a second to import.
"""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

# Where AWS has them, if no variable names others.
FILES = ("~/.aws/config", "~/.aws/credentials")
# What a profile has that credentials come of, and how it is called here.
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
KINDS = {"AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint", "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint"}
_Section = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile. endpoint: for all services, runtime_endpoint: for bedrock-runtime alone. kinds: which of AWS's own
    endpoints it asks for. credentials: what they come of.

    problem: why the files cannot be read; then the rest is empty, and botocore makes no client at all.
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
    """The profile that is in force, and the variable that says so, "" for none: boto3 reads both, in this order."""
    for variable in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
        if name := environ.get(variable):
            return name, variable
    return "default", ""


def read(name: str, config: str, credentials: str, files: tuple[str, str] = FILES) -> Profile:
    """The profile of this name, from the text of both files; a file that is not there is an empty text.

    files: what both are called, to tell.
    """
    try:
        parsed, keys = _parse(files[0], config), _parse(files[1], credentials)
    except configparser.Error as error:
        return Profile(name, problem=_describe_error(error))
    own = _group_by_name(parsed, "profile").get(name) or (parsed.get("default") if name == "default" else None)
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
        credentials=next((word for key, word in _SOURCES.items() if merged.get(key)), ""),
    )


def _describe_error(error: configparser.Error) -> str:
    """What is wrong, and where; not the line itself, as the error has it, for it may be half a key."""
    lines = [line for line, _ in getattr(error, "errors", ())] or [getattr(error, "lineno", None)]
    where = ", ".join(f"line {line}" for line in lines if line)
    match error:
        case configparser.DuplicateSectionError() | configparser.DuplicateOptionError():
            what = "a section or key that is there twice"
        case configparser.MissingSectionHeaderError():
            what = "something before the first section"
        case _:
            what = "what is neither a section nor a key with its value"
    return f"{what} in {getattr(error, 'source', 'them')}, {where}"


def _is_on(section: _Section, key: str) -> bool:
    return section.get(key, "").lower() == "true"


def _parse(file: str, text: str) -> dict[str, _Section]:
    parser = configparser.RawConfigParser()
    parser.read_string(text, file)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _group_by_name(parsed: Mapping[str, _Section], kind: str) -> dict[str, _Section]:
    """Sections such as `[profile dev]`, by their second word."""
    found = {}
    for title, section in parsed.items():
        if not title.startswith(kind):
            continue
        try:
            words = shlex.split(title)
        except ValueError:  # an open quotation: botocore passes over it
            continue
        if len(words) == 2:
            found[words[1]] = section
    return found


def _read_nested(value: str) -> _Section:
    """The indented lines under a key, `endpoint_url = …`."""
    pairs = (line.partition("=") for line in value.splitlines() if "=" in line)
    return {key.strip(): said.strip() for key, _, said in pairs}
