"""The kinds of faults, one module for each kind. `base` has the methods that a kind can override.

A kind depends on answers, replies and steps. It does not depend on matching or on the server.
"""
