"""Metrics, read by Prometheus' own parser."""

import json
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bedtape_cassettes.model import Cassette
from bedtape_replayer.answering.answer import Outcome
from bedtape_replayer.answering.head import Head
from bedtape_replayer.answering.library import Library
from bedtape_replayer.cli.shared_server import open_mirror
from bedtape_replayer.engine.engine import Engine
from bedtape_replayer.history.record import Record
from bedtape_replayer.server.monitoring.metrics import (
    BOUNDS,
    Measure,
    Metrics,
    list_process_measures,
    list_refusals,
    merge_namespaces,
    render,
)
from bedtape_replayer.server.shared.state import SharedState
from bedtape_replayer.server.thread import Replayer
from support.client import Http1
from support.recordings import MODEL, converse, path, prompt
from support.scene import Scene

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(metrics: Metrics) -> Samples:
    return parse(render(metrics.list_families()))


def parse(text: str) -> Samples:
    """All samples, each once. The parser refuses a text that is not in the format."""
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation and family.type != "unknown" for family in families)
    samples = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for family in families
        for sample in family.samples
    ]
    assert len(dict(samples)) == len(samples)
    return dict(samples)


def count(outcomes: Iterable[Outcome], engine: Engine | None = None) -> Samples:
    metrics = Metrics(engine or Engine(Library([])))
    for each in outcomes:
        metrics.count(each)
    return read(metrics)


def label(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def send(scene: Scene, text: str, **more: object) -> Record:
    return scene.send(json.loads(prompt(text)), **more)  # type: ignore[arg-type]


def test_calls_are_counted_by_operation_status_and_source() -> None:
    scene = Scene(converse("a", "one"))
    outcomes = [send(scene, text).outcome for text in ("a", "a", "b")]
    scene.fail("ThrottlingException")
    outcomes.append(send(scene, "a", complete=False).outcome)
    samples = count(outcomes, scene.engine)
    calls = {
        labels: value for (name, labels), value in samples.items() if name == "bedtape_calls_total"
    }
    assert calls == {
        label(operation="Converse", status="200", source="cassette"): 2,
        label(operation="Converse", status="400", source="miss"): 1,
        label(operation="Converse", status="429", source="fault"): 1,
    }
    assert samples["bedtape_faults_total", ()] == 1
    assert samples["bedtape_incomplete_calls_total", ()] == 1
    assert samples["bedtape_sessions", ()] == 1
    assert samples["bedtape_interactions", ()] == 1
    assert samples["bedtape_memory_bytes", ()] == scene.engine.memory.used > 0


@given(st.lists(st.floats(0, 1000) | st.sampled_from(BOUNDS), max_size=30))
def test_a_bucket_counts_the_calls_up_to_its_bound(seconds: list[float]) -> None:
    scene = Scene()
    outcomes = [send(scene, "a", seconds=each).outcome for each in seconds]
    samples = count(outcomes)
    if not seconds:
        assert not [name for name, _ in samples if name.startswith("bedtape_call_duration")]
        return
    for bound in (*BOUNDS, float("inf")):
        shown = "+Inf" if bound == float("inf") else repr(bound)
        key = ("bedtape_call_duration_seconds_bucket", label(operation="Converse", le=shown))
        assert samples[key] == sum(each <= bound for each in seconds)
    labels = label(operation="Converse")
    assert samples["bedtape_call_duration_seconds_count", labels] == len(seconds)
    total = samples["bedtape_call_duration_seconds_sum", labels]
    assert abs(total - sum(seconds)) <= 1e-9 * max(1.0, total)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["converse", "invoke", "converse-stream"]),
            st.text(max_size=20),
            st.integers(200, 599),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_clients_choose_no_labels(requests: list[tuple[str, str, int]]) -> None:
    """Whatever models, sessions and paths clients name, labels are words of AWS and bedtape."""
    engine = Engine(Library([]))
    outcomes = []
    for operation, name, _ in requests:
        head = Head.of(((b"x-bedtape-session", name.encode(errors="replace").replace(b"\n", b"")),))
        for url in (path(operation, model=name.encode(errors="replace").decode()), f"/{name}"):
            answer = engine.answer("POST", url, head, b"{}")
            outcomes.append(Outcome(answer, 0.0, 0.001, True, 1))
    operations = {dict(labels).get("operation") for _, labels in count(outcomes)}
    known = {"Converse", "InvokeModel", "ConverseStream", "other", None}
    assert operations <= known


