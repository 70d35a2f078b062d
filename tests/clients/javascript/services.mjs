// Calls operations of the services around the models with the AWS SDK for JavaScript, and prints what it reads.
// Input: {"endpoint": URL, "calls": [{"package", "client", "command", "input", "stream", "body"}]}. An endpoint of a
// service is URL/service/NAME. stream: the member with the events. body: the member with bytes.

import { readFileSync } from "node:fs";

const told = JSON.parse(readFileSync(0, "utf8"), (_, value) =>
  value?.$b64 === undefined ? value : Buffer.from(value.$b64, "base64"),
);

const text = (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value);

for (const call of told.calls) {
  const sdk = await import(`@aws-sdk/client-${call.service}`);
  const client = new sdk[call.client]({
    endpoint: `${told.endpoint}/service/${call.service}`,
    region: "us-east-1",
    credentials: { accessKeyId: "bedtape", secretAccessKey: "bedtape" },
    maxAttempts: 1,
  });
  const output = await client.send(new sdk[call.command](call.input));
  delete output.$metadata;
  const events = [];
  if (call.stream) {
    try {
      for await (const event of output[call.stream]) {
        const [[name, value]] = Object.entries(event);
        events.push({ [name]: value?.bytes ? { ...value, bytes: Buffer.from(value.bytes).toString() } : value });
      }
    } catch (error) {
      events.push({ error: error.name, message: error.message });
    }
    delete output[call.stream];
  }
  if (call.body) output[call.body] = await output[call.body].transformToString();
  console.log(JSON.stringify({ output, events }, text));
  client.destroy();
}
