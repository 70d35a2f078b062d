"""An overlay file of imported rules, its bytes: scrubbed as cassettes are, refused where a secret is left. No disk."""

from __future__ import annotations

from collections.abc import Iterable

from bedtape_cassettes.errors import Problem, SecretFound
from bedtape_cassettes.foreign.exchange import Rule
from bedtape_cassettes.format import yamlio
from bedtape_cassettes.format.bodies import compact, parse
from bedtape_cassettes.redaction.scrub import ALWAYS, Redaction, find_secrets, scrub

__all__ = ["rendered"]


def rendered(rules: Iterable[Rule], name: str, redaction: Redaction = ALWAYS) -> bytes:
    """The file's bytes. Raises SecretFound, naming the rule, and ValueError for what YAML cannot hold."""
    layers = [parse(scrub(compact(dict(rule.layer)), redaction)) for rule in rules]
    problems = [
        Problem(name, 0, "no secret", f"{kind} in rule {number}", "name it with --redact PATTERN")
        for number, layer in enumerate(layers, 1)
        for kind in dict.fromkeys(find_secrets(compact(layer)))
    ]
    if problems:
        raise SecretFound(problems)
    return yamlio.dump({"bedtape-overlay": 1, "rules": layers})