def test_the_number_of_series_has_a_limit() -> None:
    """Rules choose statuses."""
    engine = Engine(Library([]))
    answer = engine.answer("POST", path(), Head.of(()), prompt("a"))
    metrics = Metrics(engine)
    for status in range(5000):
        metrics._add("Converse", status, "rule")
    metrics.count(Outcome(answer, 0.0, 0.001, True, 1))
    samples = read(metrics)
    assert sum(name == "bedtape_calls_total" for name, _ in samples) == 1002
    other = label(operation="other", status="none", source="miss")
    assert samples["bedtape_calls_total", other] == 1


def test_namespaces_are_labels_and_each_series_is_there_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BEDTAPE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    addresses = ("s3://bucket/a", "s3://bucket/b")
    namespaces = {}
    for name in ("search", "checkout"):
        scene = Scene(converse("a", "one"))
        measures = [open_mirror(each).list_measures() for each in addresses]
        namespaces[name] = Metrics(scene.engine, chain.from_iterable(measures))
        for _ in name:
            namespaces[name].count(send(scene, "a").outcome)
    samples = parse(render(merge_namespaces(namespaces)))
    assert all("namespace" in dict(labels) for _, labels in samples)
    for name in namespaces:
        calls = label(namespace=name, operation="Converse", status="200", source="cassette")
        assert samples["bedtape_calls_total", calls] == len(name)
        for each in addresses:
            labels = label(namespace=name, bucket=each)
            assert samples["bedtape_bucket_success_timestamp_seconds", labels] == 0


def test_cassettes_that_are_loaded_again_have_another_time() -> None:
    engine = Engine(Library([]))
    metrics = Metrics(engine, [Measure("more", "gauge", "More.", lambda: 2)])
    key = ("bedtape_cassettes_loaded_timestamp_seconds", ())
    first = read(metrics)
    assert first["more", ()] == 2
    engine.library = Library([Cassette("x", (converse("a", "one"),))])
    second = read(metrics)
    assert second[key] >= first[key]
    assert second["bedtape_cassettes", ()] == 1
    assert read(metrics)[key] == second[key]


def test_a_scrape_over_http_names_the_format() -> None:
    with Replayer([]) as server:
        running = server._server_running()
        metrics = Metrics(running.engine)
        running.engine.render_metrics = lambda: render(metrics.list_families())
        running.observer = metrics.count
        with Http1(server.url) as client:
            assert client.request("POST", path(model=MODEL), (), prompt("a")).status == 400
            answer = client.request("GET", "/_bedtape/metrics")
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert (
        b'bedtape_calls_total{operation="Converse",status="400",source="miss"} 1.0' in answer.body
    )


def test_the_page_lists_all_metrics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEDTAPE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    engine = Engine(Library([]))
    state = SharedState(engine, "valkey://127.0.0.1", "1")
    mirror = open_mirror("s3://bucket/prefix")
    more = (list_process_measures(), list_refusals({"token": 0, "sender": 0}))
    all_measures = (state.list_measures(), mirror.list_measures(), *more)
    metrics = Metrics(engine, chain.from_iterable(all_measures))
    text = render(metrics.list_families())
    names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    page = Path(__file__).parents[4] / "docs" / "how-to" / "team-server.md"
    table = page.read_text().partition("| metric |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`((?:bedtape|process)_\w+)`", table)) == names
