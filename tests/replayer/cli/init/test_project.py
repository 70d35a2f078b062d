"""What a project's tests are, told by what it has."""

import pytest

from bedtape_replayer.cli.init.project import InitError, Project, framework_of

VITEST = '{"devDependencies": {"vitest": "^4.0.0"}}'
JEST = '{"devDependencies": {"jest": "^29.0.0"}}'


def _project(*names: str, package: str | None = None, pyproject: str | None = None) -> Project:
    return Project(frozenset(names), pyproject, package)


@pytest.mark.parametrize(
    ("project", "framework"),
    [
        (_project(), "pytest"),
        (_project("README.md", ".git"), "pytest"),
        (_project("pyproject.toml", pyproject=""), "pytest"),
        (_project("requirements-dev.txt"), "pytest"),
        (_project("main.py", "package.json", package=JEST), "pytest"),
        (_project("package.json", package=VITEST), "vitest"),
        (_project("vitest.config.ts", "package.json", package="{}"), "vitest"),
    ],
)
def test_the_framework(project: Project, framework: str) -> None:
    assert framework_of(project) == framework


@pytest.mark.parametrize(
    ("project", "reason"),
    [
        (
            _project("setup.py", "package.json", package=VITEST),
            "found both; choose with --pytest or --vitest",
        ),
        (
            _project("package.json", package=JEST),
            "expected vitest among its packages, found none; npm install",
        ),
        (_project("package.json", package="{"), "package.json: expected an object of JSON"),
        (
            _project("package.json", package="[" * 100_000),
            "package.json: expected an object of JSON",
        ),
        (_project("package.json", package="[1]"), "package.json: expected an object of JSON"),
        (
            _project("package.json", package='{"dependencies": 1}'),
            "package.json: expected an object of JSON",
        ),
    ],
)
def test_what_cannot_be_told_is_refused(project: Project, reason: str) -> None:
    with pytest.raises(InitError) as refused:
        framework_of(project)
    assert reason in str(refused.value)
