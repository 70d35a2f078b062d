"""The pytest plugin: a test's cassette and settings, its session, its environment, and
the run that tests share.

`pytest_plugin` contains the hooks. It imports these modules when the first test uses the fixture.
"""
