"""`python docs/generate`: writes the generated parts of the pages anew. The rest of a page is left as it is."""

from __future__ import annotations

from pathlib import Path

import regions

DOCS = Path(__file__).parents[1]

for page in sorted(DOCS.rglob("*.md")):
    text = page.read_text()
    if (current := regions.written(text, str(page.relative_to(DOCS)))) != text:
        page.write_text(current)
        print(f"docs/{page.relative_to(DOCS)} is written anew")
