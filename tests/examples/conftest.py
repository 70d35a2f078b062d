"""The examples are projects of their own: tests/clients/test_examples.py runs
each by its own command.
"""

collect_ignore_glob = ["*"]
