"""The model of a call of OpenAI's and Anthropic's APIs is in its body.

The control API and the inspector show it.
"""

import json
import urllib.request
from typing import Any

import pytest

from bedtape_replayer import Replayer
from support.inference_apis import APIS, MESSAGES, name_case, record


def fetch(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


@pytest.mark.parametrize("case", MESSAGES, ids=name_case)
@pytest.mark.parametrize("earlier", [0, 3], ids=["first", "with siblings"])
def test_a_call_has_the_model_of_its_body(case: tuple[str, bool], earlier: int) -> None:
    """Also if it was not read, because earlier requests differ in their text alone."""
    name, stream = case
    request, model = record(name, stream=stream).request, APIS[name][1]
    with Replayer() as replayer:
        replayer.respond(text="It rains.", model=model)
        for number in range(earlier + 1):
            fetch(
                f"{replayer.url}{request.path}",
                request.body.data.replace(b"Oslo?", b"Oslo %d?" % number),
            )
        assert [call.model for call in replayer.calls] == [model] * (earlier + 1)
        assert len(replayer.calls.filter(model=model)) == earlier + 1
        listed = json.loads(fetch(f"{replayer.url}/_bedtape/sessions/default/calls?model={model}"))
        assert [call["model"] for call in listed["calls"]] == [model] * (earlier + 1)
