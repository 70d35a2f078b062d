// A call as text to use elsewhere: a curl command, boto3 code, a rule of an overlay, a test. And the answer to a miss.

import { path, post, report } from "./api.js";
import { el, fold, link, say, verbatim } from "./dom.js";

const json = (value) => JSON.stringify(value, null, 2);
const METHODS = { Converse: "converse", ConverseStream: "converse_stream", InvokeModel: "invoke_model", InvokeModelWithResponseStream: "invoke_model_with_response_stream" };
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A JSON value as Python writes it. JSON's strings are strings of Python. */
function python(value, indent = "") {
  const inner = `${indent}    `;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return value.length ? `[\n${value.map((each) => `${inner}${python(each, inner)},\n`).join("")}${indent}]` : "[]";
  if (typeof value === "object") {
    const members = Object.entries(value).map(([name, each]) => `${inner}${JSON.stringify(name)}: ${python(each, inner)},\n`);
    return members.length ? `{\n${members.join("")}${indent}}` : "{}";
  }
  return JSON.stringify(value);
}

function endpoint(call) {
  const origin = report === null ? location.origin : "http://127.0.0.1:4566";
  return call.session === "default" || report !== null ? origin : `${origin}/s/${path(call.session)}`;
}

function curl(call) {
  const type = call.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  const lines = [`curl --request ${call.method} ${shell(endpoint(call) + call.path)}`];
  if (type) lines.push(`--header ${shell(`content-type: ${type}`)}`);
  if (call.body) lines.push(`--data-raw ${shell(call.body)}`);
  return lines.join(" \\\n  ");
}

function object(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** The call of a method of boto3's client, or null if the operation has none here. */
function invocation(call, indent = "") {
  const method = METHODS[call.operation];
  const body = object(call.body);
  if (!method || body === null || call.model === null) return null;
  const inner = `${indent}    `;
  const given = method.startsWith("invoke") ? { body: `json.dumps(${python(body, inner)})` } : Object.fromEntries(Object.entries(body).map(([name, value]) => [name, python(value, inner)]));
  const members = Object.entries({ modelId: JSON.stringify(call.model), ...given }).map(([name, value]) => `${inner}${name}=${value},\n`);
  return `client.${method}(\n${members.join("")}${indent})`;
}

const imports = (code, ...names) => [...names, ...(code.includes("json.dumps") ? ["json"] : [])].sort().map((name) => `import ${name}\n`).join("");

function boto3(call) {
  const code = invocation(call);
  if (code === null) return null;
  return `${imports(code, "boto3")}\nclient = boto3.client(\n    "bedrock-runtime",\n    endpoint_url=${JSON.stringify(endpoint(call))},\n    region_name=${JSON.stringify(call.region ?? "us-east-1")},\n)\nanswer = ${code}\nprint(answer)\n`;
}

/** The call's answer as an overlay has it; a text to replace if it has none. */
function answerOf(call, answer) {
  if (call.source !== "miss" && call.error) return { error: call.error, ...(call.message ? { message: call.message } : {}) };
  const tool = answer.blocks.find((block) => block.kind === "tooluse");
  const text = answer.blocks.filter((block) => block.kind === "text").map((block) => block.text).join("");
  return { ...(text || !tool ? { text: text || "An answer." } : {}), ...(tool ? { tool: { name: tool.name, input: tool.input } } : {}) };
}

const conditions = (call) => ({ ...(call.last_prompt ? { prompt_contains: call.last_prompt } : {}), ...(call.model ? { model: call.model } : {}) });
const overlay = (call, answer) => json({ "bedtape-overlay": 1, rules: [{ when: conditions(call), answer: answerOf(call, answer) }] });

function test(call, answer) {
  const code = invocation(call, "    ");
  if (code === null) return null;
  const spoken = answerOf(call, answer);
  const given = Object.entries({ ...conditions(call), ...spoken }).map(([name, value]) => `${name}=${python(value, "        ")}`);
  const layer = spoken.error ? `bedrock.fail(\n        ${[JSON.stringify(spoken.error), ...given.filter((each) => !each.startsWith("error="))].join(",\n        ")},\n    )` : `bedrock.respond(\n        ${given.join(",\n        ")},\n    )`;
  return `${imports(code)}\n\ndef test_call(bedrock):\n    ${layer}\n    client = bedrock.client()\n    ${code}\n    bedrock.assert_called(times=1)\n`.trimStart();
}

function copyable(name, text) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    say(`${name} is copied`);
  };
  return el("div", {}, el("button", { type: "button", click: copy }, "Copy"), verbatim(text, name));
}

/** The call in the forms that can be used elsewhere. */
export function reuse(call, answer) {
  const forms = { curl: curl(call), boto3: boto3(call), "overlay rule": overlay(call, answer), "pytest test": test(call, answer) };
  return Object.entries(forms).filter(([, text]) => text !== null).map(([name, text]) => fold(name, () => copyable(name, text)));
}

/** A form that adds a rule which answers the next call like this one. */
export function answering(call, answer) {
  const document = el("textarea", { rows: 8, spellcheck: "false", "aria-label": "The rule that answers", value: json({ when: conditions(call), answer: answerOf(call, answer) }) });
  const result = el("p", { role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const rule = await post(`sessions/${path(call.session)}/rules`, JSON.parse(document.value));
      result.replaceChildren(`${rule.name} is added. It answers the next call like this one.`);
    } catch (error) {
      result.replaceChildren(el("span", { class: "failure" }, error.message));
    }
  };
  return el("form", { class: "adding", "aria-label": "Answer this miss", submit }, document, el("button", {}, "Add the rule"), result);
}

/** A form that adds the call and its answer to a cassette. cassette: the name that it suggests. */
export function keeping(call, cassette) {
  const name = el("input", { "aria-label": "The cassette", value: cassette });
  const result = el("p", { role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { file } = await post(`sessions/${path(call.session, "calls", String(call.number), "keep")}`, { cassette: name.value });
      result.replaceChildren("It is kept as ", link(["cassettes", name.value, file], file), ". The next call like this one is answered from it.");
    } catch (error) {
      result.replaceChildren(el("span", { class: "failure" }, error.message));
    }
  };
  return el("form", { class: "adding", "aria-label": "Keep as recording", submit }, el("label", {}, el("span", {}, "cassette"), name), el("button", {}, "Keep it"), result);
}
