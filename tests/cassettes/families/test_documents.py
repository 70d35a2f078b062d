"""The texts of documents in the requests of each API."""

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.documents import read_document_texts
from bedtape_cassettes.families.service_apis import MODELS, find_service_model

TEXT = b64encode("Käse costs 4 €".encode()).decode()
PDF = b64encode(b"%PDF-1.7 not read").decode()


def _converse(*blocks: Any) -> Any:
    return {"messages": [{"role": "user", "content": [{"text": "a question"}, *blocks]}]}


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (
            _converse(
                {"document": {"name": "prices", "format": "txt", "source": {"text": "4 euros"}}}
            ),
            ["prices\n4 euros"],
        ),
        (
            _converse({"document": {"name": "prices", "source": {"bytes": TEXT}}}),
            ["prices\nKäse costs 4 €"],
        ),
        (_converse({"document": {"name": "prices", "source": {"bytes": PDF}}}), ["prices"]),
        (
            _converse(
                {"document": {"name": "a", "source": {"content": [{"text": "b"}, {"text": "c"}]}}}
            ),
            ["a\nb\nc"],
        ),
        (
            _converse({"searchResult": {"source": "x", "title": "a", "content": [{"text": "b"}]}}),
            ["a\nb"],
        ),
        (
            _converse(
                {
                    "toolResult": {
                        "toolUseId": "t",
                        "content": [{"document": {"name": "a", "source": {"text": "b"}}}],
                    }
                }
            ),
            ["a\nb"],
        ),
        (
            _converse(
                {
                    "type": "document",
                    "title": "a",
                    "source": {"type": "text", "media_type": "text/plain", "data": "b"},
                }
            ),
            ["a\nb"],
        ),
        (
            _converse({"type": "document", "source": {"type": "base64", "data": TEXT}}),
            ["Käse costs 4 €"],
        ),
        (_converse({"type": "document", "source": {"type": "content", "content": "b"}}), ["b"]),
        (
            _converse(
                {"type": "search_result", "title": "a", "content": [{"type": "text", "text": "b"}]}
            ),
            ["a\nb"],
        ),
        (
            _converse(
                {
                    "type": "file",
                    "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{TEXT}"},
                }
            ),
            ["a.txt\nKäse costs 4 €"],
        ),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [{"type": "input_file", "filename": "a.txt", "file_data": TEXT}],
                    }
                ]
            },
            ["a.txt\nKäse costs 4 €"],
        ),
        ({"message": "a", "documents": [{"title": "a", "snippet": "b"}, "c"]}, ["a\nb", "c"]),
        (
            {
                "sources": [
                    {
                        "inlineDocumentSource": {"textDocument": {"text": "a"}, "type": "TEXT"},
                        "type": "INLINE",
                    }
                ]
            },
            ["a"],
        ),
        (_converse(), []),
        (None, []),
    ],
)
def test_documents_of_each_api(body: Any, texts: list[str]) -> None:
    assert list(read_document_texts(body)) == texts


_JSON: Any = st.recursive(
    st.none() | st.integers() | st.sampled_from(["document", "text", TEXT, "data:,a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "content", "document", "source", "type", "documents", "bytes", "file"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_body_is_read(body: Any) -> None:
    assert all(isinstance(text, str) for text in read_document_texts(body))


def test_deep_bodies_are_read() -> None:
    value: Any = {"document": {"name": "deep"}}
    for _ in range(10_000):
        value = [value]
    assert read_document_texts({"messages": value}) == ("deep",)


# -- the model in the body -------------------------------------------------------------------------

# The model of a part of the request: of a filter, a data source, a node, or one of several models.
_OF_A_PART = (
    "implicitFilter",
    "promptOverride",
    "vectorIngestion",
    "distillation",
    "collaborators",
)


def _find_model_members(shape: Any, path: str = "", above: frozenset[str] = frozenset()) -> Any:
    if shape.type_name != "structure" or shape.name in above:
        return
    for name, member in shape.members.items():
        place = f"{path}{name}"
        if "location" in member.serialization or name in ("tags", "Tags"):
            continue
        if member.type_name == "string" and name.lower().endswith(
            ("modelarn", "modelid", "modelidentifier", "foundationmodel")
        ):
            yield place
        yield from _find_model_members(member, f"{place}.", above | {shape.name})


@pytest.mark.parametrize(
    "service", ["bedrock-runtime", "bedrock-agent-runtime", "bedrock", "bedrock-agent"]
)
def test_every_operation_with_a_model_in_its_body_is_in_the_table(service: str) -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        places = {
            each
            for each in (_find_model_members(shape) if shape else ())
            if not any(part in each for part in _OF_A_PART)
        }
        has_path = "{modelId}" in model.operation_model(name).http["requestUri"]
        if "rerankingConfiguration" in str(places) and len(MODELS.get(name, ())) != len(places):
            # of a part, beside the model
            places = {each for each in places if "rerankingConfiguration" not in each}
        assert places == set(MODELS.get(name, ())) or has_path, name


def test_the_model_of_a_rerank_call() -> None:
    arn = "arn:aws:bedrock:us-west-2::foundation-model/cohere.rerank-v3-5:0"
    configuration = {
        "bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": arn}},
        "type": "BEDROCK_RERANKING_MODEL",
    }
    assert find_service_model("Rerank", {"rerankingConfiguration": configuration}) == arn
    assert (
        find_service_model(
            "Rerank", {"rerankingConfiguration": {"bedrockRerankingConfiguration": 1}}
        )
        is None
    )
    assert find_service_model("Rerank", None) is None
    assert find_service_model(None, {}) is None
