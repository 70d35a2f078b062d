"""Schemas of answers: which of them the service refuses, and values that match them."""
