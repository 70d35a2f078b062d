// Calls of the AWS SDK for JavaScript that wait only so long: what client.mjs has no word for.
//
// stdin: [{"endpoint", "handler", "operation", "input", "requestTimeout", "silentAfter"}, ...], told as client.mjs tells
// its jobs. silentAfter: the timeout is short after so many events, because the server sends no more; long before.
// stdout: a JSON list with {"events", "error": {"name", "message", "attempts"}} for each, in order.

import * as bedrock from "@aws-sdk/client-bedrock-runtime";
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler";

const pieces = [];
for await (const piece of process.stdin) pieces.push(piece);

class Observed extends NodeHttp2Handler {
  async handle(...request) {
    const handled = await super.handle(...request);
    this.body = handled.response.body;
    return handled;
  }
}

async function run({ endpoint, handler, operation, input, requestTimeout = 300000, silentAfter }) {
  const requestHandler =
    handler === "http1"
      ? new NodeHttpHandler({ requestTimeout, throwOnRequestTimeout: true })
      : new Observed({ requestTimeout, disableConcurrentStreams: true });
  const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
  const client = new bedrock.BedrockRuntimeClient({ endpoint, region: "us-east-1", credentials, requestHandler });
  const result = { events: [] };
  try {
    const output = await client.send(new bedrock[`${operation}Command`](input));
    for await (const event of output.stream ?? []) {
      result.events.push(event);
      if (result.events.length === silentAfter) requestHandler.body.setTimeout(200);
    }
  } catch (error) {
    result.error = { name: error.name, message: error.message, attempts: error.$metadata?.attempts };
  }
  client.destroy();
  return result;
}

const results = await Promise.all(JSON.parse(Buffer.concat(pieces).toString("utf8")).map(run));
process.stdout.write(JSON.stringify(results));
