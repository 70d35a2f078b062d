// A call beside another call of the server: the one before it in its session, or any other.

import { get, path } from "./api.js";
import { el } from "./dom.js";
import { sides } from "./sides.js";

// A menu of more calls would be slow, and nobody reads it.
const OFFERED = 500;

function readable(call) {
  let body = call.body;
  try {
    body = JSON.parse(call.body);
  } catch {
    // Text that is not JSON is compared as it is.
  }
  return JSON.stringify({ method: call.method, path: call.path, body, answer: { status: call.status, error: call.error, text: call.text } }, null, 2);
}

const name = (call) => `call ${call.number} of ${call.session}: ${call.operation} ${call.prompt.slice(0, 60)}`;

/**
 * Compares the call with another one, which the person chooses. others: a promise of the rows of calls, as the server's
 * list has them, because a call can be shown before the list is there.
 */
export function compare(call, others) {
  const node = el("div", {});
  others.then((rows) => node.replaceChildren(among(call, rows)));
  return node;
}

function among(call, others) {
  const own = others.filter((each) => each.session === call.session && each.number < call.number);
  const before = own.reduce((last, each) => (last === null || each.number > last.number ? each : last), null);
  const rest = others.filter((each) => each !== before && !(each.session === call.session && each.number === call.number));
  const offered = [...(before ? [before] : []), ...rest.slice(-OFFERED).reverse()];
  if (offered.length === 0) return el("p", { class: "none" }, "There is no other call.");
  const shown = el("div", {});
  const choose = async () => {
    const other = offered[Number(select.value)];
    const { call: theirs } = await get(`inspector/sessions/${path(other.session)}/calls/${path(String(other.number))}`);
    shown.replaceChildren(sides("Both calls side by side", `call ${call.number}`, readable(call), `call ${theirs.number}`, readable(theirs)));
  };
  const select = el("select", { "aria-label": "The call to compare with", change: choose }, offered.map((each, at) => el("option", { value: String(at) }, each === before ? `previous: ${name(each)}` : name(each))));
  choose();
  return el("div", {}, select, shown);
}
