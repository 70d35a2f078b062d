// A stream as a picture: each event at the time it was due, as wide as the stream; and the same as a table, to be read.

import { el, fold, svg, table, verbatim } from "./dom.js";
import { count, lasted, sized } from "./words.js";

const WIDE = 640;
const ROWS = { textOutput: 2, audioOutput: 2, toolUse: 2, messageStart: 0, contentBlockStart: 1, contentBlockDelta: 2, contentBlockStop: 1, messageStop: 0, metadata: 0 };
const HIGH = 92;
// The row of what the client of a conversation sends, below the answer.
const INPUT = 30;

function typeOf(event) {
  // InvokeModel's chunks say inside what they are, and Sonic's have one member, which is the event.
  try {
    const inside = JSON.parse(event.payload);
    if (event.kind !== "chunk") return event.kind;
    if (typeof inside.type === "string") return inside.type;
    const names = Object.keys(inside.event ?? {});
    return names.length === 1 ? names[0] : event.kind;
  } catch {
    return event.kind;
  }
}

const isError = (event) => /exception|error|broken/i.test(event.kind);

function lane(event) {
  const type = typeOf(event).replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  return isError(event) ? 0 : (ROWS[type] ?? (event.kind === "chunk" || event.kind === "data" ? 2 : 1));
}

/** The picture of a call's stream: above, starts and ends; below, what was said; grey, what never went out. */
export function picture(answer, seconds) {
  const events = answer.events;
  // Sent at once, the only interesting times are the recorded ones.
  const real = events.some((event) => event.sent_ms !== null);
  const took = seconds * 1000;
  const first = real ? (events[0].sent_ms ?? took) : answer.after_ms;
  const time = (event) => (real ? (event.sent_ms ?? took) : first + event.at_ms);
  const { input } = answer;
  const end = Math.max(real ? took : first + (events.at(-1)?.at_ms ?? 0), ...input.map((event) => event.at_ms), 1);
  const high = input.length ? HIGH + INPUT : HIGH;
  const x = (ms) => 8 + (ms / end) * (WIDE - 16);
  const most = Math.max(...events.map((event) => event.bytes), 1);
  const marks = events.map((event, at) => {
    const tall = 8 + 18 * (event.bytes / most);
    const left = x(time(event));
    const name = isError(event) ? "error" : `lane${lane(event)}`;
    return svg(
      "rect",
      { x: left - 1.5, y: 10 + lane(event) * 27 + (26 - tall), width: 3, height: tall, class: `${name}${event.sent ? "" : " unsent"}` },
      svg("title", {}, `${at + 1}. ${typeOf(event)}, ${Math.round(time(event))} ms, ${sized(event.bytes)}`),
    );
  });
  const heard = input.map((event) =>
    svg(
      "rect",
      { x: x(event.at_ms) - 1.5, y: HIGH + 4, width: 3, height: INPUT - 8, class: "input" },
      svg("title", {}, `client: ${event.name}${times(event)}, ${event.at_ms} ms, ${sized(event.bytes)}`),
    ),
  );
  const unsent = events.filter((event) => !event.sent).length;
  const told =
    `${count(events.length + answer.more_events, "event")}${input.length ? ` of the model, ${count(input.reduce((sum, event) => sum + event.count, 0), "event")} of the client` : ""}; ` +
    (real ? `the first was sent after ${Math.round(first)} ms, the answer ended after ${Math.round(end)} ms` : `the head after ${first} ms, the last event due at ${end} ms`) +
    (unsent ? `; ${unsent} never sent` : "");
  return el(
    "figure",
    { class: "picture" },
    svg(
      "svg",
      { viewBox: `0 0 ${WIDE} ${high + 18}`, role: "img", "aria-label": `Timeline of the stream: ${told}` },
      svg("rect", { class: "waiting", x: x(0), y: 10, width: Math.max(0, x(first) - x(0)), height: HIGH - 10 }),
      [0, 0.25, 0.5, 0.75, 1].map((part) => [
        svg("line", { class: "grid", x1: x(end * part), x2: x(end * part), y1: 10, y2: high }),
        svg(
          "text",
          { x: x(end * part), y: high + 14, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle" },
          `${Math.round(end * part)} ms`,
        ),
      ]),
      marks,
      heard,
    ),
    el("figcaption", {}, `${told}. ${real ? "Times are those of this answer" : `Times are those of the recording; it was sent at once, in ${lasted(seconds)}`}.`),
    fold("All events", () => (input.length ? bothTable(events, input, time) : eventTable(events))),
  );
}

/** What an event of a conversation says: its content, which is text, the arguments of a tool, or audio; else all of it. */
function contentOf({ payload }) {
  try {
    const inside = JSON.parse(payload);
    const [members] = Object.values(inside.event ?? inside);
    return typeof members?.content === "string" ? members.content : payload;
  } catch {
    return payload;
  }
}

const times = (event) => (event.count > 1 ? ` ×${event.count}` : "");

/** The events of a conversation, of both sides, in the order of their times. */
function bothTable(events, input, time) {
  const rows = [
    ...input.map((event) => ({ ms: event.at_ms, side: "client", name: `${event.name}${times(event)}`, size: event.bytes, payload: contentOf(event), class: "" })),
    ...events.map((event) => ({
      ms: time(event),
      side: "model",
      name: `${typeOf(event)}${event.sent ? "" : " (not sent)"}`,
      size: event.bytes,
      payload: contentOf(event),
      class: isError(event) ? "bad" : event.sent ? "" : "unsent",
    })),
  ].sort((one, other) => one.ms - other.ms);
  return table(
    "The events of the conversation",
    ["ms", "side", "event", "size", "payload"],
    rows.map((row) =>
      el(
        "tr",
        { class: row.class },
        el("td", { class: "number" }, String(Math.round(row.ms))),
        el("td", {}, row.side),
        el("td", {}, row.name),
        el("td", { class: "number" }, sized(row.size)),
        el("td", { class: "code" }, verbatimShort(row.payload)),
      ),
    ),
    "events",
  );
}

const eventTable = (events) =>
  table(
    "The events of the stream",
    ["#", "recorded, ms", "sent, ms", "size", "type", "payload"],
    events.map((event, at) =>
      el(
        "tr",
        { class: isError(event) ? "bad" : event.sent ? "" : "unsent" },
        el("td", { class: "number" }, String(at + 1)),
        el("td", { class: "number" }, String(event.at_ms)),
        el("td", { class: "number" }, event.sent_ms === null ? "" : String(event.sent_ms)),
        el("td", { class: "number" }, sized(event.bytes)),
        el("td", {}, typeOf(event), event.sent ? null : " (not sent)"),
        el("td", { class: "code" }, verbatimShort(event.payload)),
      ),
    ),
    "events",
  );

const verbatimShort = (text) => (text.length > 300 ? fold(`${text.slice(0, 120)}…`, () => verbatim(text)) : text);
