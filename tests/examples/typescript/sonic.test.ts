import assert from "node:assert/strict";
import { test } from "node:test";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { Bedtape } from "@bedtape/client";
import { ask } from "./sonic.js";

test("Nova Sonic calls a tool, and says what the tool has found", async (context) => {
  const session = new Bedtape().session(context.name);
  context.after(() => session.drop());
  await session.respond(
    { operation: "InvokeModelWithBidirectionalStream" },
    {
      conversation: [
        { tool: { name: "weather", input: { city: "Oslo" } } },
        { when: { event: "toolResult", text_contains: "rain" }, text: "Take an umbrella." },
      ],
    },
  );
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const client = new BedrockRuntimeClient({ endpoint: session.url, region: "us-east-1", credentials });
  context.after(() => client.destroy());
  const texts = await ask(client, "Do I need an umbrella in Oslo?", (_, { city }) => ({ [city]: "rain" }));
  assert.deepEqual([...new Set(texts)], ["Take an umbrella."]);
});
