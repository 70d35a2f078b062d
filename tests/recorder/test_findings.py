"""Findings: grouping, severity, the allow-list, samples, and the forms of the report."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bedtape_cassettes.errors import CassetteError
from bedtape_cassettes.model import Cassette
from bedtape_recorder.drift.comparison import Drift
from bedtape_recorder.drift.findings import (
    KINDS,
    Entry,
    Verdict,
    accept,
    group,
    list_acceptable,
    parse_allow_list,
)
from bedtape_recorder.drift.plan import Plan, choose
from bedtape_recorder.drift.reports import Report, render, summarize
from support import folders
from support.recordings import MODEL, converse, record_interaction, stream

GAINED = Drift("field gained", "usage.cacheDetails[]", "not there", "list")
DENIED = Drift("missing permission", "", "an answer", "403 AccessDeniedException")
SLOW = Drift("latency", "", "under 1 s", "under 30 s")
VERDICTS = [
    Verdict("a/1.yaml", (GAINED,), tokens=3),
    Verdict("a/2.yaml", (GAINED, SLOW), tokens=4),
    Verdict("b/1.yaml", (DENIED,)),
    Verdict("b/2.yaml", (DENIED,)),
    Verdict("b/3.yaml", (), "it is partial"),
]


def test_equal_causes_are_one_finding_and_the_most_severe_is_first() -> None:
    findings = group(VERDICTS)
    assert [(one.severity, one.drift, one.files) for one in findings] == [
        ("lost", DENIED, ("b/1.yaml", "b/2.yaml")),
        ("changed", SLOW, ("a/2.yaml",)),
        ("added", GAINED, ("a/1.yaml", "a/2.yaml")),
    ]


@pytest.mark.parametrize(
    ("recorded_", "now", "severity"),
    [
        ("Text", "Text, Text", "added"),
        ("Reasoning, Text", "Text", "lost"),
        ("Text", "ToolUse", "changed"),
    ],
)
def test_content_blocks_are_added_lost_or_changed(recorded_: str, now: str, severity: str) -> None:
    (finding,) = group([Verdict("a", (Drift("content blocks", "", recorded_, now),))])
    assert finding.severity == severity


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("latency", Entry("latency")),
        ("field gained: usage.*", Entry("field gained", "usage.*")),
        (
            "field gained: contentBlockDelta: delta.x in a/*",
            Entry("field gained", "contentBlockDelta: delta.x", "a/*"),
        ),
        ("* in a/*", Entry("*", "*", "a/*")),
        ("field *", Entry("field *")),
    ],
)
def test_a_line_of_an_allow_list(line: str, entry: Entry) -> None:
    assert parse_allow_list(f"# why\n\n{line}\n", "allowed") == (entry,)


@pytest.mark.parametrize("line", ["nonsense", ": usage", "field gaind: usage"])
def test_a_wrong_line_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(CassetteError, match=r"allowed:2: expected KIND: WHERE"):
        parse_allow_list(f"latency\n{line}\n", "allowed")


@pytest.mark.parametrize("drift", [Drift(kind, "a[].b", "1", "2") for kind in KINDS], ids=KINDS)
def test_the_printed_line_allows_its_finding(drift: Drift) -> None:
    (finding,) = group([Verdict("a/1.yaml", (drift,))])
    (entry,) = parse_allow_list(finding.entry, "allowed")
    (again,) = group([Verdict("a/1.yaml", (drift,))], [entry])
    assert again.allowed


def test_a_line_for_some_files_leaves_the_others() -> None:
    findings = group(
        VERDICTS, parse_allow_list("field gained: usage.* in a/1*\nmissing permission", "allowed")
    )
    assert [(one.drift, one.files) for one in findings if not one.allowed] == [
        (SLOW, ("a/2.yaml",)),
        (GAINED, ("a/2.yaml",)),
    ]


# -- the report ------------------------------------------------------------------------------------

REPORT = Report("cassettes", VERDICTS, group(VERDICTS, [Entry("latency")]))


def shown(form: str) -> str:
    return "\n".join(render(REPORT, form))


def test_the_text_and_the_totals() -> None:
    assert shown("text").splitlines()[:3] == [
        "lost: missing permission: recorded an answer, now 403 AccessDeniedException",
        "  2 recordings: b/1.yaml, b/2.yaml",
        "  to allow it, add to the allow-list: missing permission",
    ]
    assert list(summarize(REPORT)) == [
        "b/3.yaml: not compared: it is partial",
        "sent 4 again (7 tokens): 2 findings (1 lost, 1 added); 1 allowed",
    ]


def test_json_has_all_findings() -> None:
    value = json.loads(shown("json"))
    assert (value["sent"], value["tokens_used"], len(value["findings"])) == (4, 7, 3)
    assert [one["allowed"] for one in value["findings"]] == [False, False, True]


def test_junit_has_a_case_for_each_recording() -> None:
    root = ElementTree.fromstring(shown("junit").partition("\n")[2])
    suites = {suite.get("name"): suite for suite in root}
    assert {
        name: (s.get("tests"), s.get("failures"), s.get("skipped")) for name, s in suites.items()
    } == {"a": ("2", "2", "0"), "b": ("3", "2", "1")}
    first = suites["a"].find("testcase")
    assert first is not None
    assert first.get("file") == "cassettes/a/1.yaml"


def test_github_has_one_annotation_for_each_finding() -> None:
    assert shown("github").splitlines() == [
        (
            "::error file=cassettes/b/1.yaml,line=1,title=bedtape%3A lost::missing permission:"
            " recorded an answer, now 403 AccessDeniedException (also in 1 other recording)"
        ),
        (
            "::notice file=cassettes/a/1.yaml,line=1,title=bedtape%3A added::field gained"
            " usage.cacheDetails[]: recorded not there, now list (also in 1 other recording)"
        ),
    ]


# -- the plan, and new answers ---------------------------------------------------------------------


def test_a_sample_has_each_kind_of_request(tmp_path: Path) -> None:
    many = [converse(str(number), "b") for number in range(5)]
    partial = replace(converse("cut", "b", model="x.y"), partial=True)
    folders.write(
        tmp_path,
        Cassette("a", (*many, stream("s", ["t"]), converse("o", "p", model="other.m"), partial)),
    )
    chosen = choose(tmp_path, None, Plan(sample=3))
    assert {(one.operation, one.model) for one in chosen} == {
        ("Converse", MODEL),
        ("ConverseStream", MODEL),
        ("Converse", "other.m"),
    }
    assert len(choose(tmp_path, None, Plan(selectors=["a:2-3"]))) == 2


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(CassetteError, match="--operation"):
        Plan(operations=["Nothing"])


def test_new_answers_replace_recordings_with_findings_but_errors_do_not() -> None:
    old = [replace(converse(text, "old"), file=f"a/{text}.yaml") for text in "123"]
    new = [replace(converse(text, "new"), file=f"a/{text}.yaml") for text in "12"]
    failed = replace(
        record_interaction(old[2].request.body.data, b"{}", status=403), file="a/3.yaml"
    )
    pairs = zip(old, [*new, failed], ((GAINED,), (), (DENIED,)), strict=True)
    verdicts = [Verdict(one.file, drifts, now=now) for one, now, drifts in pairs]
    answers = list_acceptable(verdicts, group(verdicts))
    assert answers.keys() == {"a/1.yaml"}
    (after,) = accept((Cassette("a", tuple(old)),), answers)
    assert after.interactions == (new[0], old[1], old[2])
