"""Exporters: each module writes a cassette as a file of another tool. Each is a pure function that returns bytes.

`export_formats` lists the exporters. An export contains what the cassette contains. The host is the exception, because
these formats need a host and a cassette has none.
"""
