"""Judges the retries of clients."""
