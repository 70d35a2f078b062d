"""Finds the family of a model by its id, inference profile id or ARN."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache, reduce
from operator import or_

from bedtape_cassettes.families.family import Family, RenderError
from bedtape_cassettes.families.members import Members
from bedtape_cassettes.families.models.ai21_j2 import AI21_J2
from bedtape_cassettes.families.models.amazon_image import AMAZON_IMAGE
from bedtape_cassettes.families.models.anthropic import ANTHROPIC
from bedtape_cassettes.families.models.anthropic_text import ANTHROPIC_TEXT
from bedtape_cassettes.families.models.chat_completions import CHAT_COMPLETIONS
from bedtape_cassettes.families.models.cohere_chat import COHERE_CHAT
from bedtape_cassettes.families.models.cohere_command import COHERE_COMMAND
from bedtape_cassettes.families.models.cohere_embed import COHERE_EMBED
from bedtape_cassettes.families.models.cohere_rerank import AMAZON_RERANK, COHERE_RERANK
from bedtape_cassettes.families.models.completions import COMPLETIONS
from bedtape_cassettes.families.models.converse import CONVERSE
from bedtape_cassettes.families.models.deepseek import DEEPSEEK
from bedtape_cassettes.families.models.jamba import JAMBA
from bedtape_cassettes.families.models.llama import LLAMA
from bedtape_cassettes.families.models.mistral_chat import MISTRAL_CHAT
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from bedtape_cassettes.families.models.nova import NOVA
from bedtape_cassettes.families.models.nova_embed import NOVA_EMBED
from bedtape_cassettes.families.models.openai import OPENAI
from bedtape_cassettes.families.models.openai_embeddings import OPENAI_EMBEDDINGS
from bedtape_cassettes.families.models.responses import RESPONSES
from bedtape_cassettes.families.models.stability import STABILITY
from bedtape_cassettes.families.models.titan_embed import TITAN_EMBED
from bedtape_cassettes.families.models.titan_text import TITAN_TEXT
from bedtape_cassettes.families.models.twelvelabs_marengo import TWELVELABS_MARENGO
from bedtape_cassettes.families.models.twelvelabs_pegasus import TWELVELABS_PEGASUS
from bedtape_cassettes.families.models.writer import WRITER
from bedtape_cassettes.matching.key import PROFILE

# The first family with a matching glob is used, so specific globs come before general globs.
FAMILIES: tuple[Family, ...] = (
    CONVERSE,
    ANTHROPIC_TEXT,
    ANTHROPIC,
    AMAZON_IMAGE,
    COHERE_EMBED,
    AMAZON_RERANK,
    COHERE_RERANK,
    NOVA_EMBED,
    NOVA,
    STABILITY,
    TITAN_EMBED,
    TWELVELABS_MARENGO,
    TWELVELABS_PEGASUS,
    OPENAI,
    MISTRAL_TEXT,
    MISTRAL_CHAT,
    JAMBA,
    AI21_J2,
    WRITER,
    DEEPSEEK,
    LLAMA,
    COHERE_COMMAND,
    COHERE_CHAT,
    TITAN_TEXT,
    COMPLETIONS,
)

_ARN = re.compile(r"^arn:[^:]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)/")
INVOKE = ("InvokeModel", "InvokeModelWithResponseStream")
# Operations that have one form for every model.
APIS = {
    "Converse": CONVERSE,
    "ConverseStream": CONVERSE,
    "ChatCompletions": CHAT_COMPLETIONS,
    "Responses": RESPONSES,
    "Messages": ANTHROPIC,
    "CountMessageTokens": ANTHROPIC,
    "Embeddings": OPENAI_EMBEDDINGS,
}
# Operations whose answer is a token count.
_COUNT_MEMBERS = {
    "CountTokens": Members(input=("inputTokens",)),
    "CountMessageTokens": Members(input=("input_tokens",)),
}


@lru_cache(maxsize=1024)
def strip_profile(model: str) -> str:
    """Remove an ARN prefix and an inference profile: arn:…:inference-profile/us."""
    return PROFILE.sub("", _ARN.sub("", model))


@lru_cache(maxsize=1024)
def family_of(operation: str, model: str, name: str | None = None) -> Family:
    """Return the family that answers an operation for a model.

    `name` overrides the family of the model id.

    Raises RenderError if no family has the name, or if the model id matches no family.
    """
    if operation in APIS:
        return APIS[operation]
    # Converse is not a form of InvokeModel.
    named = {family.name: family for family in FAMILIES if family is not CONVERSE}
    if name is not None:
        if name not in named:
            raise RenderError(f"expected a family among {', '.join(sorted(named))}, found {name!r}")
        return named[name]
    for family in FAMILIES:
        if any(fnmatchcase(strip_profile(model), glob) for glob in family.models):
            return family
    raise RenderError(
        f"the model id {model!r} matches no known family; set `family` (one of"
        f" {', '.join(sorted(named))}), or give the body as it goes over the wire (`raw`)"
    )


def members_of(operation: str | None, model: str | None, name: str | None = None) -> Members:
    """Return the paths of text, stop reason, token counts and tool calls in the answers of a model.

    An unknown model gets the paths of all families, because most new models answer in a known form.
    Operations that no family answers get no paths. name: the family's name, if the model id does
    not determine the family.
    """
    if operation in _COUNT_MEMBERS:
        return _COUNT_MEMBERS[operation]
    if operation not in INVOKE and operation not in APIS:
        return Members()
    try:
        return family_of(operation, model or "", name).members
    except RenderError:
        return reduce(or_, (family.members for family in FAMILIES))
