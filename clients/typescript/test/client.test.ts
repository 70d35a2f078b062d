// The client against the server that BEDTAPE_URL names: what it lays takes effect on requests to the session's URL.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import openapiTS, { astToString } from "openapi-typescript";
import { Bedtape, BedtapeError, CallsMismatch, fastRetries, type Session } from "../src/index.js";

const MODEL = "us.amazon.nova-lite-v1:0";
const bedtape = new Bedtape();

/** The test's own session; its name has to be quoted in paths. */
function own(context: TestContext): Session {
  const session = bedtape.session(`${context.name} / ä`);
  context.after(() => session.drop());
  return session;
}

// The verdict judges attempts over one connection.
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** One Converse request, unsigned and never retried: the status, and the text or the error's message. */
async function converse(session: Session, text: string, headers = {}): Promise<[number, string]> {
  const options = { method: "POST", agent, headers: { "content-type": "application/json", ...headers } };
  const sent = request(`${session.url}/model/${encodeURIComponent(MODEL)}/converse`, options);
  sent.end(JSON.stringify({ messages: [{ role: "user", content: [{ text }] }] }));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const body = JSON.parse((await response.toArray()).join(""));
  const status = response.statusCode ?? 0;
  return [status, status === 200 ? body.output.message.content[0].text : body.message];
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  throw new assert.AssertionError({ message: "expected a rejection, found none" });
}

test("rules answer: text, JSON, several in turn, and only so often", async (context) => {
  const session = own(context);
  assert.equal(await session.respond("classify", { json: { label: "spam" } }, { name: "judge" }), "judge");
  assert.equal(await session.respond({ model: "*nova*" }, ["one", { text: "two" }], { times: 2 }), "rule-1");
  await session.respond({}, "whatever");
  const asked = ["classify this", "1", "2", "3"];
  const texts: string[] = [];
  for (const text of asked) texts.push((await converse(session, text))[1]);
  assert.deepEqual([JSON.parse(texts[0]!), ...texts.slice(1)], [{ label: "spam" }, "one", "two", "whatever"]);
});

test("a session that made no call can be dropped, and dropped again", async () => {
  const session = bedtape.session("without calls");
  await session.drop();
  await session.drop();
});

test("faults fail calls, once unless more is said", async (context) => {
  const session = own(context);
  await session.respond({}, "fine");
  await session.fail("ThrottlingException");
  assert.deepEqual([(await converse(session, "1"))[0], (await converse(session, "2"))[0]], [429, 200]);
  await session.fail("ModelNotReadyException", { when: { prompt_contains: "broken" }, times: 2, message: "Wait." });
  assert.deepEqual(await converse(session, "broken"), [429, "Wait."]);
  assert.deepEqual(await converse(session, "whole"), [200, "fine"]);
  await session.fault({ http: { status: 418, text: "{}" } });
  assert.equal((await converse(session, "whole"))[0], 418);
});

test("calls are told, chosen and asserted", async (context) => {
  const session = own(context);
  await session.respond({}, "fine");
  await session.fail("ThrottlingException");
  for (let n = 0; n < 102; n++) await converse(session, `number ${n}`);
  const calls = await session.calls();
  assert.deepEqual([calls.length, calls[0]?.error, calls[101]?.model], [102, "ThrottlingException", MODEL]);
  assert.equal((await session.calls({ status: 429 })).length, 1);
  await session.assertCalled({ model: "*nova*", times: 102 });
  await session.assertCalled({ status: 429, times: 1 });
  const wrong = await rejection(session.assertCalled({ prompt_contains: "number 7777" }));
  assert.ok(wrong instanceof CallsMismatch);
  assert.match(wrong.message, /number 7777/);
  assert.match(wrong.message, /Nearest/);
});

