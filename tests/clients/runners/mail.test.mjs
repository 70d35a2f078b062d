// The same tests for each runner: RUNNER is replaced by its name. Two of them must fail.
import assert from "node:assert/strict";
import { test } from "@bedtape/client/RUNNER";
import { converse } from "./converse.mjs";

test("a rule answers", async ({ bedrock }) => {
  await bedrock.respond("classify", "spam");
  assert.equal(await converse("classify this"), "spam");
  await bedrock.assertCalled("classify", { times: 1 });
});

test("a session is new", async ({ bedrock }) => {
  assert.deepEqual(await bedrock.calls(), []);
  assert.equal(bedrock.name, "tests/mail/a-session-is-new");
  assert.ok(bedrock.url.endsWith("/s/tests%2Fmail%2Fa-session-is-new"));
  assert.equal(process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME, bedrock.url);
});

test("a wrong answer fails", async ({ bedrock }) => {
  await bedrock.respond("classify", "ham");
  assert.equal(await converse("classify that"), "spam");
});

test("a miss fails", async () => {
  await converse("unknown").catch(() => undefined);
});

test.skip("a test that does not run", async () => assert.fail());
