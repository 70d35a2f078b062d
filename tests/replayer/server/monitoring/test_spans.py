"""Spans of calls, as a collector gets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette
from bedtape_replayer.server.monitoring import spans
from bedtape_replayer.server.monitoring.spans import CallSpans, list_attributes
from support import folders
from support.boto import boto3_client
from support.client import Http1, until
from support.collector import Collector, read_attributes
from support.recordings import MODEL, converse, path, prompt, stream
from support.running import Running
from support.scene import Scene

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEY = "AKIA" + "Q3EXZJ5TWN4RUVKP"
# The conventions' own names, and bedtape's.
NAMES = {
    value
    for module in (gen_ai_attributes, error_attributes, http_attributes)
    for value in vars(module).values()
    if isinstance(value, str)
} | {f"bedtape.{name}" for name in ("namespace", "session", "call", "source", "by")}
NAMES.add("aws.request_id")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=tests")
        yield collector


def test_a_collector_gets_the_calls_of_boto3(collector: Collector, tmp_path: Path) -> None:
    tapes = (converse("a", "one"), stream("s", ["one", "two"]))
    folders.write(tmp_path / "tapes", Cassette("suite", tapes))
    running = Running("tapes", "--traces", cwd=tmp_path)
    try:
        client = boto3_client(running.url, retries={"total_max_attempts": 1})

        def trace(request: object, **_: object) -> None:
            request.headers["traceparent"] = f"00-{TRACE}-{PARENT}-01"  # type: ignore[attr-defined]

        client.meta.events.register("before-send.bedrock-runtime.*", trace)
        messages = [{"role": "user", "content": [{"text": "a"}]}]
        client.converse(modelId=MODEL, messages=messages)  # type: ignore[arg-type]
        messages[0]["content"] = [{"text": "s"}]
        list(client.converse_stream(modelId=MODEL, messages=messages)["stream"])  # type: ignore[arg-type]
        messages[0]["content"] = [{"text": "no recording"}]
        with pytest.raises(ClientError):
            client.converse(modelId=MODEL, messages=messages)  # type: ignore[arg-type]
        with Http1(running.url) as http:
            assert http.request("GET", "/_bedtape/health").status == 200
        assert running.stop() == 0  # sends the spans that wait
    finally:
        running.clean_up()
    assert collector.paths == {"/v1/traces"}
    resource = read_attributes(collector.exports[0].resource.attributes)
    assert (resource["service.name"], resource["deployment.environment"]) == ("bedtape", "tests")
    first, streamed, miss = collector.spans
    for span in collector.spans:
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
        assert (span.name, span.kind) == (f"chat {MODEL}", span.SPAN_KIND_SERVER)
        assert span.end_time_unix_nano - span.start_time_unix_nano > 0
    attributes = read_attributes(first.attributes)
    assert attributes.pop("aws.request_id")
    assert attributes.pop("bedtape.by")
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.finish_reasons": ["end_turn"],
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 1,
        "http.response.status_code": 200,
        "bedtape.session": "default",
        "bedtape.call": 1,
        "bedtape.source": "cassette",
    }
    assert read_attributes(streamed.attributes)["gen_ai.response.finish_reasons"] == ["end_turn"]
    failed = read_attributes(miss.attributes)
    assert failed["error.type"] == "CassetteMissException"
    assert (miss.status.code, first.status.code) == (miss.status.STATUS_CODE_ERROR, 0)


def test_a_collector_that_is_away_is_reported_and_costs_no_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Collector() as gone:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")  # longer than a test
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_PYTHON_CONTEXT", "none")  # is read when the packages are imported
    folders.write(tmp_path / "tapes", Cassette("suite", (converse("a", "one"),)))
    running = Running("tapes", "--traces", "--log-format", "json", cwd=tmp_path)
    try:
        with Http1(running.url) as client:
            assert client.request("POST", path(), (), prompt("a")).status == 200
        lines: list[str] = []
        until(lambda: "OpenTelemetry" in (lines.append(running.line()) or lines[-1]))
        assert running.stop() == 0
        lines += running.errors()
        assert all(isinstance(json.loads(line), dict) for line in lines)
        assert any("the last spans are lost" in line for line in lines)
        assert any("Failed to load context: none" in line for line in lines)
    finally:
        running.clean_up()


SECRET = "collector-token-1"
PROBLEMS = {
    "OTEL_BSP_MAX_QUEUE_SIZE": ("many", "many"),
    "OTEL_BSP_SCHEDULE_DELAY": ("soon", "soon"),
    "OTEL_TRACES_SAMPLER": ("sometimes", "sometimes"),
    "OTEL_TRACES_SAMPLER_ARG": ("often", "SAMPLER_ARG"),
    "OTEL_EXPORTER_OTLP_HEADERS": (f"authorization: Bearer {SECRET}", "eader"),
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": (f"{SECRET},{SECRET}", "eader"),
    "OTEL_RESOURCE_ATTRIBUTES": ("nothing", "nothing"),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("long", "long"),
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("zip", "zip"),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("few", "few"),
    "OTEL_PYTHON_METER_PROVIDER": ("none", "StopIteration;"),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("0", "max_export_batch_size"),
}


@pytest.mark.parametrize("variable", PROBLEMS)
def test_a_wrong_variable_is_in_the_log_or_in_the_error(
    variable: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    value, reason = PROBLEMS[variable]
    if variable.endswith("ARG"):
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv(variable, value)
    lines: list[str] = []
    try:
        CallSpans(lines.append).stop()
    except CassetteError as error:
        lines.append(str(error))
    starts = ("OpenTelemetry: ", "--traces: expected variables that OpenTelemetry can use")
    assert any(reason in line for line in lines), lines
    assert all(line.startswith(starts) for line in lines)
    assert not [line for line in lines if SECRET in line or "\n" in line]
    assert capfd.readouterr() == ("", "")


CALLS = st.tuples(
    st.sampled_from(
        ["/model/{}/invoke", "/model/{}/converse", "/openai/v1/chat/completions", "/{}"]
    ),
    st.text(max_size=12).map(lambda name: name.encode(errors="surrogatepass").hex("%")),
    st.binary(max_size=40)
    | st.dictionaries(
        st.sampled_from(
            ["model", "messages", "max_tokens", "temperature", "stop", "inferenceConfig"]
        ),
        st.none()
        | st.text(max_size=9)
        | st.integers()
        | st.floats()
        | st.lists(st.text(max_size=3)),
    ).map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=60).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
)


@given(CALLS)
def test_whatever_a_client_sends_its_span_can_be_exported(
    call: tuple[str, str, bytes, bytes],
) -> None:
    url, name, body, header = call
    record = Scene().send(
        body,
        url=url.format(f"%{name}" if name else "m"),
        headers=(("traceparent", header.decode("latin-1").encode().decode()),),
    )
    attributes = dict(list_attributes(record))
    assert attributes.keys() <= NAMES
    exported = EXPORTER.export_of(record.outcome)
    assert read_attributes(exported) == attributes


@pytest.mark.parametrize("place", ["model", "session"])
def test_no_span_contains_a_secret(place: str) -> None:
    record = Scene().send(b"{}", url=path(model=KEY) if place == "model" else f"/s/{KEY}{path()}")
    assert KEY not in str(dict(list_attributes(record)))


def test_the_names_are_those_of_the_conventions() -> None:
    values = {
        each.value
        for each in gen_ai_attributes.GenAiOperationNameValues  # the words of the convention
    }
    assert set(spans._OPERATIONS.values()) <= values
    assert gen_ai_attributes.GenAiProviderNameValues.AWS_BEDROCK.value == "aws.bedrock"


class _Exporter:
    """Encodes a span as the exporter does, without a server."""

    def export_of(self, outcome: object) -> object:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

        encoded: list[object] = []

        class Memory(SpanExporter):
            def export(self, spans: object) -> SpanExportResult:
                message = encode_spans(spans)  # type: ignore[arg-type]
                message.SerializeToString()
                encoded.extend(message.resource_spans[0].scope_spans[0].spans)
                return SpanExportResult.SUCCESS

        calls = CallSpans(pytest.fail)
        calls._provider._active_span_processor.shutdown()
        calls._provider._active_span_processor._span_processors = (SimpleSpanProcessor(Memory()),)
        calls.add(outcome)  # type: ignore[arg-type]
        calls.stop()
        return encoded[0].attributes  # type: ignore[attr-defined]


EXPORTER = _Exporter()
