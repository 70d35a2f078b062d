"""The commands of `bedtape cassette`, one module for each kind of work. `app` registers the commands."""
