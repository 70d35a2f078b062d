"""The generated files of the clients."""

from __future__ import annotations

import go
import java
from structs import list_structs

__all__ = ["render_files"]


def render_files() -> dict[str, str]:
    """Return every generated file by its path below `clients`."""
    structs = list_structs()
    classes = java.render(structs)
    return {
        "go/bedtapetest/types.go": go.render(structs),
        **{f"java/src/main/java/bedtape/{name}": text for name, text in classes.items()},
    }
