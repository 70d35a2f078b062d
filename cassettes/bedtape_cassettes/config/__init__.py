"""Settings: what options are when the command line does not say: variables, then a file, then the default.

`kinds` is what a value may be, `options` which there are, `reading` makes settings of documents and variables, `settings`
is what was said. All of that is pure; `files` alone has the disk.
"""
