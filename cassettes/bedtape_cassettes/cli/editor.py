"""The user's editor on a text: $VISUAL or $EDITOR, as git calls it. The only file here that runs it; it knows no cassettes."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from bedtape_cassettes.errors import CassetteError

__all__ = ["edited"]


def edited(text: str, name: str) -> str:
    """The text as the editor left it. name: the file's own, so that the editor knows its language."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="bedtape-") as folder:
        path = Path(folder) / name
        path.write_text(text, newline="")
        try:
            done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603 -- the user's own command
        except (OSError, ValueError) as error:
            fix = "set EDITOR, or change it without one: bedtape cassette set"
            raise CassetteError(f"EDITOR: expected an editor that runs, found {command!r} ({error}); {fix}") from None
        if done.returncode:
            found = f"that {command!r} ended with {done.returncode}"
            raise CassetteError(f"EDITOR: expected it to end well, found {found}; nothing was changed")
        return path.read_bytes().decode(errors="replace")
