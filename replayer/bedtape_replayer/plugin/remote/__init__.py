"""Tests whose sessions are on a server that runs already (`pytest --bedtape-url`)."""