test("sessions are apart; one that is reset has nothing, one that is dropped is gone", async () => {
  const [one, two] = [bedtape.session("apart one"), bedtape.session("apart two")];
  await one.respond({}, "one");
  assert.equal((await converse(one, "hello"))[1], "one");
  assert.match((await converse(two, "hello"))[1], /No recording answers/);
  await one.reset();
  assert.deepEqual(await one.calls(), []);
  assert.match((await converse(one, "hello"))[1], /No recording answers/);
  await one.drop();
  assert.deepEqual(await one.calls(), []);
  await two.drop();
});

test("assertions: not called, in sequence, all used, all played", async (context) => {
  const session = own(context);
  await session.respond("first", "1", { name: "one" });
  await session.respond("second", "2");
  await session.fault({ latency: { first_byte_ms: 1 }, when: { prompt_contains: "slow" } });
  await converse(session, "first");
  await session.assertNotCalled("second");
  assert.ok((await rejection(session.assertNotCalled("first"))) instanceof CallsMismatch);
  await converse(session, "first again");
  await converse(session, "second");
  await session.assertCalled("first", { times: 2 });
  const steps = [{ prompt_contains: "first" }, { prompt_contains: "second" }];
  await session.assertSequence(steps);
  await session.assertSequence([steps[0]!, ...steps], { consecutive: true });
  assert.ok((await rejection(session.assertSequence(steps.reverse()))) instanceof CallsMismatch);
  assert.deepEqual(await session.unused(), ['fault-1 (prompt_contains="slow")']);
  assert.ok((await rejection(session.assertAllUsed())) instanceof CallsMismatch);
  await session.remove("fault-1");
  await session.assertAllUsed();
  await session.play("hello");
  assert.equal((await session.unplayed()).length, 2);
  assert.ok((await rejection(session.assertAllPlayed())) instanceof CallsMismatch);
  await session.forgetCalls();
  await session.assertNotCalled();
});

test("features of the service are simulated, and a cache that takes effect is asserted", async (context) => {
  const session = own(context);
  await session.respond({}, "fine");
  await session.simulate({ caching: { automatic: true, minimum_tokens: 1 } });
  const long = "a long question ".repeat(100);
  await converse(session, long);
  assert.match((await rejection(session.assertCached())).message, /at least 1 token from a prompt cache/);
  await converse(session, long);
  await session.assertCached("long question", { at_least_tokens: 128 });
  assert.ok((await rejection(session.assertCached("short"))) instanceof CallsMismatch);
  await session.simulate({ limits: { max_output_tokens: 10, context_tokens: 20 } });
  assert.match((await converse(session, long))[1], /Input Tokens Exceeded/);
});

test("layers are read, replaced and removed; a seed repeats the same choices", async (context) => {
  const session = own(context);
  const overlay = {
    seed: 7,
    rules: [{ name: "maybe", probability: 0.5, answer: { text: "by chance" } }, { answer: { text: "else" } }],
  };
  const draws: string[][] = [];
  for (const seed of [7, 7, 8]) {
    await session.reset();
    await session.setOverlay({ ...overlay, seed });
    const texts: string[] = [];
    for (let n = 0; n < 16; n++) texts.push((await converse(session, `number ${n}`))[1]);
    draws.push(texts);
  }
  assert.deepEqual(draws[0], draws[1]);
  assert.notDeepEqual(draws[0], draws[2]);
  const layers = await session.overlay();
  assert.deepEqual([layers.seed, layers.rules.map((rule) => rule.name)], [8, ["maybe", "rule-2"]]);
  assert.equal(layers.rules[0]!.fired + layers.rules[1]!.fired, 16);
  await session.remove("maybe");
  assert.equal((await converse(session, "number 0"))[1], "else");
  assert.match((await rejection(session.remove("maybe"))).message, /no layer of its own named 'maybe'/);
  await session.clear();
  assert.deepEqual((await session.overlay()).rules, []);
});

test("a script answers its turns in order, and another call is an error", async (context) => {
  const session = own(context);
  await session.script([["hello", "hi"], { expect: { prompt_contains: "bye" }, answer: { text: "see you" } }]);
  assert.deepEqual(await converse(session, "hello"), [200, "hi"]);
  assert.equal((await converse(session, "unexpected"))[0], 400);
  assert.deepEqual(await converse(session, "bye"), [200, "see you"]);
});

