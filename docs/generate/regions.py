"""The generated parts of a page: what stands between two comments, of which the first says what is to stand there.

<!-- generated: options replay -->
<!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import command_line
import configuration
import control
import messages
import python_names
import secret_kinds

import wire

__all__ = ["written"]

_REGION = re.compile(r"(?P<begin><!-- generated: (?P<words>[^\n]+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)", re.DOTALL)
# Each takes the words that follow its own, and gives lines of Markdown.
WRITERS: Mapping[str, Callable[..., list[str]]] = {
    "options": command_line.options,
    "shared": command_line.shared,
    "commands": command_line.commands,
    "group": command_line.group,
    "keys": configuration.keys,
    "shared-keys": configuration.shared_keys,
    "routes": control.routes,
    "schemas": control.schemas,
    "bedrock-errors": messages.bedrock_errors,
    "own-errors": messages.own_errors,
    "names": python_names.names,
    "operations": wire.operations,
    "headers": wire.headers,
    "secrets": secret_kinds.secrets,
    "sdks": wire.sdks,
    "variables": wire.variables,
}


def written(page: str, where: str) -> str:
    """The page with its generated parts as they have to be. Raises SystemExit where a part is none that can be made."""

    def instead(found: re.Match[str]) -> str:
        word, *arguments = found["words"].split()
        if word not in WRITERS:
            raise SystemExit(f"{where}: expected one of {', '.join(sorted(WRITERS))}, found generated: {word!r}")
        body = "".join(f"{line}\n" for line in WRITERS[word](*arguments))
        return f"{found['begin']}{body}{found['end']}"

    return _REGION.sub(instead, page)
