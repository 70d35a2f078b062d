"""The command `bedtape` and the commands of `bedtape cassette`.

`app` joins them, `output` and `errors` print.
"""
