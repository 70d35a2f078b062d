"""An error response: an error of Bedrock by its name, or any status.

Status, headers and body are the same as Bedrock's. Streaming operations get the same
response before the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bedtape_cassettes.addresses import RUNTIME
from bedtape_cassettes.failures import FAILURES, get_namespace, render_error, render_retry_after
from bedtape_cassettes.format.bodies import compact, read_body
from bedtape_cassettes.model import BODYLESS, JsonValue, Response, is_header
from bedtape_cassettes.operations import Dialect


@dataclass(frozen=True, slots=True)
class Failure:
    """error: the error's name, `None` for a response without a name. message, status: `None`
    for the error's defaults.

    members: further members of the body, such as originalStatusCode. retry_after_ms: the value of
    x-amz-retry-after. headers: add or replace headers. body: sent instead of the JSON, with the
    content type from `headers` if given.

    Raises ValueError for an impossible response.
    """

    error: str | None = None
    message: str | None = None
    status: int | None = None
    members: Mapping[str, JsonValue] = field(default_factory=dict)
    retry_after_ms: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __post_init__(self) -> None:
        if problem := self._find_problem():
            raise ValueError(problem)

    def _find_problem(self) -> str | None:
        if self.status is None and self.error not in FAILURES:
            known = ", ".join(sorted(FAILURES))
            near = get_close_matches(self.error or "", FAILURES, 1)
            actual = f"{self.error!r} without a status" + (
                f"; did you mean {near[0]}?" if near else ""
            )
            return f"expected an error among {known}, or a status for another; found {actual}"
        if self.status is not None and (not 200 <= self.status <= 599 or self.status in BODYLESS):
            return f"expected a status from 200 to 599 that may have a body, found {self.status}"
        if self.retry_after_ms is not None and self.retry_after_ms < 0:
            return f"expected milliseconds from 0 to retry after, found {self.retry_after_ms}"
        if self.body is not None and (self.message is not None or self.members):
            return "expected either a body as it is sent, or a message and members; found both"
        sent = (("x-amzn-errortype", "x" if self.error is None else self.error), *self.headers)
        wrong = [name for name, value in sent if not value or not is_header(name, value)]
        return f"expected what an HTTP header can hold, found {wrong[0]!r}" if wrong else None

    def build_response(self, dialect: Dialect = "aws", service: str = RUNTIME) -> Response:
        """Builds the response that Bedrock would send in the dialect.

        service: bedrock-runtime wraps the errors of OpenAI's API in another error.
        """
        known = FAILURES.get(self.error or "")
        status = self.status or (known.status if known else 500)
        headers = {"content-type": "application/json"}
        if dialect == "aws" and self.error is not None:
            headers["x-amzn-errortype"] = self.error + get_namespace(self.error)
        if self.retry_after_ms is not None:
            headers |= render_retry_after(dialect, self.retry_after_ms)
        headers |= {name.lower(): value for name, value in self.headers}
        if self.body is not None:
            return Response(status, tuple(headers.items()), read_body(self.body))
        message = self.message if self.message is not None else known.message if known else ""
        body = render_error(
            dialect, self.error, status, message, doubled=service == RUNTIME, members=self.members
        )
        return Response(status, tuple(headers.items()), read_body(compact(body)))
