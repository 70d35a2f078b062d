import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Bedtape, type Session } from "@bedtape/client";
import { ConfiguredRetryStrategy } from "@smithy/core/retry";
import { ATTEMPTS, bedrock, file, MODELS } from "./spam.js";

// As many attempts, and no wait between them.
const retryStrategy = new ConfiguredRetryStrategy(ATTEMPTS, 0);

const WIN = "You have won! Send us your card number.";
let session: Session;

beforeEach((context) => {
  session = new Bedtape().session(context.name); // each test has its own rules, faults and history
});
afterEach(() => session.drop());

test("mail goes where the model says", async () => {
  await session.respond("card number", { json: { label: "spam", confidence: 0.98 } });
  await session.respond("Lunch", 'Sure: {"label": "ham", "confidence": 0.93}');
  const client = bedrock({ endpoint: session.url, retryStrategy });
  assert.deepEqual([await file(WIN, client), await file("Lunch at noon?", client)], ["spam", "inbox"]);
  await session.assertCalled({ prompt_contains: "classify spam", times: 2 });
});

test("a person looks at what is borderline or cannot be read", async () => {
  const borderline = { json: { label: "spam", confidence: 0.55 } };
  await session.respond("classify spam", [borderline, "I cannot say."]);
  const client = bedrock({ endpoint: session.url, retryStrategy });
  assert.deepEqual([await file(WIN, client), await file(WIN, client)], ["review", "review"]);
});

test("throttled twice, it backs off and files the mail", async () => {
  await session.respond("classify spam", { json: { label: "spam", confidence: 0.98 } });
  await session.fail("ThrottlingException", { times: 2 });
  assert.equal(await file(WIN, bedrock({ endpoint: session.url, retryStrategy })), "spam");
  assert.deepEqual((await session.calls()).map((call) => call.status), [429, 429, 200]);
});

test("where a model is dead, a cheaper one answers", async () => {
  await session.respond("classify spam", { json: { label: "spam", confidence: 0.9 } });
  await session.fail("ServiceUnavailableException", { when: { model: MODELS[0]! }, times: 99 });
  assert.equal(await file(WIN, bedrock({ endpoint: session.url, retryStrategy })), "spam");
  await session.assertCalled({ model: MODELS[0], status: 503, times: 3 });
  await session.assertCalled({ model: MODELS[1], status: 200, times: 1 });
});
