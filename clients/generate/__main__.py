"""`python clients/generate`: writes the types of the clients in Go and Java from the
schemas of the control API.
"""

from __future__ import annotations

from pathlib import Path

from files import render_files

CLIENTS = Path(__file__).parents[1]

for name, text in render_files().items():
    path = CLIENTS / name
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"clients/{name} is updated")
