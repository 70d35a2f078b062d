"""Guardrails: policies as data, and what they find in prompts and answers.

`policy` reads a policy, `evaluation` finds what it denies, `guarded_content` reads the texts of
requests, `feature` acts on calls, and `control_plane` answers CreateGuardrail and the like from the
`store` of the session. `lists` and `sensitive` are data.
"""
