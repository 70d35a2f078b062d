// The client against the server that BEDTAPE_URL names: what it lays takes effect on requests to the session's URL.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import openapiTS, { astToString } from "openapi-typescript";
import { Bedtape, BedtapeError, CallsMismatch, type Session } from "../src/index.js";

const MODEL = "us.amazon.nova-lite-v1:0";
const bedtape = new Bedtape();

/** The test's own session; its name has to be quoted in paths. */
function own(context: TestContext): Session {
  const session = bedtape.session(`${context.name} / ä`);
  context.after(() => session.drop());
  return session;
}

/** One Converse request, unsigned and never retried: the status, and the text or the error's message. */
async function converse(session: Session, text: string, headers = {}): Promise<[number, string]> {
  const response = await fetch(`${session.url}/model/${encodeURIComponent(MODEL)}/converse`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ messages: [{ role: "user", content: [{ text }] }] }),
  });
  const body = await response.json();
  return [response.status, response.ok ? body.output.message.content[0].text : body.message];
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
  const gone = await rejection(one.drop());
  assert.ok(gone instanceof BedtapeError);
  assert.equal(gone.status, 404);
  await two.drop();
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
    assert.throws(() => new Bedtape(), /bedtape run -- npm test/);
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
