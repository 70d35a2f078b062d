"""The disk and git: reads cassettes, and commits a changed folder in one step."""
