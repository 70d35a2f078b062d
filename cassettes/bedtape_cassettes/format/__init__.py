"""Converts bytes to values and back: bodies, event streams, cassette files, `.tape` files and journals.

No module here reads or writes a disk.
"""
