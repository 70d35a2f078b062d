"""Other tools' recordings, read as bedtape's. One file a foreign format, each pure: bytes in, exchanges and rules out.

Start at `formats`, which tells formats apart by their content; `taking` makes interactions of what was found. Nothing
here touches the disk, builds objects that a file names, or fetches what it points to.
"""
