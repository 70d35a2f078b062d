"""`bedtape doctor`: what is wrong with an environment, and what fixes it. It fixes nothing itself.

`gathering` looks, at this machine alone, and gives one frozen value, `found.Found`. Checks are pure functions of it, a
file a topic, that say `diagnosis.Diagnosis`es; `checks` lists them. `telling` makes lines of what they say.
"""
