"""Users' patterns are compiled and searched in `format/patterns.py` alone, whose engine stops a
search that takes too long.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    file
    for package in ("cassettes", "replayer", "recorder")
    for file in (ROOT / package / f"bedtape_{package}").rglob("*.py")
)
_FUNCTIONS = {
    "compile",
    "match",
    "search",
    "fullmatch",
    "sub",
    "subn",
    "split",
    "findall",
    "finditer",
}
# Patterns that are no literals, by module and by the beginning of their expression:
# none comes from a user.
OWN = {
    "answering/causes.py: source": "a table of the module",
    "answering/gaps.py: b'(%b)' % patter": "escaped sample ids",
    "api/route.py: re.sub('\\\\\\\\{(\\\\": "the paths of routes",
    "bedtape_cassettes/operations.py: _OTHER_API + ''.": "the paths of operations",
    "format/yaml_reader.py: pattern": "a table of the module",
    "guardrails/policy.py: f\"{before}(?:{'|": "escaped texts of policies",
    "guardrails/sensitive.py: pattern": "a table of the module",
    "matching/json_texts.py: f'''\"(?:{'|'.joi": "a table of the module",
    "matching/outline.py: b'(%b)' % b'|'.j": "hexadecimal digests",
    "matching/stable_values.py: b'\"(?P<id>(?P<fi": "a table of the module",
    "matching/stable_values.py: f'(?:{_PREFIXES.": "a table of the module",
    "outputs/shapes.py: pattern": "botocore's models",
    "overlay/prefix_tree.py: _tree(wanted, _D": "escaped texts of conditions",
    "redaction/engine.py: '|'.join((f'(?<!": "escaped words",
    "redaction/engine.py: cue": "the kinds of secrets",
    'redaction/hints.py: f"{re.escape(rar': "escaped hints",
    "redaction/kinds.py: '|'.join((''.joi": "sets of characters of the recorder's credentials",
    "redaction/kinds.py: pattern": "the kinds of secrets",
    "suites/substitute.py: f'{pattern.patte": "a user's pattern, tried on an empty text",
    "validation/values.py: source": "botocore's models",
}
_SHOWN = 16  # characters of an expression


def _is_constant(node: ast.expr) -> bool:
    """Whether an expression is made of literals, escaped text and constants of a module."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(name):
            return name.isupper()
        case ast.Attribute(attr=name):
            return name.isupper()
        case ast.JoinedStr(values=values):
            return all(map(_is_constant, values))
        case ast.FormattedValue(value=value):
            return _is_constant(value)
        case ast.BinOp(left=left, right=right):
            return _is_constant(left) and _is_constant(right)
        case ast.Call(func=ast.Attribute(attr="escape")):
            return True
        case ast.Call(func=ast.Attribute(value=value, attr="encode" | "replace")):
            return _is_constant(value)
        case ast.Call(func=ast.Attribute(value=value, attr="join"), args=[joined]):
            return _is_constant(value) and _is_constant(joined)
        case ast.Call(func=ast.Name("map"), args=[ast.Attribute(attr="escape"), _]):
            return True
        case ast.GeneratorExp(elt=element):
            return _is_constant(element)
    return False


def _find_variable_patterns(text: str) -> Iterator[str]:
    """Yields the patterns that a module compiles or searches with `re` and
    that are no constants.
    """
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name("re"), attr=name), args=[pattern, *_]
            ) if name in _FUNCTIONS and not _is_constant(pattern):
                yield ast.unparse(pattern)


def test_patterns_that_are_no_constants_are_compiled_in_one_module() -> None:
    variable = {
        f"{file.parent.name}/{file.name}: {pattern[:_SHOWN]}"
        for file in FILES
        for pattern in _find_variable_patterns(file.read_text())
        if file.name != "patterns.py"
    }
    assert variable == OWN.keys()


@pytest.mark.parametrize(
    ("code", "patterns"),
    [
        ("re.compile(typed)", ["typed"]),
        ("re.search(options.pattern, text)", ["options.pattern"]),
        ("re.compile(f'({typed})')", ["f'({typed})'"]),
        ("re.compile('a' + _DIGITS + re.escape(typed))", []),
        ("compile_pattern(typed)", []),
    ],
)
def test_the_search_for_patterns(code: str, patterns: list[str]) -> None:
    assert list(_find_variable_patterns(code)) == patterns
