"""Cassettes as other tools' recordings, one file a format, each pure: a cassette in, a file's bytes out.

Start at `formats`. What a cassette does not hold (host, dates, request ids, lengths) is not made up but for the host,
which these formats cannot do without. Nothing here touches the disk.
"""
