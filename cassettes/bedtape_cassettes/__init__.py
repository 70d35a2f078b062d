"""Everything about cassettes: what they hold, how they are read, written, normalised and redacted.

Start with `model`, the values. `store` is the only file that touches the disk; nothing here opens a socket,
starts a thread or looks at the clock.
"""
