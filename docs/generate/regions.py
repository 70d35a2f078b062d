"""Fills the generated parts of a page.

A part is the text between two comments; the first comment names its content.

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

__all__ = ["fill"]

_REGION = re.compile(
    r"(?P<begin><!-- generated: (?P<words>[^\n]+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)
# Each function takes the words after its own name in the comment, and returns lines of Markdown.
WRITERS: Mapping[str, Callable[..., list[str]]] = {
    "options": command_line.render_options,
    "shared": command_line.render_shared,
    "commands": command_line.render_commands,
    "group": command_line.render_group,
    "keys": configuration.render_keys,
    "shared-keys": configuration.render_shared_keys,
    "routes": control.render_routes,
    "schemas": control.render_schemas,
    "bedrock-errors": messages.render_bedrock_errors,
    "own-errors": messages.render_own_errors,
    "names": python_names.render_names,
    "operations": wire.render_operations,
    "headers": wire.render_headers,
    "secrets": secret_kinds.render_secrets,
    "sdks": wire.render_sdks,
    "variables": wire.render_variables,
}


def fill(page: str, where: str) -> str:
    """Returns the page with current generated parts.

    Raises SystemExit if a comment names unknown content.
    """

    def replace(match: re.Match[str]) -> str:
        word, *arguments = match["words"].split()
        if word not in WRITERS:
            raise SystemExit(
                f"{where}: expected one of {', '.join(sorted(WRITERS))}, found generated: {word!r}"
            )
        body = "".join(f"{line}\n" for line in WRITERS[word](*arguments))
        return f"{match['begin']}{body}{match['end']}"

    return _REGION.sub(replace, page)
