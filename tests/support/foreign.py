"""The folder of other tools' recordings, which are not in this repository."""

import os
from pathlib import Path

import pytest

from support.corpus import ROOT as CORPUS

ROOT = Path(os.environ.get("BEDTAPE_FOREIGN") or CORPUS.parent / "foreign-cassettes")
FILES = sorted(path for path in ROOT.glob("*") if path.is_file()) if ROOT.is_dir() else []

needs_foreign = pytest.mark.skipif(
    not FILES,
    reason=(
        f"other tools' recordings are not at {ROOT}; put them there, or name their folder in"
        " BEDTAPE_FOREIGN"
    ),
)
