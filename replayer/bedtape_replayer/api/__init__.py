"""Bedtape's own HTTP API: sessions, layers, calls and cassettes, for tests in any language.

`desk` guards the door and finds the route; `routes` are what can be asked; `api` is bedtape's, `fakecloud` that
emulator's introspection API; `openapi` describes `api` from its own table. Pure functions on the engine.
"""
