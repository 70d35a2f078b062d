"""Puts the turns of one conversation together.

An agent sends its whole conversation again with each turn, so a request continues the conversation
whose turns it begins with. Conversations that run at the same time are recorded in turns, and a
reader wants to read one after the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from bedtape_cassettes.families.models.nova_sonic import digest_inputs
from bedtape_cassettes.families.reading import prompt_of
from bedtape_cassettes.matching.key import DEFAULT, MatchRules, compute_request_key
from bedtape_cassettes.model import Interaction, Request


def compute_turn_keys(
    requests: Iterable[Request], rules: MatchRules = DEFAULT
) -> list[tuple[bytes, int]]:
    """Returns for each request a key, and the number of earlier requests with this key.

    The key is the match key, and for a request with events a digest of the events too, because
    such a request has no body.
    """
    keys = []
    seen: Counter[bytes] = Counter()
    for request in requests:
        key = compute_request_key(request, rules) + digest_inputs(request.events)
        keys.append((key, seen[key]))
        seen[key] += 1
    return keys


def group_turns(interactions: Sequence[Interaction]) -> tuple[Interaction, ...]:
    """Returns the interactions in the order of the first turns of their conversations.

    The turns of a conversation keep their order, and so do equal requests: otherwise the
    order is returned as it is.
    """
    conversations: list[list[Interaction]] = []
    # the conversations by the digest of their turns
    open_at: defaultdict[bytes, list[int]] = defaultdict(list)
    for interaction in interactions:
        digests = _digest_turns(interaction)
        known = next((digest for digest in reversed(digests[:-1]) if open_at[digest]), None)
        if known is None:
            number = len(conversations)
            conversations.append([interaction])
        else:
            number = open_at[known].pop(0)
            conversations[number].append(interaction)
        if digests:
            open_at[digests[-1]].append(number)
    grouped = tuple(interaction for conversation in conversations for interaction in conversation)
    return grouped if _rank(grouped) == _rank(interactions) else tuple(interactions)


def _digest_turns(interaction: Interaction) -> list[bytes]:
    """Returns a digest of the system prompt and the first turns, for each number of turns."""
    prompt = prompt_of(interaction.operation, interaction.model, interaction.request.body.data)
    digest = blake2b(
        repr((interaction.model, prompt.system)).encode(errors="surrogatepass"), digest_size=16
    )
    digests = []
    for turn in prompt.turns:
        digest.update(repr(turn).encode(errors="surrogatepass"))
        digests.append(digest.digest())
    return digests


def _rank(interactions: Sequence[Interaction]) -> dict[int, int]:
    """Returns the place of each interaction among those with the same request."""
    turns = compute_turn_keys(interaction.request for interaction in interactions)
    return {
        id(interaction): turn for interaction, (_, turn) in zip(interactions, turns, strict=True)
    }
