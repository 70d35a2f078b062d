"""`bedtape init`: writes settings, a sample cassette and a first test,
which passes, into a project.

`project` describes the project and `plan` the files to write; both are pure. `pytest_files` and
`vitest_files` contain the tests. `writing` uses the disk. Existing files are not changed, except
that pyproject.toml gets a table.
"""
