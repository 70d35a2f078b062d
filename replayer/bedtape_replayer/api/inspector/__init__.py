"""The inspector: a page on the server's own port that shows its calls, sessions and cassettes to a person.

`page` serves the files of `static/`. `feed` answers the page's own requests: summaries of calls, and one call in detail.
"""
