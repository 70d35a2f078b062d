"""The overlay: what a test lays over immutable cassettes.

`when` says which calls a layer is about and `schedule` which of those it takes; a `rule` answers them, a `fault`
harms their answers (see `layers`); `overlay` is the ordered list, `laid` what it has counted in a session, `candidates` finds the few that may take a call. `document` reads all of it from
JSON and YAML, as `schema` describes.
"""
