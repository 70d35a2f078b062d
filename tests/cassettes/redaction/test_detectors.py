"""detect-secrets' detectors, where they are installed."""

from __future__ import annotations

import sys

import pytest

from bedtape_cassettes.redaction.detectors import detectors


def test_its_detectors_find_what_ours_do_not() -> None:
    look = detectors()
    if look is None:
        pytest.skip("detect-secrets is not installed: pip install 'bedtape[scan]'")
    text = 'use https://bob:hunter22@svc.internal and password = "correct-horse-battery"'
    told = {(span.kind, text[span.start : span.end]) for span in look(text)}
    assert ("basic-auth-credentials", "hunter22") in told
    assert ("secret-keyword", "correct-horse-battery") in told
    assert list(look("Ids such as msg_bdrk_01Fa62yoE5qsW3mPG95wgFqa and AKIAIOSFODNN7EXAMPLE are none.")) == []


def test_without_it_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
    assert detectors() is None
