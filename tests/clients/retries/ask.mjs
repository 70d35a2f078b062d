// Asks each prompt once through a framework with its default configuration: `ask.mjs CLIENT PROMPT...`.
// It prints what the framework answers, or the name of its error.

import { ChatBedrockConverse } from "@langchain/aws";
import { Agent, BedrockModel } from "@strands-agents/sdk";

const NOVA = "us.amazon.nova-lite-v1:0";

const CLIENTS = {
  "LangChain.js": async (prompt) => (await new ChatBedrockConverse({ model: NOVA }).invoke(prompt)).content,
  "Strands TS": async (prompt) => {
    const agent = new Agent({ model: new BedrockModel({ modelId: NOVA }), printer: false });
    return String(await agent.invoke(prompt));
  },
};

const [client, ...prompts] = process.argv.slice(2);
for (const prompt of prompts) console.log(await CLIENTS[client](prompt).catch((error) => error.name));
process.exit(); // clients keep their connections open
