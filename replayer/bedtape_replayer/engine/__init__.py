"""Leads a call from the request to the answer, and holds the sessions."""
