"""Judges how a client retried."""
