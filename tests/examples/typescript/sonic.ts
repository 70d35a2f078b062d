// A conversation with Nova Sonic: the user asks, the model calls a tool, the program returns its result.

import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from "@aws-sdk/client-bedrock-runtime";

type Json = { [name: string]: any };
const encode = (event: Json) => ({ chunk: { bytes: Buffer.from(JSON.stringify({ event })) } });

function* content(type: string, role: string, event: Json): Generator<Json> {
  const names = { promptName: "p", contentName: `${type}-${role}` };
  const tool = event["toolResult"] ? { toolResultInputConfiguration: { toolUseId: event["toolUseId"] } } : {};
  yield { contentStart: { ...names, type, role, interactive: role === "USER", ...tool } };
  yield event["toolResult"]
    ? { toolResult: { ...names, content: JSON.stringify(event["toolResult"]) } }
    : { textInput: { ...names, content: event["text"] } };
  yield { contentEnd: names };
}

/** Asks one question and returns what the model says. `tool` computes the result of its tool call. */
export async function ask(
  client: BedrockRuntimeClient,
  question: string,
  tool: (name: string, input: Json) => Json,
): Promise<string[]> {
  let use: (event: Json) => void = () => {};
  const used = new Promise<Json>((resolve) => (use = resolve));

  async function* input() {
    yield encode({ sessionStart: { inferenceConfiguration: { maxTokens: 1024 } } });
    yield encode({ promptStart: { promptName: "p", textOutputConfiguration: { mediaType: "text/plain" } } });
    for (const event of content("TEXT", "USER", { text: question })) yield encode(event);
    const { toolName, toolUseId, content: given } = await used;
    const toolResult = tool(toolName, JSON.parse(given));
    for (const event of content("TOOL", "TOOL", { toolResult, toolUseId })) yield encode(event);
    yield encode({ promptEnd: { promptName: "p" } });
    yield encode({ sessionEnd: {} });
  }

  const command = new InvokeModelWithBidirectionalStreamCommand({ modelId: "amazon.nova-sonic-v1:0", body: input() });
  const texts: string[] = [];
  for await (const event of (await client.send(command)).body!) {
    const output = JSON.parse(Buffer.from(event.chunk!.bytes!).toString()).event;
    if (output.toolUse) use(output.toolUse);
    if (output.textOutput?.role === "ASSISTANT") texts.push(output.textOutput.content);
  }
  return texts;
}
