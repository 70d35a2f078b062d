// Calls of the AWS SDK for JavaScript that wait only so long: what client.mjs has no word for.
//
// stdin: [{"endpoint", "handler", "operation", "input", "requestTimeout"}, ...], told as client.mjs tells its jobs.
// stdout: a JSON list with {"events", "error": {"name", "message", "attempts"}} for each, in order.

import * as bedrock from "@aws-sdk/client-bedrock-runtime";
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler";

const pieces = [];
for await (const piece of process.stdin) pieces.push(piece);

async function run({ endpoint, handler, operation, input, requestTimeout }) {
  const requestHandler =
    handler === "http1"
      ? new NodeHttpHandler({ requestTimeout, throwOnRequestTimeout: true })
      : new NodeHttp2Handler({ requestTimeout, disableConcurrentStreams: true });
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
  const client = new bedrock.BedrockRuntimeClient({ endpoint, region: "us-east-1", credentials, requestHandler });
  const result = { events: [] };
  try {
    const output = await client.send(new bedrock[`${operation}Command`](input));
    for await (const event of output.stream ?? []) result.events.push(event);
  } catch (error) {
    result.error = { name: error.name, message: error.message, attempts: error.$metadata?.attempts };
  }
  client.destroy();
  return result;
}

const results = await Promise.all(JSON.parse(Buffer.concat(pieces).toString("utf8")).map(run));
process.stdout.write(JSON.stringify(results));
