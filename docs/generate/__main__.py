"""`python docs/generate`: updates the generated parts of the pages, and the table of operations."""

from __future__ import annotations

from pathlib import Path

import agents
import regions
import service_operations

DOCS = Path(__file__).parents[1]

if service_operations.write():
    print("service_table.py is updated; run this again")
for page in sorted(DOCS.rglob("*.md")):
    text = page.read_text()
    if (current := regions.fill(text, str(page.relative_to(DOCS)))) != text:
        page.write_text(current)
        print(f"docs/{page.relative_to(DOCS)} is updated")
for file, text in agents.texts().items():
    if not file.exists() or file.read_text() != text:
        file.write_text(text)
        print(f"{file.relative_to(DOCS.parent)} is updated")
