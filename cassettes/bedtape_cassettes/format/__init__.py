"""Bytes to values and back: bodies, event streams, cassette files, packed cassettes and journals. No module here reads or writes a disk."""
