// One conversation over a bidirectional stream. Its steps are read from the standard input:
// {"send": value} sends an event, and {"await": name} waits until an event with that name has come once more.
// The input ends with {"end": true}; without it, the input stays open until the answer ends.
// Each event that comes is printed as JSON, and then the error, if there is one.

import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { readFileSync } from "node:fs";

const job = JSON.parse(readFileSync(0, "utf8"));
const credentials = { accessKeyId: job.accessKeyId ?? "AKIDEXAMPLE", secretAccessKey: "secret" };
const handler = job.handler === "http1" ? { requestHandler: new NodeHttpHandler() } : {};
const client = new BedrockRuntimeClient({ endpoint: job.endpoint, region: "us-east-1", credentials, ...handler });
const print = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const counts = new Map();
let over = false;
let wake = () => {};

async function until(condition) {
  while (!over && !condition()) await new Promise((resolve) => (wake = resolve));
}

async function* body() {
  const awaited = new Map();
  for (const step of job.steps) {
    if ("await" in step) {
      const wanted = (awaited.get(step.await) ?? 0) + 1;
      awaited.set(step.await, wanted);
      await until(() => (counts.get(step.await) ?? 0) >= wanted);
    } else if (step.end) {
      return;
    } else {
      yield { chunk: { bytes: Buffer.from(JSON.stringify(step.send)) } };
    }
  }
  await until(() => false);
}

try {
  const command = new InvokeModelWithBidirectionalStreamCommand({ modelId: job.model, body: body() });
  for await (const event of (await client.send(command)).body) {
    const value = JSON.parse(Buffer.from(event.chunk.bytes).toString());
    const [name] = Object.keys(value.event ?? {});
    counts.set(name, (counts.get(name) ?? 0) + 1);
    print(value);
    wake();
  }
} catch (error) {
  print({ error: error.name, message: error.message, status: error.$metadata?.httpStatusCode });
}
over = true;
wake();
client.destroy();
