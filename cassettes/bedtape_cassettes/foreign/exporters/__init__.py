"""Renders cassettes as recordings of other tools, one module per format. No module touches the disk.

Cassettes do not contain hosts, dates, request ids and lengths. Exports contain a host, because the formats need it.
"""
