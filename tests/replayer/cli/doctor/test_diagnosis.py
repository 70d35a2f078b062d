"""Lines of what was found, on terminals and in files."""

from bedtape_replayer.cli.doctor.diagnosis import note, ok, render_lines, summary, wrong

DIAGNOSES = (
    ok("port", "free"),
    note("a long name", expected="this " * 12 + "much", found="less", fix="add"),
    wrong("port", expected="a", found="b\x1b[2J", fix="c"),
)


def test_a_line_each_where_there_is_no_width() -> None:
    lines = list(render_lines(DIAGNOSES, None))
    assert [line.text for line in lines] == [
        "ok     port         free",
        f"note   a long name  expected {'this ' * 12}much, found less; add",
        r"wrong  port         expected a, found b\x1b[2J; c",
    ]
    assert [line.style for line in lines] == ["plain", "warning", "removed"]


def test_lines_are_folded_to_a_terminals_width() -> None:
    lines = [line.text for line in render_lines(DIAGNOSES, 60)]
    assert max(map(len, lines)) <= 60
    assert [bool(line[:20].strip()) for line in lines] == [True, True, False, False, True]
    assert " ".join(" ".join(lines).split()) == " ".join(
        " ".join(line.text for line in render_lines(DIAGNOSES, None)).split()
    )


def test_the_summary_counts() -> None:
    assert summary(DIAGNOSES) == "bedtape: 1 wrong, 1 note, 1 ok; nothing was changed"
