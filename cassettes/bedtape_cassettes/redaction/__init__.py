"""Finds secrets in requests and responses and replaces them."""
