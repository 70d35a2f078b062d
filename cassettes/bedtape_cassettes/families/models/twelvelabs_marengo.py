"""TwelveLabs Marengo 2.7 and 3.0: one text or image per request, or both together in 3.0.

Video and audio answers go to S3 through an operation that is not rendered. [inferred] from the code
of clients: the list in the answer.
"""

from __future__ import annotations

from bedtape_cassettes.families.content import Content, Embeddings, Prompt
from bedtape_cassettes.families.family import Family, JsonObject, ModelRequest
from bedtape_cassettes.families.shared import embedding, json_access
from bedtape_cassettes.model import JsonValue


def _input(body: JsonObject) -> JsonValue:
    """The object that holds the input: the member named by `inputType` in 3.0, the body in 2.7."""
    nested = json_access.member(body, json_access.text(body, "inputType"))
    return nested if isinstance(nested, dict) else body


def _prompt(body: JsonObject) -> Prompt:
    text = json_access.text(_input(body), "inputText")
    return embedding.prompt_of([text] if text else [])


def _render(content: Content, request: ModelRequest) -> JsonObject:
    dimension = 1024 if "-2-7-" in request.model else 512
    (vector,) = embedding.vectors(content, [_source(_input(request.body))], None, dimension)
    return {"data": [{"embedding": list(vector)}]}


def _source(inputs: JsonValue) -> str:
    media = [json_access.member(inputs, "mediaSource"), *json_access.items(inputs, "mediaSources")]
    sources = (
        json_access.text(each, "base64String") or json_access.text(each, "s3Location", "uri")
        for each in media
    )
    return json_access.text(inputs, "inputText") + "".join(
        embedding.image(source) for source in sources if source
    )


def _read(body: JsonObject) -> Content:
    """Read the vectors. `data` can be an object instead of a list, as in the documentation."""
    data = json_access.member(body, "data")
    items = data if isinstance(data, list) else [data]
    return Embeddings(
        tuple(embedding.floats(json_access.member(each, "embedding")) for each in items)
    )


TWELVELABS_MARENGO = Family(
    name="twelvelabs_marengo",
    models=("twelvelabs.marengo-embed-*",),
    answers=(Embeddings,),
    prompt=_prompt,
    render=_render,
    read=_read,
    required=("inputType",),
)
