// One call in full: what was asked, what answered and why, its attempts, its stream, and of a miss what came nearest.

import { report } from "./api.js";
import { el, facts, fold, link, pretty, svg, table, verbatim } from "./dom.js";
import { compare } from "./compare.js";
import { picture } from "./picture.js";
import { answering, keeping, reuse } from "./reuse.js";
import { differences, sides } from "./sides.js";
import { outcomeOf, statusOf } from "./store.js";
import { WHY, clock, count, lasted } from "./words.js";

const part = (title, ...body) => el("section", {}, el("h3", {}, title), ...body);
const said = (text) => el("p", { class: "said" }, text);
const json = (value) => JSON.stringify(value, null, 2);

/** A call, as the server's `inspector/sessions/…/calls/…` tells it. close: what its close button does.
 * others: a promise of the calls in the list. editable: whether the server may change cassettes. */
export function wholeCall(told, close, others, editable) {
  const { call, answer, attempts } = told;
  const title = `Call ${call.number} of ${call.session}`;
  return el(
    "article",
    { class: "whole", "aria-labelledby": "whole-title" },
    el(
      "header",
      {},
      el("h2", { id: "whole-title", tabindex: -1 }, title),
      el("span", { class: `badge ${outcomeOf(call).replace(" ", "-")}` }, statusOf(call) === "200" ? "200 answered" : statusOf(call)),
      el("button", { type: "button", class: "close", title: "Close (Esc)", click: close }, "Close"),
    ),
    top(call),
    why(told),
    attempts.length > 1 ? part("Attempts of this invocation", attemptTable(call, attempts)) : null,
    call.miss ? part("Why nothing answered", el("pre", { tabindex: 0, "aria-label": "Why nothing answered" }, call.miss)) : null,
    call.source === "miss" && report === null ? part("Answer this miss", fold("Add a rule", () => answering(call, answer))) : null,
    told.miss ? miss(told) : null,
    part("Prompt", ...prompt(call)),
    part("Answer", ...answered(call, answer)),
    answer.streamed ? part("Stream", picture(answer, call.seconds)) : null,
    part("On the wire", ...wire(call, answer)),
    editable && answer.kept ? part("Keep", fold("Keep as recording", () => keeping(call, told.recording?.cassette ?? answer.kept))) : null,
    part("Compare", fold("With another call", () => compare(call, others))),
    part("Use elsewhere", ...reuse(call, answer)),
  );
}

const top = (call) =>
  facts([
    ["operation", call.operation ?? `${call.method} ${call.path}`],
    ["model", call.model],
    ["began", clock(call.began)],
    ["took", lasted(call.seconds)],
    ["tokens", call.usage && `${call.usage.input} in, ${call.usage.output} out`],
    ["stop reason", call.stop_reason],
    ["client", call.user_agent],
    ["region", call.region],
    ["access key", call.access_key_id],
    ["protocol", call.http_version],
  ]);

// -- what answered ---------------------------------------------------------------------------------------------

function why({ call, recording, layers, conditions }) {
  const by = recording ? link(["cassettes", recording.cassette, recording.file], recording.file) : call.by;
  return part(
    "What answered",
    el("p", {}, el("b", {}, call.source), by ? [" ", by] : null, ". ", WHY[call.source]),
    call.faults.length ? el("p", {}, "Faults that happened to it: ", el("b", {}, call.faults.join(", ")), ".") : null,
    call.simulated.length ? el("p", {}, "Simulated: ", el("b", {}, call.simulated.join("; ")), ".") : null,
    call.hung_up ? el("p", {}, "The client went before the answer's end.") : null,
    recording ? fold("The request beside the recorded request", () => beside(call, recording.request)) : null,
    conditions.length ? fold("The conditions of all rules and faults", () => conditionTable(conditions)) : null,
    layers.map((layer) => fold(`${layer.name}, as it was laid`, () => verbatim(json(layer), layer.name))),
  );
}

/** The conditions that the call does not meet are marked. */
const conditionTable = (conditions) =>
  table(
    "Conditions of rules and faults, and the call",
    ["layer", "condition", "expected", "found", "met"],
    conditions.map(({ layer, condition, expected, found, met }) =>
      el("tr", {}, el("td", {}, layer), el("th", { scope: "row" }, condition), el("td", { class: "code" }, expected), el("td", { class: `code ${met ? "" : "bad"}` }, found), el("td", { class: met ? "" : "bad" }, met ? "yes" : "no")),
    ),
  );

function beside(call, recorded) {
  const sent = json({ method: call.method, path: call.path, body: parsed(call.body) });
  const other = json({ method: recorded.method, path: recorded.path, body: bodyOf(recorded) });
  return el(
    "div",
    {},
    sent === other ? el("p", {}, "Both requests are equal.") : null,
    sides("Both requests side by side", "sent", sent, "recorded", other),
  );
}

