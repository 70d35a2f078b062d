"""`bedtape init`: settings, a sample cassette and a first test that passes at once, written into a project.

`project` is what there is, `plan` what there should be, both pure; `pytest_files` and `vitest_files` hold the tests; `writing`
alone has the disk. What is there already is never changed, but for what is added to a pyproject.toml.
"""
