// The AWS SDK for JavaScript at the end of a pipe: calls come in as JSON, what the SDK gives goes out, a line a call.
//
// stdin: {"concurrency": 8, "jobs": [{"lane", "endpoint", "handler", "operation", "input", "maxAttempts"}, ...]}
// Jobs of one lane run one after another, up to `concurrency` lanes at a time; a job without a lane has its own.
// handler: "default" is the SDK's own choice (HTTP/2), "http1" is NodeHttpHandler. maxAttempts: the SDK's, if absent.
//
// stdout: {"index", "output", "events", "error"} a job, in the order in which they end. `output` is what the command
// resolves with less `$metadata` and the stream; `events` are the stream's, up to an error if there is one.
// Bytes are {"$b64": "..."} both ways.

import * as bedrock from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

function bytesIn(_, value) {
  return typeof value?.$b64 === "string" ? Uint8Array.from(Buffer.from(value.$b64, "base64")) : value;
}

function bytesOut(_, value) {
  return value instanceof Uint8Array ? { $b64: Buffer.from(value).toString("base64") } : value;
}

function clientFor({ endpoint, handler, maxAttempts }) {
  return new bedrock.BedrockRuntimeClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
    ...(maxAttempts && { maxAttempts }),
    ...(handler === "http1" && { requestHandler: new NodeHttpHandler() }),
  });
}

function errorOf(error) {
  const { attempts, httpStatusCode } = error.$metadata ?? {};
  return { name: error.name, message: error.message, attempts, status: httpStatusCode };
}

const isStream = (value) => value?.[Symbol.asyncIterator] !== undefined;

async function run(client, { operation, input }) {
  const result = { output: {}, events: [] };
  try {
    const { $metadata, ...output } = await client.send(new bedrock[`${operation}Command`](input));
    const streamed = Object.keys(output).find((name) => isStream(output[name]));
    const { [streamed]: events = [], ...members } = output;
    result.output = members;
    for await (const event of events) result.events.push(event);
  } catch (error) {
    result.error = errorOf(error);
  }
  return result;
}

async function runLane(jobs) {
  for (const { index, ...job } of jobs) {
    const client = clientFor(job);
    const result = await run(client, job);
    client.destroy();
    process.stdout.write(JSON.stringify({ index, ...result }, bytesOut) + "\n");
  }
}

function lanesOf(jobs) {
  const lanes = new Map();
  jobs.forEach((job, index) => {
    const lane = job.lane ?? index;
    if (!lanes.has(lane)) lanes.set(lane, []);
    lanes.get(lane).push({ index, ...job });
  });
  return [...lanes.values()];
}

const { concurrency = 1, jobs } = JSON.parse(await read(process.stdin), bytesIn);
const waiting = lanesOf(jobs);
const worker = async () => {
  while (waiting.length) await runLane(waiting.shift());
};
await Promise.all(Array.from({ length: concurrency }, worker));
