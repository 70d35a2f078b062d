"""The commands `bedtape record` and `bedtape recover`."""
