// One Converse request, unsigned and without retries, to the endpoint of the environment.
export async function converse(text, url = process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME) {
  const response = await fetch(`${url}/model/us.amazon.nova-lite-v1%3A0/converse`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: [{ text }] }] }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer.output.message.content[0].text;
}
