"""What several test files share."""

# Seconds until a test that hangs fails. No test may take that long, also on the slowest machine.
WAIT = 300.0
