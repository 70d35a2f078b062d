"""Spans of calls for OpenTelemetry, by its conventions for generative AI. Needs the extra `otel`.

A span is a child of the span that the client names in `traceparent`. It contains counts, names and
the reason of the end, but no text of a prompt or an answer. The variables of OpenTelemetry, such as
OTEL_EXPORTER_OTLP_ENDPOINT, configure the exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from threading import Thread
from typing import Any, Final

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:  # the extra `otel` is not installed
    TracerProvider = None  # type: ignore[assignment, misc]

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.families.content import Message
from bedtape_cassettes.redaction.scrub import scrub_text
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.api.route import VERSION
from bedtape_replayer.history.json_safe import make_json_safe
from bedtape_replayer.history.record import Record
from bedtape_replayer.server.monitoring.exporter_log import ExporterLog, show_error

# The convention's names of operations. Another operation has the name that AWS gives it.
_OPERATIONS: Final = {
    **dict.fromkeys(("Converse", "ConverseStream", "ChatCompletions"), "chat"),
    **dict.fromkeys(("Responses", "Messages"), "chat"),
    **dict.fromkeys(("InvokeAgent", "InvokeInlineAgent", "InvokeAgentRuntime"), "invoke_agent"),
    "Retrieve": "retrieval",
    "Embeddings": "embeddings",
}
# Operations whose models may answer with a text or with vectors.
_INVOKE: Final = ("InvokeModel", "InvokeModelWithResponseStream")
_NANOSECONDS: Final = 1_000_000_000
# The seconds at the end of the server in which the spans that wait are sent.
_END_SECONDS: Final = 2.0
_Value = str | int | float | bool | list[str]


# Models and sessions repeat.
_scrub: Final = lru_cache(maxsize=1024)(scrub_text)


class CallSpans:
    """Sends a span for each call.

    Raises CassetteError if the extra is not installed, or if a variable of OpenTelemetry has a
    value with which nothing can be sent. report: gets a line for each problem of a variable and of
    the exporter, in any thread.
    """

    def __init__(self, report: Callable[[str], object]) -> None:
        if TracerProvider is None:
            raise CassetteError(
                "--traces needs the packages of OpenTelemetry; install them with: pip install"
                " 'bedtape[otel]'"
            )
        self._log = ExporterLog(report)
        self._log.open()  # before OpenTelemetry reads its variables
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - each variable has its own errors
            self._log.close()
            raise CassetteError(
                "--traces: expected variables that OpenTelemetry can use, found"
                f" {show_error(error)}; correct the variables whose names begin with OTEL_"
            ) from None

    def _open(self) -> None:
        own = Resource({"service.name": "bedtape", "service.version": VERSION})
        resource = own.merge(OTELResourceDetector().detect())
        # at the exit of the process, it would wait for a collector that does not answer
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("bedtape", VERSION)
        self._parents = TraceContextTextMapPropagator()

    def add(self, outcome: Outcome) -> None:
        """Queue the span of a call that has ended. Requests to the control API have no span."""
        if outcome.answer.source == "control":
            return
        record = Record(outcome)
        head = record.call.head
        carrier = {name: head.get(name) or "" for name in ("traceparent", "tracestate")}
        began = int(record.began * _NANOSECONDS)
        span = self._tracer.start_span(
            record.operation or record.method,
            self._parents.extract(carrier),
            SpanKind.SERVER,  # the client's own span has the kind CLIENT
            start_time=began,
        )
        if span.is_recording():  # unless a sampler leaves it out
            _describe(span, dict(list_attributes(record)))
        span.end(began + int(record.seconds * _NANOSECONDS))

    def stop(self) -> None:
        """Send the spans that wait, for at most `_END_SECONDS`, and end the exporter."""
        ending = Thread(target=self._provider.shutdown, name="bedtape-spans", daemon=True)
        ending.start()
        ending.join(_END_SECONDS)
        if ending.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it tries no more
            self._log.report(
                f"the collector did not answer for {_END_SECONDS:g} seconds; the last spans are"
                " lost"
            )
        self._log.close()


def _describe(span: Span, attributes: Mapping[str, _Value]) -> None:
    names = (attributes["gen_ai.operation.name"], attributes.get("gen_ai.request.model"))
    span.update_name(" ".join(str(name) for name in names if name))
    span.set_attributes(attributes)
    if (error := attributes.get("error.type")) is not None:
        span.set_status(Status(StatusCode.ERROR, str(error)))


def list_attributes(record: Record) -> Iterator[tuple[str, _Value]]:
    """Yield the attributes of a call's span, as far as the call has them."""
    usage = record.usage
    values: dict[str, Any] = {
        "gen_ai.operation.name": _name_operation(record),
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": record.model and _scrub(record.model),
        "gen_ai.request.max_tokens": record.max_tokens,
        "gen_ai.request.temperature": record.temperature,
        "gen_ai.request.top_p": record.top_p,
        "gen_ai.request.stop_sequences": list(record.stop_sequences) or None,
        "gen_ai.response.finish_reasons": [record.stop_reason] if record.stop_reason else None,
        "error.type": _find_error(record),
        "http.response.status_code": record.status,
        "aws.request_id": record.request_id,
        "bedtape.namespace": record.call.namespace or None,
        "bedtape.session": _scrub(record.session),
        "bedtape.call": record.number,
        "bedtape.source": record.source,
        "bedtape.by": record.by,
    }
    if usage is not None:
        values |= {
            "gen_ai.usage.input_tokens": usage.total_input,
            "gen_ai.usage.output_tokens": usage.output,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read or None,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write or None,
        }
    for name, value in values.items():
        match make_json_safe(value):
            case str() | float() | [*_] as safe:
                yield name, safe  # type: ignore[misc]
            case int() as number if number.bit_length() < 64:
                yield name, number


def _name_operation(record: Record) -> str:
    operation = record.operation
    if operation in _INVOKE:
        content = record.content
        return "chat" if content is None or isinstance(content, Message) else "embeddings"
    return _OPERATIONS.get(operation or "", operation or record.method)


def _find_error(record: Record) -> str | None:
    if record.hung_up:
        return "client_disconnected"
    if record.status is None or record.cut:
        return record.error or "connection_closed"
    return record.error or (str(record.status) if record.status >= 400 else None)
