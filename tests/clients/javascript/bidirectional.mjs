// A bidirectional stream in lock step: an event goes out when the one before was echoed. The secret key is the argument.

import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from "@aws-sdk/client-bedrock-runtime";
const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: process.argv[2] };
const client = new BedrockRuntimeClient({ endpoint: process.env.UPSTREAM, region: "us-east-1", credentials });
let echoed = () => {};
async function* body() {
  for (const text of ["one", "two", "three"]) {
    const answered = new Promise((resolve) => (echoed = resolve));
    yield { chunk: { bytes: Buffer.from(text) } };
    await answered;
  }
}
try {
  const command = new InvokeModelWithBidirectionalStreamCommand({ modelId: "amazon.nova-sonic-v1:0", body: body() });
  for await (const event of (await client.send(command)).body) {
    console.log(JSON.stringify(Buffer.from(event.chunk.bytes).toString()));
    echoed();
  }
} catch (error) {
  console.log(JSON.stringify(error.name));
}
client.destroy();