test("a session plays the cassette that it chooses, each recording once if strict", async (context) => {
  const session = own(context);
  assert.ok((await bedtape.cassettes()).some((cassette) => cassette.name === "hello"));
  assert.equal((await bedtape.health()).status, "ok");
  await session.play("hello", { strict: true });
  const { cassette, strict } = await session.state();
  assert.deepEqual({ cassette, strict }, { cassette: "hello", strict: true });
  assert.match((await rejection(session.play("no such"))).message, /no such/);
  await session.play(null);
  assert.equal((await session.state()).cassette, null);
});

test("the clock is advanced", async () => {
  const before = await bedtape.now();
  assert.equal(await bedtape.advance(60), before + 60);
  assert.equal(await bedtape.session("clock").advance(60), before + 120);
});

test("fast retries are those of the standard mode, without waits", async () => {
  const strategy = fastRetries(3);
  const first = await strategy.acquireInitialRetryToken("");
  const second = await strategy.refreshRetryTokenForRetry(first, { errorType: "THROTTLING" });
  assert.deepEqual([second.getRetryCount(), second.getRetryDelay(), await strategy.maxAttempts()], [1, 0, 3]);
  const third = await strategy.refreshRetryTokenForRetry(second, { errorType: "TRANSIENT" });
  await rejection(strategy.refreshRetryTokenForRetry(third, { errorType: "THROTTLING" }));
  await rejection(strategy.refreshRetryTokenForRetry(first, { errorType: "CLIENT_ERROR" }));
});

test("the verdict names what was retried wrongly", async (context) => {
  const session = own(context);
  assert.deepEqual(await session.verdict(), []);
  await session.fail("ValidationException", { times: 5 });
  await session.respond({}, "fine");
  for (const attempt of [1, 2]) {
    const sdk = { "amz-sdk-invocation-id": "0001", "amz-sdk-request": `attempt=${attempt}; max=3` };
    await converse(session, "the same again", sdk);
  }
  const kinds: string[] = (await session.verdict()).map((finding) => finding.kind);
  assert.ok(kinds.includes("retried_what_it_must_not"), kinds.join());
});

test("what the server refuses is an error that says why", async () => {
  const session = bedtape.session("refused");
  // @ts-expect-error the types refuse it too
  const refused = await rejection(session.respond({ modle: "*" }, "text"));
  assert.ok(refused instanceof BedtapeError);
  assert.equal(refused.status, 400);
  assert.match(refused.message, /modle/);
  const nobody = await rejection(new Bedtape("http://127.0.0.1:1").session("x").calls());
  assert.match(nobody.message, /no server answers at http:\/\/127\.0\.0\.1:1/);
});

test("a control token is brought along, and what is no bedtape server is named so", async (context) => {
  const other = createServer((request, response) => {
    response.writeHead(502).end(`token ${request.headers["x-bedtape-token"]}`);
  });
  context.after(() => other.close());
  await new Promise<void>((listening) => other.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
  const refused = await rejection(new Bedtape(url, { token: "a-token-of-ours" }).session("x").calls());
  assert.equal(refused.message, "expected a bedtape server's answer, found token a-token-of-ours");
});

test("without a URL it says how to get one", () => {
  const url = process.env.BEDTAPE_URL;
  delete process.env.BEDTAPE_URL;
  try {
    assert.throws(() => new Bedtape(), /npx bedtape run -- npm test/);
  } finally {
    process.env.BEDTAPE_URL = url;
  }
});

test("the types are those of the server's OpenAPI document", async () => {
  const generated = astToString(await openapiTS(new URL(`${bedtape.url}/_bedtape/openapi.json`)));
  const kept = await readFile("src/api.d.ts", "utf8");
  const rest = kept.slice(kept.indexOf("*/") + 2); // less the generator's header
  const fix = "src/api.d.ts is out of date: run `npm run generate` beside `bedtape replay`";
  assert.equal(rest.trim(), generated.trim(), fix);
});
