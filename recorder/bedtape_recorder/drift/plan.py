"""Chooses the recorded requests to send again: by selectors and by a sample.

Leaves out what can change something.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Events, Interaction
from bedtape_cassettes.operations import OPERATIONS, find_operation, identify
from bedtape_cassettes.redaction.kinds import ACCOUNT
from bedtape_cassettes.storage import store
from bedtape_cassettes.suites.selector import pick

# These statuses depend on the service's load, so they are not drift.
BUSY = (429, 500, 502, 503, 504)

_ACCOUNT = re.compile(rf"(?<![0-9]){ACCOUNT}(?![0-9])")
_BIDIRECTIONAL = "InvokeModelWithBidirectionalStream"
# The operations with a body that only ask a model, or only read. Every other operation with a body
# starts a job, or runs what an agent, a flow or a runtime is connected to.
_MODEL_OPERATIONS = frozenset(
    {
        "AgenticRetrieveStream",
        "ApplyGuardrail",
        "ChatCompletions",
        "Converse",
        "ConverseStream",
        "CountMessageTokens",
        "CountTokens",
        "Embeddings",
        "GenerateQuery",
        "InvokeGuardrailChecks",
        "InvokeModel",
        "InvokeModelWithResponseStream",
        _BIDIRECTIONAL,
        "Messages",
        "OptimizePrompt",
        "Rerank",
        "Responses",
        "Retrieve",
        "RetrieveAndGenerate",
        "RetrieveAndGenerateStream",
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send again.

    selectors: the interactions; all without any. sample: the number of interactions, or `None` for
    all. budget: the number of input and output tokens at which sending stops. concurrency: requests
    at the same time. operations: names of operations that can change something, and are sent too.
    """

    selectors: Sequence[str] = ()
    sample: int | None = None
    budget: int | None = None
    concurrency: int = 4
    operations: Collection[str] = ()

    def __post_init__(self) -> None:
        known = {operation.name for operation in OPERATIONS}
        if unknown := sorted({*self.operations} - known):
            raise CassetteError(
                "--operation: expected the name of an operation, such as InvokeAgent, found"
                f" {unknown[0]}"
            )


def choose(folder: Path, name: str | None, plan: Plan) -> list[Interaction]:
    """Returns the interactions of the plan, in the order of their files. Raises CassetteError."""
    suite = [c for c in store.read([folder]) if name in (None, c.name)]
    if not suite:
        raise CassetteError(
            f"expected cassettes to verify, found none in {folder}; fix --to or --name"
        )
    picked = pick(suite, plan.selectors or ["*"])
    interactions = [c.interactions[place] for c in suite for place in picked.get(c.name, ())]
    return interactions if plan.sample is None else _take_sample(interactions, plan)


def _take_sample(interactions: Sequence[Interaction], plan: Plan) -> list[Interaction]:
    """Takes turns between kinds of requests, so that a sample has all operations and models."""
    kinds: dict[object, list[int]] = {}
    for place, one in enumerate(interactions):
        if find_skip_reason(one, plan.operations) is None:
            kind = (
                one.operation,
                one.model,
                one.response.status,
                isinstance(one.response.body, Events),
            )
            kinds.setdefault(kind, []).append(place)
    turns = [
        place for place in chain.from_iterable(zip_longest(*kinds.values())) if place is not None
    ]
    return [interactions[place] for place in sorted(turns[: plan.sample])]


def find_skip_reason(interaction: Interaction, operations: Collection[str] = ()) -> str | None:
    """Returns why a request is not sent.

    A cassette can come with a branch, so it does not decide what is called.

    operations: names of operations that the user allows.
    """
    request = interaction.request
    operation = identify(request.method, request.path).operation
    if operation is None or find_operation(operation.service, request.method, request.path) is None:
        return "bedtape does not know its operation"
    reads = request.method == "GET" or operation.name in _MODEL_OPERATIONS
    if not (reads or operation.name in operations):
        return f"{operation.name} can change something; to send it: --operation {operation.name}"
    if interaction.partial:
        return "it is partial"
    if interaction.response.status in BUSY:
        return f"its status {interaction.response.status} depends on the load of the service"
    if operation.name == _BIDIRECTIONAL:
        return "bedtape cannot send a bidirectional stream again"
    places = (
        request.path,
        request.body.data.decode(errors="replace"),
        *(value for _, value in request.headers),
    )
    return (
        "its account id was redacted" if any(_ACCOUNT.search(place) for place in places) else None
    )
