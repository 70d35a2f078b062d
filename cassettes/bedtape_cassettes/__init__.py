"""Reads, writes, redacts and edits cassettes. Start with `model`, which defines the values.

Modules of this package open no sockets and start no threads.
"""
