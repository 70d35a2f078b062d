"""The inspector: a page on the server's own port that shows its calls, sessions and cassettes to a person.

`page` serves the files of `static/`; `feed` is what the page asks beside the control API: calls in short, and one whole.
"""
