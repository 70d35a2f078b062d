"""Every operation of Bedrock's services in botocore, by service, method and path.

`operations.identify` knows the operations whose recordings have a name. This module knows all of
them, also where two services use one path, if the client names the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from bedtape_cassettes.operations import OPERATIONS, Operation
from bedtape_replayer.answering.service_table import TABLE

# If a client names no service, the first service with the path counts.
SERVICES = (
    "bedrock-runtime",
    "bedrock-agent-runtime",
    "bedrock",
    "bedrock-agent",
    "bedrock-agentcore",
    "bedrock-agentcore-control",
    "bedrock-data-automation",
    "bedrock-data-automation-runtime",
)
_SLASHES = re.compile("//+")


class _Row(NamedTuple):
    operation: Operation
    segments: tuple[str, ...]
    target: str


def _read_table() -> Iterator[_Row]:
    for block in TABLE.split("# ")[1:]:
        head, _, rows = block.partition("\n")
        service, _, prefix = head.partition(" ")
        words = iter(rows.split())
        for method, path, name in zip(words, words, words, strict=True):
            streaming, duplex = name.endswith("*"), name.endswith("**")
            operation = Operation(service, name.rstrip("*"), method, path, streaming, duplex=duplex)
            target = f"{prefix}.{operation.name}" if prefix else ""
            yield _Row(operation, tuple(path.strip("/").split("/")), target)


_ROWS = tuple(_read_table())
SERVICE_OPERATIONS = tuple(row.operation for row in _ROWS)
# Every name that a condition `operation` may contain.
OPERATION_NAMES = tuple(
    sorted({operation.name for operation in (*OPERATIONS, *SERVICE_OPERATIONS)})
)
_BY_LENGTH: dict[tuple[str, int], list[_Row]] = {}
# A path without labels comes first: `/flows/validate-definition` before `/flows/{flowIdentifier}`.
for _row in sorted(_ROWS, key=lambda row: row.operation.path.count("{")):
    _BY_LENGTH.setdefault((_row.operation.method, len(_row.segments)), []).append(_row)

# The last segments of the paths of duplex operations. They contain no label.
_DUPLEX_ENDS = {row.operation.path.rpartition("/")[2] for row in _ROWS if row.operation.duplex}
_DUPLEX = re.compile(rf"/(?:{'|'.join(map(re.escape, sorted(_DUPLEX_ENDS)))})/*(?:\?|\Z)".encode())


def is_duplex(target: bytes) -> bool:
    """Return whether a request at this path is a stream that is answered while it arrives.

    target: percent-encoded, with prefixes and a query.
    """
    return _DUPLEX.search(target) is not None


@lru_cache(maxsize=4096)
def find_service_operation(
    service: str | None, method: str, target: str, header: str = ""
) -> Operation | None:
    """Return the operation of a service at a path, which may have a query; None if there is none.

    service: None if the client names no service. target: percent-encoded, without prefixes. header:
    the value of X-Amz-Target, which names the operations of services that have one path.
    """
    path = _SLASHES.sub("/", target.partition("?")[0]).strip("/")
    segments = tuple(path.split("/"))
    for row in _BY_LENGTH.get((method, len(segments)), ()):
        if (
            service in (None, row.operation.service)
            and row.target == header
            and _matches(row.segments, segments)
        ):
            return row.operation
    return None


def _matches(template: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    pairs = zip(template, segments, strict=True)
    return all(
        part == segment or (part.startswith("{") and segment != "") for part, segment in pairs
    )
