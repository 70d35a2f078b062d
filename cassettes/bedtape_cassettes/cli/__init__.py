"""The commands `bedtape cassette …`, one file a kind of work; `app` holds them together, `telling` is how they speak."""