function attemptTable(call, attempts) {
  const [start, end] = [attempts[0].began, Math.max(...attempts.map((each) => each.began + each.seconds))];
  return table(
    "Attempts of this invocation",
    ["attempt", "call", "status", "after", "took", "when"],
    attempts.map((each) =>
      el(
        "tr",
        { "aria-current": each.number === call.number ? "true" : null },
        el("td", { class: "number" }, String(each.attempt)),
        el("td", {}, link(["calls", call.session, String(each.number)], `call ${each.number}`)),
        el("td", { class: each.error || each.status >= 400 ? "bad" : "" }, `${each.status ?? "no answer"} ${each.error ?? ""}`),
        el("td", { class: "number" }, lasted(each.began - start)),
        el("td", { class: "number" }, lasted(each.seconds)),
        el("td", {}, when((each.began - start) / (end - start || 1), each.seconds / (end - start || 1))),
      ),
    ),
  );
}

// What the columns beside it say, as a picture: hidden from screen readers.
const when = (from, long) =>
  svg("svg", { class: "when", viewBox: "0 0 120 8", "aria-hidden": "true" }, svg("rect", { x: Math.min(117, from * 120), y: 0, width: Math.max(3, long * 120), height: 8 }));

// -- a miss ----------------------------------------------------------------------------------------------------

function miss({ call, miss: missed }) {
  const about = missed.exhausted
    ? `It was recorded ${count(missed.exhausted, "time")}, all of which are played, and the session is strict.`
    : `${count(missed.recordings, "recording")} to play from; ${missed.nearest.length ? "these came nearest" : "none of this operation"}.`;
  return part("Nearest recordings", el("p", {}, about), missed.nearest.map((near, at) => nearest(call, near, at)));
}

function nearest(call, near, at) {
  const name = near.cassette === null ? near.file : link(["cassettes", near.cassette, near.file], near.file);
  return el(
    "div",
    { class: "near" },
    el("h4", {}, at === 0 ? "Nearest: " : "Next: ", name),
    near.differences.length ? differences(near.differences) : el("p", {}, "It has the same match key."),
    near.recorded ? fold("Both requests side by side", () => beside(call, near.recorded), at === 0) : null,
  );
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// A cassette's file names a body by its form.
const bodyOf = ({ json: value, text, base64 }) => value ?? text ?? base64 ?? null;

// -- what was asked --------------------------------------------------------------------------------------------

function prompt(call) {
  const settings = facts([
    ["temperature", call.temperature === null ? null : String(call.temperature)],
    ["top_p", call.top_p === null ? null : String(call.top_p)],
    ["max tokens", call.max_tokens === null ? null : String(call.max_tokens)],
    ["stop sequences", call.stop_sequences.map((each) => JSON.stringify(each)).join(", ")],
    ["tools offered", call.tools.join(", ")],
  ]);
  return [
    settings,
    call.system ? turn("system", [said(call.system)]) : null,
    call.messages.map((each) =>
      turn(each.role, [
        each.text ? said(each.text) : null,
        each.calls.map((use) => toolUse(use)),
        each.results.map((result) => tool(`result of ${result.name ?? result.id}`, result.text)),
      ]),
    ),
    !call.system && call.messages.length === 0 ? el("p", { class: "none" }, "The body says no prompt.") : null,
  ];
}

const turn = (role, body) => el("div", { class: `turn ${role === "user" || role === "system" ? role : "model"}` }, el("h4", {}, role), body);
const tool = (title, text) => el("div", { class: "tool" }, el("b", {}, title), verbatim(pretty(text), title));
const toolUse = (use) => tool(`calls ${use.name}`, json(use.input));

// -- what was answered -----------------------------------------------------------------------------------------

function answered(call, answer) {
  const blocks = answer.blocks.map((block) => blockOf(block));
  const failure = call.error || call.message ? el("p", { class: "failure" }, el("b", {}, call.error ?? `${call.status}`), call.message && call.source !== "miss" ? [": ", call.message] : null) : null;
  const cut = answer.cut ? el("p", { class: "failure" }, "The stream ended before all of its events were sent.") : null;
  const raw = blocks.length === 0 && !failure && answer.body ? verbatim(pretty(answer.body), "The answer's body") : null;
  return [failure, cut, blocks.length ? turn("assistant", blocks) : null, raw];
}

function blockOf(block) {
  switch (block.kind) {
    case "text":
      return said(block.text);
    case "cited":
      return [said(block.text), tool("sources", json(block.citations))];
    case "reasoning":
      return el("div", { class: "reasoning" }, el("b", {}, "reasoning"), said(block.text || "(redacted)"));
    case "tooluse":
      return toolUse(block);
    default:
      return el("p", {}, `An image: ${block.format}, ${count(block.bytes, "byte")}.`);
  }
}

// -- on the wire -----------------------------------------------------------------------------------------------

const headers = (pairs) => pairs.map(([name, value]) => `${name}: ${value}`).join("\n");

const wire = (call, answer) => [
  fold("Request headers, less secrets", () => verbatim(`${call.method} ${call.path}\n${headers(call.headers)}`, "Request headers")),
  fold("Request body", () => verbatim(call.body === null ? call.body_base64 : pretty(call.body), "Request body")),
  fold("Answer headers", () => verbatim(headers(answer.headers), "Answer headers")),
  answer.streamed ? null : fold("Answer body", () => verbatim(answer.body === null ? answer.body_base64 : pretty(answer.body), "Answer body")),
];
