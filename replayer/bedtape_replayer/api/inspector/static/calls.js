// The live list of calls with its filters, and beside it the one that is open.

import { editable, get, path } from "./api.js";
import { byId, el, say } from "./dom.js";
import { Rows } from "./rows.js";
import { OUTCOMES, hasText, keyOf, outcomeOf, statusOf } from "./store.js";
import { WHOLE, bars, buildScale, cut, groupAttempts, isInside, labels, move, select, zoom } from "./timeline.js";
import { wholeCall } from "./whole.js";
import { clock, commonStart, count, lasted } from "./words.js";

const ALL = "";

// What the columns sort by.
const SORTED = {
  "#": (call) => call.number,
  began: (call) => call.began,
  session: (call) => call.session,
  operation: (call) => call.operation,
  model: (call) => call.model,
  outcome: statusOf,
  try: (call) => call.attempt,
  "answered by": (call) => call.by ?? call.source,
  took: (call) => call.seconds,
  prompt: (call) => call.prompt,
};

function cells(call, start) {
  const outcome = outcomeOf(call);
  const attempt = call.attempt > 1 ? el("span", { class: "again", title: `attempt ${call.attempt} of one invocation` }, `×${call.attempt}`) : "";
  return {
    mark: outcome.replace(" ", "-"),
    cells: [
      String(call.number),
      clock(call.began),
      shortName(call, start),
      call.operation,
      call.model ?? "",
      el("span", { class: `badge ${outcome.replace(" ", "-")}` }, statusOf(call)),
      attempt,
      call.by ?? call.source,
      lasted(call.seconds),
      call.prompt,
    ],
  };
}

/** The call of a group whose bar was clicked; its last call if there is none. */
const callOf = ({ calls }, target) =>
  calls.find((call) => String(call.number) === target?.closest("[data-number]")?.dataset.number) ?? calls.at(-1);

/** A session's name without the start that all names have. A narrow cell shows its end, which is the test. */
const shortName = (call, start) =>
  el("bdi", { class: "tail", title: call.session, dir: "ltr" }, start && call.session.startsWith(start) ? `…${call.session.slice(start.length)}` : call.session);

/** A row of the timeline: an SDK call with all its attempts. */
function groupCells(group, { start, scale }) {
  const last = group.calls.at(-1);
  const outcome = outcomeOf(last).replace(" ", "-");
  return {
    mark: outcome,
    cells: [
      shortName(last, start),
      last.operation,
      el("span", { class: `badge ${outcome}` }, statusOf(last)),
      group.calls.length > 1 ? el("span", { class: "again" }, `×${group.calls.length}`) : "",
      lasted(last.began + last.seconds - group.calls[0].began),
      bars(group, scale),
    ],
  };
}

export class CallsView {
  #open = null;
  #went = null;

