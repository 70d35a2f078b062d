"""Signatures and encrypted texts of reasoning: members that differ in each answer
and that no program reads.

Bedrock checks them when a request sends them back, so recordings keep them. The match key and
comparisons leave them out.
"""

from __future__ import annotations

import re

from bedtape_cassettes.model import JsonValue

# Any JSON with such a member has one of these names.
SIGNED = re.compile(rb'"(?:signature|redactedContent|redacted_thinking|encrypted_content)"')
# The members to leave out of a block, by its type, in Anthropic's form.
_BY_TYPE = {"thinking": "signature", "signature_delta": "signature", "redacted_thinking": "data"}
# The members to leave out of any block, in the forms of Converse and of OpenAI's Responses.
_NAMES = ("redactedContent", "encrypted_content")
# The objects of Converse with a signature, in requests and in the deltas of streams.
_HOLDERS = ("reasoningText", "reasoningContent")


def drop_signatures(value: JsonValue) -> None:
    """Removes the signatures and encrypted texts of reasoning from a body or an event, in place.

    A tool's argument with the name of a signature stays, because its object is
    not a block of reasoning.
    """
    pending = [value]
    while pending:
        match pending.pop():
            case list() as items:
                pending += items
            case dict() as block:
                kind = block.get("type")
                if isinstance(kind, str) and kind in _BY_TYPE:
                    block.pop(_BY_TYPE[kind], None)
                for name in _NAMES:
                    block.pop(name, None)
                for name in _HOLDERS:
                    if isinstance(holder := block.get(name), dict):
                        holder.pop("signature", None)
                pending += block.values()
