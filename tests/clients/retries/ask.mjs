// Asks each prompt once through a framework with its default configuration: `ask.mjs CLIENT PROMPT...`.
// It prints what the framework answers, or the name of its error.

import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { ChatBedrockConverse } from "@langchain/aws";
import { Agent as MastraAgent } from "@mastra/core/agent";
import { Agent, BedrockModel } from "@strands-agents/sdk";

const NOVA = "us.amazon.nova-lite-v1:0";

const CLIENTS = {
  "LangChain.js": async (prompt) => (await new ChatBedrockConverse({ model: NOVA }).invoke(prompt)).content,
  "Strands TS": async (prompt) => {
    const agent = new Agent({ model: new BedrockModel({ modelId: NOVA }), printer: false });
    return String(await agent.invoke(prompt));
  },
  Mastra: async (prompt) => {
    const baseURL = process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME; // it reads no variable for its endpoint
    const model = createAmazonBedrock({ baseURL })(NOVA);
    const agent = new MastraAgent({ id: "agent", name: "agent", instructions: "Be brief.", model });
    return (await agent.generate(prompt)).text;
  },
};

const [client, ...prompts] = process.argv.slice(2);
for (const prompt of prompts) console.log(await CLIENTS[client](prompt).catch((error) => error.name));
process.exit(); // clients keep their connections open
