"""The recipes of docs/recipes.md: tests/examples/recipes, each file as a user runs it."""

import shutil
from pathlib import Path

import pytest

from support.suites import run_suite

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"
FILES = sorted(path.name for path in RECIPES.glob("test_*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file[5:-3].replace("_", " "))
def test_recipe(file: str, tmp_path: Path) -> None:
    project = Path(shutil.copytree(RECIPES, tmp_path / "recipes"))
    cases, output = run_suite(project, file)
    assert cases, output
    failed = {
        name: [child.get("message") for child in case if child.tag != "properties"]
        for name, case in cases.items()
        if any(child.tag != "properties" for child in case)
    }
    assert not failed, output
