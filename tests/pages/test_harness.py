"""The pages' harness fails where a page is wrong: a block that cannot fail would prove nothing."""

from pathlib import Path

import pytest

from bedtape_replayer.overlay.document import OverlayInvalid
from support.pages import PageInvalid, read, run
from support.pages.output import agrees, begins
from support.pages.shell import commands, goes_on


def _run(text: str, folder: Path) -> None:
    path = folder / "page.md"
    path.write_text(text)
    run(read(path), folder / "run")


GOOD = {
    "output": "```console\n$ echo one\none\n```\n",
    "text": "```console\n$ printf 'one\\ntwo'\n```\nprints\n```text\none\ntwo\n```\n",
    "state": "```console\n$ cd /tmp && V=3\n$ echo $PWD $V\n/tmp 3\n```\n",
    "goes on": "```console\n$ cat <<END\n> one\n> END\none\n```\n",
    "exits": "<!-- exits: 3 -->\n```console\n$ (exit 3)\n```\n",
    "file": '```python\n# say.py\nprint("hi")\n```\n```console\n$ python say.py\nhi\n```\n',
    "python": '```python\nprint("hi")\n```\n```text\nhi\n```\n',
    "test": "```python\ndef test_it(bedrock):\n    assert bedrock.url\n```\n",
    "json": (
        '<!-- file: a.json -->\n```json\n{"a": 1}\n```\n```console\n$ cat a.json\n{"a": 1}\n```\n'
    ),
    "indented": "1. do\n\n   ```console\n   $ echo one\n   one\n   ```\n",
    "new project": (
        "```console\n$ touch it\n```\n<!-- begins with: samples -->\n```console\n$"
        " ls\ncassettes\n```\n"
    ),
    "hidden": "<!-- run: echo one -->\n```text\none\n```\n",
    "server": (
        "```console\n$ bedtape replay\nbedtape: listening on http://127.0.0.1:4566\n$ curl"
        " 127.0.0.1:4566/_bedtape/clock\n…\n```\n"
    ),
    "not run": "<!-- not run: needs Docker -->\n```console\n$ false\n```\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_page_that_is_right_passes(name: str, tmp_path: Path) -> None:
    _run(GOOD[name], tmp_path)


BAD = {
    "another output": (
        "```console\n$ echo one\ntwo\n```\n",
        "page.md:1: expected of echo one:\ntwo\n\nfound:\none",
    ),
    "more output": ("```console\n$ printf 'one\\ntwo'\none\n```\n", "expected of printf"),
    "a command that fails": (
        "```console\n$ false\n```\n",
        "expected `false` to exit with 0, found 1",
    ),
    "one that does not": (
        "<!-- exits: 1 -->\n```console\n$ true\n```\n",
        "expected `true` to exit with 1, found 0",
    ),
    "python that fails": (
        "```python\nassert 0\n```\n",
        "expected `python block_1.py` to exit with 0, found 1",
    ),
    "a test that fails": (
        "```python\ndef test_it():\n    assert 0\n```\n",
        "expected `pytest -q test_block_1.py`",
    ),
    "another text": (
        "```console\n$ echo one\n```\n```text\ntwo\n```\n",
        "page.md:4: expected of the block before",
    ),
    "text of nothing": ("```text\none\n```\n", "expected to follow what prints it"),
    "no command": ("```console\necho one\n```\n", "expected `$ ` before the first command"),
    "no language": ("```\none\n```\n", "expected a language"),
    "an unknown language": ("```cobol\nSTOP RUN.\n```\n", "nothing tests 'cobol'"),
    "an unknown comment": (
        "<!-- norun: x -->\n```text\none\n```\n",
        "no comment above a block says 'norun'",
    ),
    "no end": ("```text\none\n", "expected the block to end"),
    "no part of the file": (
        "<!-- from: Makefile -->\n```go\nfunc\n```\n",
        "expected a part of Makefile",
    ),
    "a program of no file": ("```go\nfunc\n```\n", "needs <!-- from: FILE -->"),
    "an overlay": ("```yaml\nbedtape-overlay: 1\nrulse: []\n```\n", "rulse"),
    "settings": ("```toml\n[tool.bedtape]\nreplya = 1\n```\n", "replya"),
    "options of pytest": (
        "```toml\n[tool.pytest.ini_options]\nbedtape_x = 1\n```\n",
        r"found ['bedtape_x']",
    ),
    "a server that says another thing": (
        "```console\n$ bedtape replay none\nlistening\n```\n",
        "no such file or folder",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_page_that_is_wrong_fails_where_it_is(name: str, tmp_path: Path) -> None:
    text, said = BAD[name]
    with pytest.raises((PageInvalid, OverlayInvalid)) as failed:
        _run(text, tmp_path)
    assert said in str(failed.value)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("on http://127.0.0.1:4566 in 3 ms", "on http://127.0.0.1:41234 in 0.2 ms\n\n"),
        ("a\n…\nc", "a\nb\nb\nc"),
        ("a\n…\nc", "a\nc"),
        ("a…c", "abc"),
        ("one   two", "one two"),
        ("=== 2 passed in 0.1s ===", "====== 2 passed in 3.24s ======"),
    ],
)
def test_what_differs_from_run_to_run_is_equal(shown: str, printed: str) -> None:
    assert agrees(shown, printed)
    assert begins(shown, f"before\n{printed}\nafter")


@pytest.mark.parametrize(
    ("shown", "printed"), [("a", "a\nb"), ("a\nb", "a"), ("b", "abc"), ("2 calls", "3 calls")]
)
def test_what_is_not_shown_is_not_equal(shown: str, printed: str) -> None:
    assert not agrees(shown, printed)


def test_commands_are_cut_at_their_prompts() -> None:
    assert commands("$ a \\\n  b\n1\n$ c\n") == [("a \\\n  b", "1\n"), ("c", "")]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("bedtape replay cassettes/", True),
        ("A=1 bedtape record --to x", True),
        ("bedtape record --to x -- pytest", False),
        ("bedtape replay --help", False),
        ("python server.py &", True),
        ("a && b", False),
    ],
)
def test_servers_go_on(command: str, expected: bool) -> None:
    assert goes_on(command) is expected
