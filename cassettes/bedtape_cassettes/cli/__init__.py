"""The command `bedtape` and `bedtape cassette`. `app` joins them, `output` and `errors` print."""
