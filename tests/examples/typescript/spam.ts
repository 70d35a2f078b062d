// Files mail: a model says whether it is spam, and a person looks at what the model is unsure of.

import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  BedrockRuntimeServiceException,
  ConverseCommand,
} from "@aws-sdk/client-bedrock-runtime";

export type Folder = "inbox" | "spam" | "review";

// The better one first; the cheaper one answers where that is dead.
export const MODELS = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-lite-v1:0"];
const DEAD = ["ModelErrorException", "ResourceNotFoundException", "ServiceUnavailableException"];
const SURE = 0.8;
export const ATTEMPTS = 3;

export function bedrock(options: BedrockRuntimeClientConfig = {}): BedrockRuntimeClient {
  return new BedrockRuntimeClient({ maxAttempts: ATTEMPTS, retryMode: "standard", ...options }); // waits between attempts
}

export async function file(mail: string, client: BedrockRuntimeClient): Promise<Folder> {
  const prompt = `Please classify spam: answer {"label", "confidence"}.\n\n${mail}`;
  const { label, confidence } = read(await ask(client, prompt));
  if (confidence < SURE) return "review";
  return label === "spam" ? "spam" : "inbox";
}

async function ask(client: BedrockRuntimeClient, prompt: string): Promise<string> {
  const messages = [{ role: "user" as const, content: [{ text: prompt }] }];
  for (const [index, modelId] of MODELS.entries()) {
    try {
      const answer = await client.send(new ConverseCommand({ modelId, messages }));
      return answer.output?.message?.content?.map((block) => block.text ?? "").join("") ?? "";
    } catch (error) {
      const dead = error instanceof BedrockRuntimeServiceException && DEAD.includes(error.name);
      if (!dead || index === MODELS.length - 1) throw error;
    }
  }
  throw new Error("no models");
}

/** What the model said; what cannot be read is nothing to be sure of. */
function read(answer: string): { label: string; confidence: number } {
  try {
    const { label, confidence } = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1));
    if (["spam", "ham"].includes(label) && typeof confidence === "number") return { label, confidence };
  } catch {
    // No JSON: as if it were unsure.
  }
  return { label: "", confidence: 0 };
}
