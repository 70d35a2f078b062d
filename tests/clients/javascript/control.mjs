// The control API as a test in JavaScript uses it: nothing but fetch, and the AWS SDK for the code under test.
//
// stdin: {"server", "session", "model"}. stdout: JSON of what each step gave.

import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";

const pieces = [];
for await (const piece of process.stdin) pieces.push(piece);
const { server, session, model } = JSON.parse(Buffer.concat(pieces).toString("utf8"));
const own = `${server}/_bedtape/sessions/${encodeURIComponent(session)}`;

async function ask(method, url, body) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
}

const client = new BedrockRuntimeClient({
  endpoint: `${server}/s/${encodeURIComponent(session)}`,
  region: "us-east-1",
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
});

async function converse(text) {
  const messages = [{ role: "user", content: [{ text }] }];
  const answer = await client.send(new ConverseCommand({ modelId: model, messages }));
  return answer.output.message.content[0].text;
}

const rule = await ask("POST", `${own}/rules`, { when: { prompt_contains: "spam" }, answer: { json: { label: "spam" } } });
const fault = await ask("POST", `${own}/faults`, { error: "ThrottlingException", times: 1, retry_after_ms: 1 });
const said = await converse("is this spam?");
const calls = await ask("GET", `${own}/calls?prompt_contains=spam`);
const passed = await ask("POST", `${own}/assert`, { called: { prompt_contains: "spam", attempts: 2 } });
const failed = await ask("POST", `${own}/assert`, { not_called: { prompt_contains: "spam" } });
const refused = await ask("POST", `${own}/rules`, { when: { turn: 0 }, answer: {} });
const gone = await ask("DELETE", own);
client.destroy();
process.stdout.write(JSON.stringify({ rule, fault, said, calls, passed, failed, refused, gone }));
