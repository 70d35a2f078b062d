"""Readers of requests: the members of services, and the parts in the order of a model."""
