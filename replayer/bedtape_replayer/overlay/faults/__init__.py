"""The kinds of faults, one module for each. `base` describes where a fault can change an answer.

A fault reads and changes answers, replies and steps. It imports no other layer, no matching and no server.
"""
