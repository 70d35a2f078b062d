"""Sends recorded requests again, and reports how the answers have changed."""
