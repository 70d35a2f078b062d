"""Recording real Bedrock traffic into cassettes, behind a gate: nothing here reaches AWS unless the user said so.

`session` starts the proxy and the child, `addon` is the proxy's side, `signing` signs again what the proxy changed,
`capture` turns what passes into journal records, scrubbed before they are written, and `finish` makes cassettes of
them, also after a crash.
"""
