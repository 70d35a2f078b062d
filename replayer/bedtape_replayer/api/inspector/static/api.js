// The server, asked. The token is in this module's memory alone. Paths are relative to the page, so a prefix stays.

import { byId } from "./dom.js";

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

async function ask(method, path, body) {
  const headers = token === null ? {} : { "x-bedtape-token": token };
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = token;
  const response = await fetch(path, { method, headers, body, cache: "no-store" });
  if (response.status === 401) {
    if (sent === token) await askToken(sent !== null);
    return ask(method, path, body);
  }
  const told = await response.json();
  if (!response.ok) throw new Refused(response.status, told);
  return told;
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

export const get = (path) => ask("GET", path);
export const post = (path, value) => ask("POST", path, value === undefined ? undefined : JSON.stringify(value));
export const put = (path, value) => ask("PUT", path, JSON.stringify(value));
export const remove = (path) => ask("DELETE", path);

/** A path of parts that may be any text. */
export const path = (...parts) => parts.map(encodeURIComponent).join("/");
