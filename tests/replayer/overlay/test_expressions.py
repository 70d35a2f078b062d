"""Expressions in answers: their values over HTTP, invalid expressions with their
places, and their limits.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedtape_cassettes.families.content import Message
from bedtape_cassettes.families.family import RenderError
from bedtape_replayer import OverlayInvalid, Replayer
from bedtape_replayer.answering.call import Call
from bedtape_replayer.overlay.document import parse_rule, read
from bedtape_replayer.overlay.expressions import EXPRESSIONS, LONGEST
from bedtape_replayer.overlay.rule import Rule
from support.calls import CLAUDE, call, converse_body, head, model_path
from support.client import Http1
from support.examples import examples


def _rule(**rule: Any) -> Rule:
    return parse_rule({"template": True, **rule}, lambda _: "rule-1")


def _text(text: str, sent: Call, fired: int = 0) -> str:
    content = _rule(answer={"text": text}).compute(fired, sent)
    assert isinstance(content, Message)
    return content.text


def _conversation() -> Call:
    use = {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Oslo"}}
    result = {"toolUseId": "t1", "content": [{"text": "4 degrees"}]}
    body = {
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "Weather?"}]},
            {"role": "assistant", "content": [{"toolUse": use}]},
            {"role": "user", "content": [{"toolResult": result}]},
        ],
        "inferenceConfig": {"maxTokens": 7, "temperature": 0.5},
    }
    return Call("mail", "POST", model_path("converse"), head(), json.dumps(body).encode(), 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ prompt }}", ""),
        ("{{question}}", "Weather?"),
        ("{{ system }}", "Be brief."),
        ("{{ text }}", "Be brief.\nWeather?"),
        ("{{ model }}", CLAUDE),
        ("{{ operation }}", "Converse"),
        ("{{ session }}", "mail"),
        ("{{ turn }}/{{ attempt }}/{{ call }}/{{ count }}", "2/1/3/5"),
        ("{{ json_path inferenceConfig.maxTokens }}", "7"),
        ("{{ json_path messages.*.role }}", '["user","assistant","user"]'),
        ("{{ json_path messages[1].content[0].toolUse.input }}", '{"city":"Oslo"}'),
        (
            "{{ tool_result get_weather }} {{ tool_result t1 }} {{ tool_result * }}",
            "4 degrees 4 degrees 4 degrees",
        ),
        ('{{ "{{ prompt }}" }} and }}', "{{ prompt }} and }}"),
        ("no expression", "no expression"),
    ],
)
def test_values(text: str, value: str) -> None:
    assert _text(text, _conversation(), fired=4) == value


def test_a_member_with_any_json_keeps_the_type_of_the_value() -> None:
    answer = {
        "tool": {
            "name": "{{ tool_result * }}",
            "input": {
                "most": "{{ json_path inferenceConfig.maxTokens }}",
                "text": "{{ count }} of 9",
                "list": ["{{ turn }}"],
            },
        }
    }
    content = _rule(answer=answer).compute(0, _conversation())
    assert isinstance(content, Message)
    assert content.blocks[0].input == {"most": 7, "text": "1 of 9", "list": [2]}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ promt }}", "did you mean prompt?"),
        ("{{ __import__('os') }}", "expected a name of an expression (prompt, question,"),
        ("{{ prompt.last }}", "did you mean prompt?"),
        ("{{ prompt | upper }}", "prompt takes no argument"),
        ("{{ json_path }}", "expected {{ json_path PATH }}"),
        ("{{ json_path a..b }}", "expected a JSON path"),
        ("{{ tool_result }}", "expected {{ tool_result NAME }}"),
        ("{{ prompt", "expected }} after {{"),
        ('{{ "a }}', "expected a text in quotes"),
        ('{{ "a" b }}', "expected }} after a text in quotes"),
        ("{{}}", "expected a name of an expression"),
        ("{{ turn }}" * 101, "expected at most 100 expressions"),
    ],
)
def test_invalid_expressions_are_found_when_the_rule_is_loaded(text: str, problem: str) -> None:
    with pytest.raises(OverlayInvalid) as raised:
        _rule(answer={"text": text})
    assert problem in str(raised.value)
    _rule(answer={"text": text}, template=False)  # without `template`, braces are text


def test_each_wrong_expression_of_a_text_is_reported() -> None:
    text = (
        '{{ promt }} and {{ "a" b }}, {{ turn 1 }} {{ prompt }} {{ json_path }} {{ "c }} or {{'
        " count"
    )
    with pytest.raises(OverlayInvalid) as raised:
        _rule(answer={"text": text})
    reasons = [
        "did you mean prompt?",
        "}} after a text in quotes",
        "turn takes no argument",
        "{{ json_path PATH }}",
        "a text in quotes, as in JSON",
        "}} after {{",
    ]
    lines = str(raised.value).splitlines()
    assert len(lines) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, lines, strict=True))


def test_problems_have_places_and_come_all_at_once() -> None:
    data = b"""bedtape-overlay: 1
