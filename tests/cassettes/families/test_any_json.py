"""Every family reads any JSON without another error than its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedtape_cassettes.families.family import Family
from bedtape_cassettes.families.models.ai21_j2 import AI21_J2
from bedtape_cassettes.families.models.amazon_image import AMAZON_IMAGE
from bedtape_cassettes.families.models.cohere_command import COHERE_COMMAND
from bedtape_cassettes.families.models.cohere_embed import COHERE_EMBED
from bedtape_cassettes.families.models.cohere_rerank import COHERE_RERANK
from bedtape_cassettes.families.models.completions import COMPLETIONS
from bedtape_cassettes.families.models.deepseek import DEEPSEEK
from bedtape_cassettes.families.models.llama import LLAMA
from bedtape_cassettes.families.models.mistral_text import MISTRAL_TEXT
from bedtape_cassettes.families.models.nova_embed import NOVA_EMBED
from bedtape_cassettes.families.models.stability import STABILITY
from bedtape_cassettes.families.models.titan_embed import TITAN_EMBED
from bedtape_cassettes.families.models.titan_text import TITAN_TEXT
from bedtape_cassettes.families.models.twelvelabs_marengo import TWELVELABS_MARENGO
from bedtape_cassettes.families.models.twelvelabs_pegasus import TWELVELABS_PEGASUS
from support.messages import withstands_all
from support.native import json_objects

# Names of members in requests and answers, which the JSON often has.
NAMES = [
    (AI21_J2, "prompt completions data finishReason text reason"),
    (AMAZON_IMAGE, "textToImageParams text images error imageGenerationConfig"),
    (COHERE_COMMAND, "prompt generations text finish_reason is_finished index num_generations"),
    (COHERE_EMBED, "texts images inputs content image_url text embeddings float binary"),
    (COHERE_RERANK, "query documents text results index relevance_score"),
    (COMPLETIONS, "prompt choices text finish_reason usage prompt_tokens"),
    (DEEPSEEK, "prompt choices text stop_reason stop"),
    (LLAMA, "prompt generation stop_reason max_gen_len temperature"),
    (MISTRAL_TEXT, "prompt outputs text stop_reason stop"),
    (NOVA_EMBED, "singleEmbeddingParams text value video source embeddings embedding"),
    (STABILITY, "prompt seed images seeds finish_reasons"),
    (TITAN_EMBED, "inputText inputImage embedding inputTextTokenCount"),
    (TITAN_TEXT, "inputText textGenerationConfig results outputText completionReason"),
    (TWELVELABS_MARENGO, "inputType text inputText mediaSource mediaSources data embedding"),
    (TWELVELABS_PEGASUS, "inputPrompt temperature maxOutputTokens message finishReason"),
]


@pytest.mark.parametrize(("family", "names"), NAMES, ids=lambda value: getattr(value, "name", None))
@given(data=st.data())
def test_it_withstands_any_json(family: Family, names: str, data: st.DataObject) -> None:
    withstands_all(family, data.draw(json_objects(*names.split())))
