"""Guardrails: policies as data, and what they find in prompts and answers.

`policy` reads a policy, `evaluation` finds what it denies, `guarded_content` reads the texts of requests,
`feature` acts on calls, and `control_plane` keeps the guardrails that a session creates. `lists`
and `sensitive` are data.
"""