  constructor(store) {
    this.store = store;
    this.wanted = { session: ALL, model: ALL, outcome: ALL, text: "" };
    this.rows = new Rows({
      label: "Calls", name: "calls", follow: true, empty: "No calls. They are listed as they end.",
      heads: ["#", "began", "session", "operation", "model", "outcome", "try", "answered by", "took", "prompt"],
      sorted: (column, down) => this.#sort(column, down), cells: (call) => cells(call, this.start), keyed: keyOf, opened: (call, how) => this.#opened(call, how),
    });
    this.seconds = null; // of the part of the axis that is shown: not shares of it, because running calls make it longer
    this.axis = el("span", { class: "axis", title: "Drag to show a part", pointerdown: (event) => this.#drag(event) });
    this.zooming = el("span", { class: "zoom", role: "group", "aria-label": "Zoom", hidden: true },
      [["+", "Closer"], ["-", "Further away"], ["[", "Earlier"], ["]", "Later"], ["0", "The whole axis"]].map(([key, name]) =>
        el("button", { type: "button", title: `${name} (${key})`, "aria-label": name, click: () => this.zoom(key) }, key)));
    this.timeline = new Rows({
      label: "Timeline", name: "timeline", follow: true, empty: "No calls. They are drawn as they begin.",
      heads: ["session", "operation", "outcome", "tries", "took", this.axis],
      cells: (group) => groupCells(group, this), keyed: (group) => group.key,
      opened: (group, how, target) => this.#opened(callOf(group, target), how),
    });
    this.timeline.node.hidden = true;
    this.timeline.grid.addEventListener("wheel", (event) => this.#roll(event), { passive: false });
    this.toggle = el("button", { type: "button", "aria-pressed": "false", title: "List or timeline (v)", click: () => this.turn() }, "Timeline");
    this.count = el("p", { class: "count" });
    this.selects = { session: this.#select("session"), model: this.#select("model"), outcome: this.#select("outcome") };
    this.text = el("input", { type: "search", placeholder: "prompt, answer, error, id", "aria-label": "Text in prompt, answer, operation, error or id", input: () => this.#filter("text", this.text.value) });
    this.detail = el("div", { class: "detail", hidden: true });
    this.node = el(
      "div",
      { class: "split" },
      el(
        "div",
        { class: "list" },
        el("form", { class: "bar", role: "search", "aria-label": "Filter calls", submit: (event) => event.preventDefault() },
          Object.entries(this.selects).map(([name, select]) => el("label", {}, el("span", {}, name), select)),
          el("label", {}, el("span", {}, "text"), this.text), this.toggle, this.zooming, this.count),
        this.rows.node,
        this.timeline.node,
      ),
      this.detail,
    );
    store.addEventListener("change", () => this.draw());
  }

  #select(name) {
    return el("select", { id: `filter-${name}`, change: (event) => this.#filter(name, event.target.value) });
  }

  #sort(column, down) {
    this.order = column === null ? null : { column, down };
    this.draw();
    say(column === null ? "in the order in which they ended" : `sorted by ${column}, ${down ? "descending" : "ascending"}`);
  }

  #filter(name, value) {
    this.wanted[name] = value;
    this.draw();
    say(this.count.textContent);
  }

  /** Shows what is wanted of what there is. */
  draw() {
    const { sessions, forgotten, dropped } = this.store;
    const calls = [...this.store.calls, ...this.store.running];
    const names = sessions.map((session) => session.name);
    this.start = commonStart(names.filter((name) => name !== "default"));
    this.#options("session", names);
    this.#options("model", [...new Set(calls.map((call) => call.model).filter(Boolean))].sort());
    this.#options("outcome", OUTCOMES);
    const { session, model, outcome, text } = this.wanted;
    const low = text.toLowerCase();
    const shown = calls.filter(
      (call) =>
        (session === ALL || call.session === session) &&
        (model === ALL || call.model === model) &&
        (outcome === ALL || outcomeOf(call) === outcome) &&
        (low === "" || hasText(call, low)),
    );
    this.count.textContent =
      (shown.length === calls.length ? count(calls.length, "call") : `${shown.length.toLocaleString("en")} of ${count(calls.length, "call")}`) +
      (forgotten ? `, ${forgotten.toLocaleString("en")} older forgotten` : "") +
      (dropped ? `, ${count(dropped, "session")} dropped` : "");
    this.shown = shown;
    this.#list();
    if (this.waiting && !this.store.running.some((call) => keyOf(call) === this.#open)) this.show(this.waiting);
  }

  #list() {
    if (this.timeline.node.hidden) {
      this.rows.show(this.#sorted(this.shown));
      return;
    }
    const groups = groupAttempts(this.shown);
    if (groups.length) {
      this.axisScale = buildScale(groups);
      this.scale = cut(this.axisScale, this.#part());
      this.axis.replaceChildren(...labels(this.scale));
    }
    this.timeline.show(this.seconds === null ? groups : groups.filter((group) => isInside(group, this.scale)));
  }

  /** Shows another part of the timeline's axis, by the key of the change. */
  zoom(key) {
    if (this.timeline.node.hidden) return;
    const part = this.#part();
    const parts = { "+": () => zoom(part, 1), "-": () => zoom(part, -1), "[": () => move(part, -1), "]": () => move(part, 1), 0: () => WHOLE };
    this.#showPart(parts[key]());
  }

  /** The part of the axis that is shown, as two places from 0 to 1. */
  #part() {
    return this.seconds === null ? WHOLE : select(WHOLE, ...this.seconds.map((second) => second / this.axisScale.length));
  }

  #showPart(part) {
    if (!this.axisScale) return;
    this.seconds = part[1] - part[0] >= 1 ? null : part.map((place) => place * this.axisScale.length);
    this.#list();
    say(this.seconds === null ? "the whole axis" : `from ${lasted(this.scale.time(0))} to ${lasted(this.scale.time(1))}`);
  }

  /** The wheel with Ctrl, or two fingers on a touchpad, zooms around the pointer. */
  #roll(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const place = this.#placeOf(event);
    if (place >= 0 && place <= 1) this.#showPart(zoom(this.#part(), event.deltaY < 0 ? 1 : -1, place));
  }

  #placeOf({ clientX }) {
    const { left, width } = this.axis.getBoundingClientRect();
    return (clientX - left) / width;
  }

  /** Shows the part of the axis over which the pointer is dragged. */
  #drag(event) {
    const from = this.#placeOf(event);
    const end = (last) => {
      const to = this.#placeOf(last);
      if (Math.abs(to - from) > 0.01) this.#showPart(select(this.#part(), from, to));
    };
    event.preventDefault();
    this.axis.setPointerCapture(event.pointerId);
    this.axis.addEventListener("pointerup", end, { once: true });
    this.axis.addEventListener("pointercancel", () => this.axis.removeEventListener("pointerup", end), { once: true });
  }

  /** Shows the timeline in place of the list, or the list again. */
  turn() {
    const timeline = this.timeline.node.hidden;
    this.rows.node.hidden = timeline;
    this.timeline.node.hidden = !timeline;
    this.zooming.hidden = !timeline;
    this.toggle.setAttribute("aria-pressed", String(timeline));
    this.#list();
    say(timeline ? "timeline" : "list");
  }

  /** The calls in the order of the chosen column; as they ended if none is chosen. */
  #sorted(calls) {
    const value = this.order && SORTED[this.order.column];
    if (!value) return calls;
    const sign = this.order.down ? -1 : 1;
    const compare = (a, b) => (a === b ? 0 : a === null ? 1 : b === null ? -1 : a < b ? -sign : sign);
    return [...calls].sort((a, b) => compare(value(a), value(b)));
  }

  #options(name, values) {
    const select = this.selects[name];
    // What is chosen stays a choice, even where nothing is left of it.
    const chosen = this.wanted[name];
    const all = chosen === ALL || values.includes(chosen) ? values : [...values, chosen];
    const have = [...select.options].slice(1).map((option) => option.value);
    if (select.options.length === 0 || JSON.stringify(have) !== JSON.stringify(all)) {
      select.replaceChildren(el("option", { value: ALL }, "all"), ...all.map((value) => el("option", { value }, value)));
    }
    select.value = chosen;
  }

  #opened(call, how) {
    if (how === "move" && this.#open === null) return;
    this.#went = how;
    const to = `#/calls/${path(call.session, String(call.number))}`;
    if (location.hash === to) this.show([call.session, String(call.number)]);
    else location.hash = to;
  }

  /** Opens the call that the address names, or closes what is open. */
  async show([session, number]) {
    const how = this.#went;
    this.#went = null;
    if (session === undefined || number === undefined) {
      if (session !== undefined) this.#filter("session", session);
      this.#close();
      return;
    }
    const key = keyOf({ session, number: Number(number) });
    this.#open = key;
    this.rows.choose(key);
    const running = this.store.running.find((call) => keyOf(call) === key);
    this.waiting = running ? [session, number] : null;
    let shown;
    try {
      if (running) throw new Error(`Call ${number} of ${session} is still running: ${statusOf(running)}. It is shown when it ends.`);
      shown = wholeCall(await get(`inspector/sessions/${path(session)}/calls/${path(number)}`), () => this.leave(), this.store.loaded.then(() => this.store.calls), await editable());
    } catch (error) {
      shown = el("article", { class: "whole" }, el("p", { class: running ? "" : "failure" }, error.message), el("button", { type: "button", class: "close", click: () => this.leave() }, "Close"));
    }
    if (this.#open !== key) return;
    this.detail.replaceChildren(shown);
    this.detail.hidden = false;
    this.detail.scrollTop = 0;
    this.rows.choose(key);
    if (how === "go") byId("whole-title")?.focus();
  }

  /** Back to the list; whether there was anything to leave. */
  leave() {
    if (this.#open === null) return false;
    location.hash = "#/calls";
    this.#close();
    this.rows.focus();
    return true;
  }

  #close() {
    this.#open = this.waiting = null;
    this.detail.hidden = true;
    this.detail.replaceChildren();
  }

  first() {
    this.text.focus();
  }
}
