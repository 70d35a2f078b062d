"""Headers looked up in the raw head are those that a parser finds."""

from email.parser import BytesParser

from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer.answering.head import Head
from support.examples import examples

_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
_VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@settings(derandomize=True, max_examples=examples(200))
@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=8), _NAMES)
def test_raw_head_agrees_with_a_parser(headers: list[tuple[str, str]], other: str) -> None:
    lines = "".join(f"\r\n{name}: {value}" for name, value in headers) + "\r\n"
    head = Head(lines.encode())
    parsed = BytesParser().parsebytes(
        lines.removeprefix("\r\n").encode() + b"\r\n", headersonly=True
    )
    for name in [*(name for name, _ in headers), other]:
        assert head.get(name.lower()) == parsed.get(name)
    assert head.pairs() == tuple(headers)


def test_pairs_give_the_first_of_a_name() -> None:
    head = Head.of(((b"a", b"1"), (b"b", b"2"), (b"a", b"3")))
    assert (head.get("a"), head.get("c")) == ("1", None)
    assert head.pairs() == (("a", "1"), ("b", "2"), ("a", "3"))


def test_a_name_inside_a_value_is_no_header() -> None:
    head = Head(b"\r\nX-Note: accept: text/html\r\nHost: a\r\n")
    assert head.get("accept") is None
    assert head.get("host") == "a"


def test_a_head_knows_its_http_and_its_size() -> None:
    assert (Head(b"\r\na: 1\r\n").version, Head.of(((b"a", b"1"),)).version) == (
        "HTTP/1.1",
        "HTTP/2",
    )
    assert Head.of(((b"a", b"1"), (b"b", b"2"))) != Head(b"\r\na: 1\r\nb: 2\r\n")
    assert Head.of(((b"a", b"1"), (b"b", b"2"))).raw == b"\r\na: 1\r\nb: 2\r\n"
    assert Head(b"\r\nA: 1\r\n").size == len(b"\r\nA: 1\r\n")


def test_what_a_packed_head_let_go_of_is_made_again() -> None:
    head = Head(b"\r\nAccept: a/B\r\n")
    before = head.lowercase, head.get("accept")
    head.pack()
    assert (head.lowercase, head.get("accept")) == before == (b"\r\naccept: a/b\r\n", "a/B")
    assert head._lowercase is None  # looking does not unpack it
