"""Settings: options that a variable or a file sets. The command line overrides both.

`kinds` defines values, `options` lists the options, `reading` parses documents and variables,
`settings` holds the result. `files` reads the disk.
"""
