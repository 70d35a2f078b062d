"""Citations as annotations of OpenAI's APIs, which cite a URL for a part of the text."""

from __future__ import annotations

from bedtape_cassettes.families.content import Citation
from bedtape_cassettes.families.family import JsonObject
from bedtape_cassettes.families.shared import json_access
from bedtape_cassettes.model import JsonValue


def render_url_citation(citation: Citation, start: int, end: int) -> JsonObject:
    """Render a citation of the characters from `start` to `end`. Without a URL, the cited text stands in its place."""
    url = citation.origin or json_access.text(citation.location, "web", "url") or citation.source
    return {"end_index": end, "start_index": start, "title": citation.title or "", "url": url}


def read_url_citation(annotation: JsonValue) -> Citation:
    """The inverse of `render_url_citation`."""
    url = json_access.text(annotation, "url")
    return Citation("", json_access.text(annotation, "title") or None, {"web": {"url": url}}, url)
