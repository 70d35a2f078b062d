// OpenAI's, Anthropic's and Vercel's clients on Chat Completions, Responses and Messages.
//
// stdin: a JSON list of jobs {"client", "url", "stream", "calls", "request", "headers"}; client is a name of CLIENTS, url an endpoint
// without a path. A client with `calls` sends that many, one after the other, with its default retries; without, one,
// without retries. Each asks for the weather in Oslo and offers a tool; `request` has more members of the requests of
// OpenAI's and Anthropic's clients, and `headers` are sent with them. stdout: a JSON list with {"text", "pieces", "tools", "error"} of each, and "stop" and
// "usage" from these clients. `pieces` are the deltas of a stream's text, `tools` the calls, `error` has name, message,
// status, code and type.

import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { createBedrockMantle } from "@ai-sdk/amazon-bedrock/mantle";
import { createOpenAI } from "@ai-sdk/openai";
import { AnthropicBedrockMantle } from "@anthropic-ai/bedrock-sdk";
import Anthropic from "@anthropic-ai/sdk";
import { generateText, jsonSchema, streamText, tool } from "ai";
import OpenAI, { BedrockOpenAI } from "openai";

const [OSS, GPT, CLAUDE] = ["openai.gpt-oss-120b", "openai.gpt-5.4", "anthropic.claude-haiku-4-5"];
const QUESTION = "Weather in Oslo?";
const messages = [{ role: "user", content: QUESTION }];
const schema = { type: "object", properties: { city: { type: "string" } } };
const keys = { region: "us-east-1", accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
const mantle = (url) => `${url}/service/bedrock-mantle`;
const usual = (Client, baseURL, more) => new Client({ baseURL, apiKey: "key", ...more });

async function chat(client, stream, result, _, request) {
  const tools = [{ type: "function", function: { name: "weather", parameters: schema } }];
  const asked = { model: OSS, messages, tools, ...request };
  const runner = stream ? client.chat.completions.stream(asked) : undefined;
  runner?.on("content", (delta) => result.pieces.push(delta));
  const answer = runner ? await runner.finalChatCompletion() : await client.chat.completions.create(asked);
  const { choices } = answer;
  Object.assign(result, { stop: choices[0].finish_reason, usage: answer.usage });
  result.text = choices[0].message.content;
  for (const call of choices[0].message.tool_calls ?? [])
    result.tools.push({ name: call.function.name, input: JSON.parse(call.function.arguments) });
}

async function responses(client, stream, result, _, request) {
  const tools = [{ type: "function", name: "weather", parameters: schema }];
  const asked = { model: GPT, input: QUESTION, tools, ...request };
  const events = stream ? client.responses.stream(asked) : [];
  for await (const event of events) if (event.type === "response.output_text.delta") result.pieces.push(event.delta);
  const answer = stream ? await events.finalResponse() : await client.responses.create(asked);
  Object.assign(result, { stop: answer.incomplete_details?.reason ?? answer.status, usage: answer.usage });
  result.text = answer.output_text;
  for (const item of answer.output)
    if (item.type === "function_call") result.tools.push({ name: item.name, input: JSON.parse(item.arguments) });
}

async function message(client, stream, result, _, request) {
  const tools = [{ name: "weather", input_schema: schema }];
  const asked = { model: CLAUDE, max_tokens: 99, messages, tools, ...request };
  const events = stream ? client.messages.stream(asked) : undefined;
  events?.on("text", (delta) => result.pieces.push(delta));
  const answer = events ? await events.finalMessage() : await client.messages.create(asked);
  const { content } = answer;
  Object.assign(result, { stop: answer.stop_reason, usage: answer.usage });
  result.text = content.map((block) => block.text ?? "").join("");
  for (const block of content) if (block.type === "tool_use") result.tools.push({ name: block.name, input: block.input });
}

async function vercel(model, stream, result, more) {
  const tools = { weather: tool({ inputSchema: jsonSchema(schema) }) };
  const asked = { model, prompt: QUESTION, tools, ...more, onError: () => {} };
  const answer = stream ? streamText(asked) : await generateText(asked);
  if (stream)
    for await (const part of answer.fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "text-delta") result.pieces.push(part.text);
    }
  result.text = await answer.text;
  for (const call of await answer.toolCalls) result.tools.push({ name: call.toolName, input: call.input });
}

const CLIENTS = {
  "openai chat": [chat, (url, more) => usual(OpenAI, `${url}/openai/v1`, more)],
  "openai responses": [responses, (url, more) => usual(OpenAI, `${url}/openai/v1`, more)],
  "openai bedrock chat": [chat, (url, more) => usual(BedrockOpenAI, `${mantle(url)}/openai/v1`, more)],
  "openai bedrock responses": [responses, (url, more) => usual(BedrockOpenAI, `${mantle(url)}/openai/v1`, more)],
  "anthropic messages": [message, (url, more) => usual(Anthropic, `${url}/anthropic`, more)],
  "anthropic mantle messages": [message, (url, more) => usual(AnthropicBedrockMantle, `${mantle(url)}/anthropic`, more)],
  "vercel converse": [vercel, (url) => createAmazonBedrock({ ...keys, baseURL: url })("us.amazon.nova-lite-v1:0")],
  "vercel mantle chat": [
    vercel,
    (url) => createBedrockMantle({ ...keys, baseURL: `${mantle(url)}/v1` }).chat(OSS),
  ],
  "vercel mantle responses": [
    vercel,
    (url) => createBedrockMantle({ ...keys, baseURL: `${mantle(url)}/openai/v1` }).responses(GPT),
  ],
  "vercel openai chat": [vercel, (url) => createOpenAI({ baseURL: `${url}/openai/v1`, apiKey: "key" }).chat(OSS)],
  "vercel openai responses": [
    vercel,
    (url) => createOpenAI({ baseURL: `${url}/openai/v1`, apiKey: "key" }).responses(GPT),
  ],
};

async function run({ client, url, stream, calls, request, headers }) {
  const [ask, make] = CLIENTS[client];
  const more = { ...(calls ? {} : { maxRetries: 0 }), ...(headers && { defaultHeaders: headers }) };
  const made = make(url, more);
  let result;
  for (let call = 0; call < (calls ?? 1); call++) {
    result = { text: "", pieces: [], tools: [], error: null };
    try {
      await ask(made, stream, result, more, request);
    } catch (error) {
      const { name, message, status = error.statusCode, code, type } = error;
      result.error = { name, message, status, code, type };
    }
  }
  return result;
}

const pieces = [];
for await (const piece of process.stdin) pieces.push(piece);
const results = await Promise.all(JSON.parse(Buffer.concat(pieces).toString("utf8")).map(run));
process.stdout.write(JSON.stringify(results));
