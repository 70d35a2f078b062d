"""The inspector: a page on the server's own port that shows its calls, sessions
and cassettes to a person.

`page` serves the files of `static/`. `call_detail` renders one call, and `report` a
page that needs no server.
"""
