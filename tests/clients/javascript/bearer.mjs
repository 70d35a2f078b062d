// Calls Converse of the AWS SDK for JavaScript with nothing but the environment, and prints the answer's text.
// tests/clients/test_tls.py runs it by `bedtape run`.

import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";

const client = new BedrockRuntimeClient({});
const messages = [{ role: "user", content: [{ text: "hi" }] }];
const answer = await client.send(new ConverseCommand({ modelId: "amazon.nova-lite-v1:0", messages }));
process.stdout.write(answer.output.message.content[0].text);
client.destroy();
