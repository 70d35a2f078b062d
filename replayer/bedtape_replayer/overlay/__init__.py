"""The overlay: rules and faults that a test adds to immutable cassettes.

`when` has the conditions on calls and `schedule` the counters. A `rule` answers calls. The modules
in `faults` change or replace answers. `overlay` is the ordered list of layers. `session_layers`
applies the layers in a session, and `candidates` finds the few that may match a call. `document`
reads overlays from JSON and YAML, checked by `schema`.
"""
