"""The first test of a project that has vitest, in words that are TypeScript and JavaScript alike. Text only."""

from __future__ import annotations

NAME = "bedrock.test"

TEST = """\
// Bedrock's answers, from cassettes and from rules: no network, no keys, the same every time.
// Run by `bedtape run -- npx vitest run`, which starts the server and points the SDK at it.
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { expect, test } from "vitest";

const server = process.env.BEDTAPE_URL;
if (!server) throw new Error("expected BEDTAPE_URL, found none; run this by: bedtape run -- npx vitest run");

const model = { modelId: "us.amazon.nova-lite-v1:0", inferenceConfig: { maxTokens: 200, temperature: 0 } };

test("a recorded answer is played", async () => {
  const client = new BedrockRuntimeClient();
  const text = "In one sentence: why do teams record their model calls?";
  const answer = await client.send(new ConverseCommand({ ...model, messages: [{ role: "user", content: [{ text }] }] }));
  expect(answer.output?.message?.content?.[0]?.text).toMatch(/^Because a recorded answer is the same every time/);
});

test("throttled twice, it is asked again", async () => {
  // A session of its own: its rules, its faults, its calls.
  const session = `${server}/_bedtape/sessions/throttled`;
  const rule = { when: { prompt_contains: "classify spam" }, answer: { text: "spam" } };
  const fault = { error: "ThrottlingException", times: 2, retry_after_ms: 1 };
  await fetch(`${session}/rules`, { method: "POST", body: JSON.stringify(rule) });
  await fetch(`${session}/faults`, { method: "POST", body: JSON.stringify(fault) });

  const client = new BedrockRuntimeClient({ endpoint: `${server}/s/throttled` });
  const text = "classify spam: cheap watches";
  const answer = await client.send(new ConverseCommand({ ...model, messages: [{ role: "user", content: [{ text }] }] }));
  expect(answer.output?.message?.content?.[0]?.text).toBe("spam");
  const assertion = { called: { prompt_contains: "cheap watches", times: 3 } };
  const found = await fetch(`${session}/assert`, { method: "POST", body: JSON.stringify(assertion) });
  expect(await found.json()).toMatchObject({ passed: true });
});
"""
