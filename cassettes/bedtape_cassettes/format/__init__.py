"""Converts bytes to values and back: bodies, event streams, cassettes, `.tape` files, journals.

No module here reads or writes a disk.
"""
