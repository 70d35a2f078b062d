// The server, asked. The token is in this module's memory alone. Paths are relative to the page, so a prefix stays.
// A report has no server: the file itself contains what the server returned.

import { byId } from "./dom.js";

const held = byId("report");

/** What the file contains, if it is a report: its title, and the answers by their path. Null if there is a server. */
export const report = held === null ? null : JSON.parse(held.textContent);

let token = null;
let asking = null;

/** What the server refused, with its problems one by one. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? `the server answered ${status}`);
    this.status = status;
    this.problems = body?.problems ?? [];
  }
}

async function request(method, path, body, signal) {
  const headers = token === null ? {} : { "x-bedtape-token": token };
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = token;
  const response = await fetch(path, { method, headers, body, signal, cache: "no-store" });
  if (response.status === 401) {
    if (sent === token) await askToken(sent !== null);
    return request(method, path, body, signal);
  }
  if (!response.ok) throw new Refused(response.status, await response.json());
  return response;
}

const ask = async (method, path, body) => (await request(method, path, body)).json();

/** Calls `take` with lists of [name, data] of a stream of server-sent events, until the stream ends. */
export async function listen(path, signal, take) {
  const response = await request("GET", path, undefined, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    const parsed = events.map((event) => {
      const [name, data] = event.split("\n");
      return [name.slice("event: ".length), JSON.parse(data.slice("data: ".length))];
    });
    if (parsed.length) take(parsed);
  }
}

/** Asks the person, once for all requests that wait. */
function askToken(wrong) {
  asking ??= new Promise((done) => {
    const dialog = byId("ask");
    if (wrong) byId("ask-why").textContent = "The server does not take this token. It was given to --control-token.";
    // Without a token there is nothing to show, so it does not close on Escape.
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      token = byId("token").value;
      byId("token").value = "";
      asking = null;
      done();
    };
    dialog.showModal();
  });
  return asking;
}

function read(path) {
  const answer = report.answers[path.split("?")[0]];
  if (answer === undefined) throw new Refused(404, { error: `expected ${path} in this report, found nothing` });
  return answer;
}

export const get = async (path) => (report === null ? ask("GET", path) : read(path));
export const post = (path, value) => ask("POST", path, value === undefined ? undefined : JSON.stringify(value));
export const put = (path, value) => ask("PUT", path, JSON.stringify(value));
export const remove = (path) => ask("DELETE", path);

/** A path of parts that may be any text. */
export const path = (...parts) => parts.map(encodeURIComponent).join("/");

let health = null;

/** Whether the server may change cassettes. */
export async function editable() {
  if (report !== null) return false;
  health ??= await get("health");
  return health.editable;
}
