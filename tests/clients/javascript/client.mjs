// The AWS SDK for JavaScript at the end of a pipe: calls come in as JSON, what the SDK gives goes out, a line a call.
//
// stdin: {"concurrency": 8, "jobs": [{"lane", "endpoint", "handler", "operation", "input", "maxAttempts"}, ...]}
// Jobs of one lane run one after another, up to `concurrency` lanes at a time; a job without a lane has its own.
// handler: "default" is the SDK's own choice (HTTP/2), "http1" is NodeHttpHandler. maxAttempts: the SDK's, if absent.
//
// stdout: {"index", "output", "events", "error"} a job, in the order in which they end. `output` is what the command
// resolves with less `$metadata` and the stream; `events` the stream's, with what came before an error.
// Bytes are {"$b64": "..."} both ways, timestamps go out as {"$date": "..."}.

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

// Buffers and dates turn themselves into something else before a replacer sees them, so it looks at the holder.
function bytesOut(key, value) {
  const held = this[key];
  if (held instanceof Uint8Array) return { $b64: Buffer.from(held).toString("base64") };
  if (held instanceof Date) return { $date: held.toISOString() };
  return value;
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

const STREAMS = ["stream", "body"];
const isStream = (value) => value?.[Symbol.asyncIterator] !== undefined;

async function run(client, { operation, input }) {
  const result = { output: {}, events: [] };
  try {
    const { $metadata, ...output } = await client.send(new bedrock[`${operation}Command`](input));
    const member = STREAMS.find((name) => isStream(output[name]));
    const { [member]: events = [], ...members } = output;
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

const { concurrency = 1, jobs } = JSON.parse(await read(process.stdin), bytesIn);
const lanes = Map.groupBy ? Map.groupBy([], () => 0) : new Map();
jobs.forEach((job, index) => {
  const lane = job.lane ?? index;
  lanes.set(lane, [...(lanes.get(lane) ?? []), { index, ...job }]);
});
const waiting = [...lanes.values()];
const worker = async () => {
  while (waiting.length) await runLane(waiting.shift());
};
await Promise.all(Array.from({ length: concurrency }, worker));
