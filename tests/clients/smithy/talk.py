"""One conversation over a bidirectional stream, as in javascript/conversation.mjs."""

import asyncio
import json
import sys
from collections import Counter

from aws_sdk_bedrock_runtime.client import AsyncBedrockRuntimeClient
from aws_sdk_bedrock_runtime.config import AsyncBedrockRuntimeConfig
from aws_sdk_bedrock_runtime.models import (
    BidirectionalInputPayloadPart,
    InvokeModelWithBidirectionalStreamInputChunk,
    InvokeModelWithBidirectionalStreamOperationInput,
)
from smithy_aws_core.identity import EnvironmentCredentialsResolver
from smithy_http.aio.crt import AWSCRTHTTPClient


async def main() -> None:
    job = json.load(sys.stdin)
    config = await AsyncBedrockRuntimeConfig.resolve(transport=AWSCRTHTTPClient())
    config.aws_credentials_identity_resolver = EnvironmentCredentialsResolver()
    client = AsyncBedrockRuntimeClient(config)
    request = InvokeModelWithBidirectionalStreamOperationInput(model_id=job["model"])
    try:
        stream = await client.invoke_model_with_bidirectional_stream(request)
        counts: Counter[str] = Counter()
        arrived = asyncio.Condition()

        async def send() -> None:
            awaited: Counter[str] = Counter()
            for step in job["steps"]:
                if name := step.get("await"):
                    awaited[name] += 1
                    async with arrived:
                        await arrived.wait_for(lambda: counts[name] >= awaited[name])
                elif step.get("end"):
                    await stream.input_stream.close()
                else:
                    part = BidirectionalInputPayloadPart(bytes_=json.dumps(step["send"]).encode())
                    await stream.input_stream.send(
                        InvokeModelWithBidirectionalStreamInputChunk(value=part)
                    )

        sending = asyncio.create_task(send())
        _, output = await stream.await_output()
        async for event in output:
            value = json.loads(event.value.bytes_)
            print(json.dumps(value), flush=True)
            async with arrived:
                counts.update(value.get("event", {}).keys())
                arrived.notify_all()
        sending.cancel()
    except Exception as error:  # noqa: BLE001 - the test prints it
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))


asyncio.run(main())
