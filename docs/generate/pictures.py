"""Makes the pictures that are text and lines: `python docs/generate/pictures.py`.

Each is one SVG file, which follows the theme of the reader's system. `request.svg` is the path of a
request, `miss.svg` the output of a real run of pytest.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from bedtape_cassettes.storage import store

IMAGES = (
    Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "reference" / "images"
)
_STYLE = """
.panel { fill: #f6f8fa; stroke: #d0d7de }
.box { fill: #ffffff; stroke: #8c959f }
.ours { fill: #ddf4ff; stroke: #0969da }
.text { fill: #1f2328 } .dim { fill: #59636e } .bad { fill: #b62324 } .good { fill: #116329 }
.line { stroke: #59636e; fill: none } .head { fill: #59636e }
@media (prefers-color-scheme: dark) {
.panel { fill: #151b23; stroke: #3d444d }
.box { fill: #0d1117; stroke: #656c76 }
.ours { fill: #0c2d4a; stroke: #4493f8 }
.text { fill: #f0f6fc } .dim { fill: #9198a1 } .bad { fill: #ff7b72 } .good { fill: #56d364 }
.line { stroke: #9198a1 } .head { fill: #9198a1 }
}
"""
_SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def draw(width: int, height: int, title: str, font: str, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-labelledby="t" font-family="{font}">\n'
        f'<title id="t">{escape(title)}</title>\n<style>{_STYLE}</style>\n'
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>\n'
        f"{content}\n</svg>\n"
    )


# -- the path of a request -------------------------------------------------------------------------


def box(x: int, y: int, width: int, height: int, kind: str, *lines: str) -> str:
    """A rectangle. lines: the first is bold, the others are smaller."""
    middle = x + width / 2
    top = y + height / 2 - (len(lines) - 1) * 9 + 5
    texts = "".join(
        f'<text x="{middle}" y="{top + number * 18}" text-anchor="middle" class="'
        + ("dim" if number else "text")
        + f'" font-size="{13 if number else 15}" font-weight="{400 if number else 600}">'
        + f"{escape(line)}</text>"
        for number, line in enumerate(lines)
    )
    shape = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" class="{kind}"/>'
    return f"{shape}{texts}\n"


def arrow(x1: int, y1: int, x2: int, y2: int, label: str = "", *, both: bool = False) -> str:
    ends = 'marker-end="url(#a)"' + (' marker-start="url(#a)"' if both else "")
    line = f'<path d="M{x1} {y1}L{x2} {y2}" class="line" stroke-width="1.5" {ends}/>'
    if not label:
        return f"{line}\n"
    where = (
        f'x="{(x1 + x2) / 2}" y="{y1 - 8}" text-anchor="middle"'
        if y1 == y2
        else f'x="{x1 + 10}" y="{(y1 + y2) / 2 + 4}"'
    )
    return f'{line}<text {where} class="dim" font-size="12">{escape(label)}</text>\n'


def draw_request() -> str:
    steps = (
        ("1  Faults", "fail, delay or break an answer"),
        ("2  Rules", "answers that a test chooses"),
        ("3  Cassettes", "recorded answers, in git"),
        ("4  A miss", "HTTP 400 with the difference"),
    )
    parts = [
        '<rect x="1" y="1" width="878" height="338" rx="12" class="panel"/>',
        box(24, 104, 190, 96, "box", "Your program", "any AWS SDK", "unchanged"),
        '<rect x="318" y="24" width="244" height="292" rx="10" class="ours"/>',
        '<text x="440" y="48" text-anchor="middle" class="text" font-size="15"'
        ' font-weight="600">bedtape, on your machine</text>',
        *(box(338, 62 + number * 62, 204, 52, "box", *step) for number, step in enumerate(steps)),
        arrow(214, 136, 316, 136, "request"),
        arrow(316, 168, 214, 168, "answer"),
        box(24, 252, 190, 64, "box", "Your test", "adds rules, reads calls"),
        arrow(214, 284, 316, 284, "control API", both=True),
        box(666, 24, 190, 64, "box", "Amazon Bedrock", "not called in tests"),
        box(666, 180, 190, 64, "box", "bedtape record", "once, without secrets"),
        arrow(761, 180, 761, 90, "signed calls", both=True),
        arrow(664, 212, 544, 212, "YAML files"),
    ]
    title = (
        "A request goes from your program to bedtape, which answers from faults, rules or cassettes"
    )
    return draw(880, 340, title, _SANS, "\n".join(parts))


# -- what a terminal shows -------------------------------------------------------------------------

_TEST = """\
import boto3
import pytest


@pytest.mark.bedrock("hello")
def test_why_teams_record(bedrock):
    boto3.client("bedrock-runtime").converse(
        modelId="us.amazon.nova-lite-v1:0",
        inferenceConfig={"maxTokens": 200, "temperature": 0},
        messages=[{"role": "user", "content": [{"text": "In one sentence: why do teams guess?"}]}],
    )
"""


def run_pytest() -> str:
    """Returns the output of pytest for a test whose prompt has changed."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        shutil.copytree(store.samples(), folder / "cassettes")
        (folder / "test_why.py").write_text(_TEST)
        command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider"]
        done = subprocess.run(  # noqa: S603 - this interpreter
            [*command, "-W", "ignore", "-p", "no:randomly", "-p", "no:asyncio", "-p", "no:xdist"],
            cwd=folder,
            env={"PATH": "", "COLUMNS": "112", "AWS_EC2_METADATA_DISABLED": "true"},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    return re.sub(r"in [\d.]+s", "in 0.41s", done.stdout.replace(f"{folder}/", ""))


def draw_terminal(title: str, lines: list[str]) -> str:
    """lines: the class of a line's colour, a space, and its text."""
    width = 24 + round(7.25 * max(len(line.partition(" ")[2]) for line in lines)) + 24
    height = 24 + 18 * len(lines) + 14
    texts = "\n".join(
        f'<text x="24" y="{40 + number * 18}" class="{kind}" xml:space="preserve">'
        f"{escape(text)}</text>"
        for number, (kind, _, text) in enumerate(line.partition(" ") for line in lines)
    )
    panel = f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10" class="panel"/>'
    return draw(width, height, title, _MONO, f'{panel}\n<g font-size="12">\n{texts}\n</g>')


def draw_miss() -> str:
    lines = ["dim $ pytest -q --tb=line"]
    # the line of --tb=line and the counts of the run follow
    for line in run_pytest().partition("test_why.py:7:")[0].splitlines():
        kind = (
            "bad"
            if re.match(r"E  |FAILED|.*(recorded \"|recorded \{)|F +\[", line.strip())
            else "text"
        )
        lines += [f"{kind} {part}" for part in _wrap(line)]
    return draw_terminal("A changed prompt fails the test, and pytest shows the difference", lines)


def _wrap(line: str, width: int = 112) -> list[str]:
    parts = [line[:width]]
    rest = line[width:]
    while rest:
        parts.append("    " + rest[: width - 4])
        rest = rest[width - 4 :]
    return parts


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "request.svg").write_text(draw_request())
    (IMAGES / "miss.svg").write_text(draw_miss())


if __name__ == "__main__":
    main()
