"""The first test of a project with vitest, in TypeScript that is JavaScript. Text."""

from __future__ import annotations

NAME = "bedrock.test"

TEST = """\
// Bedrock's answers, from cassettes and from rules: no network, no keys, the same every time.
// `bedtape run -- npx vitest run` starts the server and points the SDK at it.
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { fastRetries } from "@bedtape/client";
import { test } from "@bedtape/client/vitest";
import { expect } from "vitest";

// Your own code stands here: it calls Bedrock as it always does.
async function ask(text = "", options = {}) {
  const client = new BedrockRuntimeClient(options);
  const answer = await client.send(
    new ConverseCommand({
      modelId: "us.amazon.nova-lite-v1:0",
      messages: [{ role: "user", content: [{ text }] }],
      inferenceConfig: { maxTokens: 200, temperature: 0 },
    }),
  );
  return answer.output?.message?.content?.[0]?.text;
}

test("a recorded answer is played", async () => {
  const answer = await ask("In one sentence: why do teams record their model calls?");
  expect(answer).toMatch(/^Because a recorded answer is the same every time/);
});

test("throttled twice, it is asked again", async ({ bedrock }) => {
  await bedrock.respond("classify spam", "spam");
  await bedrock.fail("ThrottlingException", { times: 2 });
  const answer = await ask("classify spam: cheap watches", { retryStrategy: fastRetries() });
  expect(answer).toBe("spam");
  await bedrock.assertCalled("cheap watches", { times: 3 });
});
"""
