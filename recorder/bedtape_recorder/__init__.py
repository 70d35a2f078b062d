"""Records real Bedrock traffic into cassettes. Calls to AWS need permission (see `check_gate`).

`session` starts the proxy and the recorded program. `addon` is the code that mitmproxy calls.
`signing` signs the requests that the proxy changed. `capture` writes scrubbed journal records while
traffic passes. `finish` turns a journal into cassettes, also after a crash.
"""
