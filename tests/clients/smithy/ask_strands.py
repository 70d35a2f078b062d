"""Strands' client of Nova Sonic writes a text, and prints the transcripts and how the answer ended.

Strands names Bedrock's host itself: the endpoint is set where its SDK is configured.
"""

import asyncio
import os
from typing import Any

from aws_sdk_bedrock_runtime.config import AsyncBedrockRuntimeConfig
from strands.bidi.models import bedrock
from strands.bidi.models.bedrock import BedrockNovaSonicModel

_resolve = AsyncBedrockRuntimeConfig.resolve


async def resolve(**settings: Any) -> AsyncBedrockRuntimeConfig:
    settings["endpoint_uri"] = os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
    return await _resolve(**settings)


async def main() -> None:
    bedrock.AsyncBedrockRuntimeConfig.resolve = staticmethod(resolve)
    model = BedrockNovaSonicModel(model_id="amazon.nova-sonic-v1:0", region="us-east-1")
    await model.start(system_prompt="Be kind.")
    await model._send_text_content("Does it rain?")
    async for event in model.receive():
        if "delta" in event:
            print(event["role"], event["delta"])
        if event["type"] == "bidi_response_stop":
            break
    await model.stop()


asyncio.run(main())
