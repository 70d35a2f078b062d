"""One pattern for many texts finds what looking for each would find."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_replayer.overlay.prefix_tree import any_of
from support.examples import examples

TEXTS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=4), st.text("ab.|(", min_size=1, max_size=14).map(str.encode)
    ),
    min_size=1,
    max_size=8,
)


@settings(derandomize=True, deadline=None, max_examples=examples(500))
@given(
    TEXTS,
    st.one_of(st.binary(max_size=20), st.text("ab.|(", max_size=20).map(str.encode)),
    st.integers(0, 20),
)
def test_it_finds_what_looking_for_each_finds(texts: list[bytes], data: bytes, at: int) -> None:
    pattern = any_of(texts)
    for searched in (data, data[:at] + texts[0] + data[at:]):
        assert bool(pattern.search(searched)) == any(text in searched for text in texts)


def test_texts_that_begin_alike_ever_further() -> None:
    texts = [b"a" * n + b"b" for n in range(1, 500)]
    assert any_of(texts).search(b"x" + b"a" * 499 + b"b")
    assert not any_of(texts).search(b"a" * 1000)


@pytest.mark.parametrize("texts", [[], [b""], [b"a", b""]])
def test_nothing_is_everywhere_and_so_refused(texts: list[bytes]) -> None:
    with pytest.raises(ValueError, match="expected texts"):
        any_of(texts)
