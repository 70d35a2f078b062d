// Asks each prompt once through a client with its default configuration: `retries.mjs CLIENT PROMPT...`.
// It prints what the client answers, or the name of its error.

import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { generateText } from "ai";
import { BedrockOpenAI } from "openai";

const CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

const CLIENTS = {
  "AWS SDK": async (prompt) => {
    const messages = [{ role: "user", content: [{ text: prompt }] }];
    const answer = await new BedrockRuntimeClient().send(new ConverseCommand({ modelId: CLAUDE, messages }));
    return answer.output.message.content[0].text;
  },
  AnthropicBedrock: async (prompt) => {
    const messages = [{ role: "user", content: prompt }];
    const answer = await new AnthropicBedrock().messages.create({ model: CLAUDE, max_tokens: 99, messages });
    return answer.content[0].text;
  },
  openai: async (prompt) => {
    const client = new BedrockOpenAI({ apiKey: "any" }); // it does not sign: it needs a key
    return (await client.responses.create({ model: "openai.gpt-oss-120b", input: prompt })).output_text;
  },
  "Vercel AI": async (prompt) => {
    const baseURL = process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME; // it reads no variable for its endpoint
    return (await generateText({ model: createAmazonBedrock({ baseURL })(CLAUDE), prompt })).text;
  },
};

const [client, ...prompts] = process.argv.slice(2);
for (const prompt of prompts) console.log(await CLIENTS[client](prompt).catch((error) => error.name));