rules:
- template: true
  answers:
  - text: "{{ promt }}"
  - tool:
      name: a
      input: {b: ["{{ trun }}"]}
- template: true
  script:
  - answer: {text: "{{ countt }}"}
"""
    with pytest.raises(OverlayInvalid) as raised:
        read(data, "rules.yaml")
    assert [(each.line, each.fix) for each in raised.value.problems] == [
        (5, "did you mean prompt?"),
        (8, "did you mean turn?"),
        (11, "did you mean count?"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ json_path toolConfig.tools }}", "the request has no toolConfig.tools"),
        (
            "{{ tool_result find }}",
            "expected a result of the tool find, found results of get_weather",
        ),
    ],
)
def test_a_missing_value_is_an_error_that_names_the_expression(text: str, reason: str) -> None:
    with pytest.raises(RenderError) as raised:
        _text(text, _conversation())
    assert str(raised.value) == f"{text}: {reason}"


@pytest.mark.parametrize("value", ['["\\ud800"]', '{"\\udfff": 1}', "1e999", "[-1e999]"])
def test_a_value_that_is_not_json_is_an_error_that_names_the_expression(value: str) -> None:
    sent = Call("mail", "POST", model_path("converse"), head(), f'{{"value": {value}}}'.encode())
    with pytest.raises(RenderError, match=r"^{{ json_path value }}: expected a value"):
        _text("{{ json_path value }}", sent)


def test_the_values_of_an_answer_are_bounded() -> None:
    sent = call("x" * (LONGEST // 2 + 1))
    assert len(_text("{{ prompt }}", sent)) == LONGEST // 2 + 1
    with pytest.raises(RenderError, match="at most 1,000,000 characters in all expressions"):
        _text("{{ prompt }}{{ prompt }}", sent)


@settings(max_examples=examples(200))
@given(
    st.lists(
        st.sampled_from(
            [*EXPRESSIONS, "{{", "}}", '"', "{", " ", "{{ prompt }}", "a", "\\", "json_path a"]
        )
    ),
    st.text(),
)
def test_any_text_is_rejected_or_replaced(pieces: list[str], prompt: str) -> None:
    """A prompt with braces is not read again, and equal calls get equal answers."""
    text, sent = "".join(pieces), call(prompt or "{{ model }}")
    try:
        rule = _rule(answer={"text": text})
    except OverlayInvalid:
        return
    try:
        content = rule.compute(0, sent)
    except RenderError:
        return
    assert content == rule.compute(0, sent)
    if "{{" not in text:
        assert isinstance(content, Message)
        assert content.text == text


@settings(max_examples=examples(200))
@given(st.text(), st.text())
def test_a_prompt_is_not_read_as_an_expression(prompt: str, around: str) -> None:
    around = around.replace("{{", "")
    sent = call(f"{prompt}{{{{ model }}}}")
    assert _text(f"{around}|{{{{ prompt }}}}", sent) == f"{around}|{prompt}{{{{ model }}}}"


def test_expressions_over_http_in_each_form_of_a_rule() -> None:
    """Rules of the control API, of Python, and scripts; with an error that names the expression."""
    with Replayer() as server, Http1(server.session("s").url) as connection:
        server.session("s").respond("python", "{{ count }}: {{ prompt }}", template=True)
        assert _ask(connection, "from python") == "1: from python"
        assert _ask(connection, "python again") == "2: python again"
        script = [
            {"expect": {"turn": 1}, "answer": {"text": "first {{ prompt }}"}},
            {"answer": {"text": "then {{ prompt }}"}},
        ]
        rules = [
            {"template": True, "when": {"prompt_contains": "turn"}, "script": script},
            {"template": True, "answer": {"text": "{{ json_path a.b }}"}},
        ]
        body = json.dumps({"bedtape-overlay": 1, "rules": rules}).encode()
        with Http1(server.url) as control:
            assert control.request("PUT", "/_bedtape/sessions/s/overlay", JSON, body).status == 200
            body = json.dumps({"template": True, "answer": {"text": "{{ promt }}"}}).encode()
            refused = control.request("POST", "/_bedtape/sessions/s/rules", JSON, body)
        assert refused.status == 400
        assert "did you mean prompt?" in refused.body.decode()
        assert [_ask(connection, text) for text in ("turn 1", "turn 2")] == [
            "first turn 1",
            "then turn 2",
        ]
        assert "{{ json_path a.b }}: the request has no a.b" in _ask(connection, "other")


JSON = [("content-type", "application/json")]


def _ask(connection: Http1, text: str) -> str:
    """Return the text of the answer, or the message of the error."""
    value = json.loads(
        connection.request("POST", model_path("converse"), JSON, converse_body(text)).body
    )
    message: str = value.get("message") or value["output"]["message"]["content"][0]["text"]
    return message


def test_the_reference_lists_every_expression() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "overlay.md").read_text()
    for name, reader in EXPRESSIONS.items():
        written = f"{name} {reader.argument}".strip()
        assert f"| `{{{{ {written} }}}}` | {reader.meaning} |" in page
