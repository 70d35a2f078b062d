// The live list of calls with its filters, and beside it the one that is open.

import { get, path } from "./api.js";
import { byId, el, say } from "./dom.js";
import { Rows } from "./rows.js";
import { OUTCOMES, keyOf, outcomeOf } from "./store.js";
import { wholeCall } from "./whole.js";
import { clock, count, lasted } from "./words.js";

const ALL = "";

function cells(call) {
  const outcome = outcomeOf(call);
  const attempt = call.attempt > 1 ? el("span", { class: "again", title: `attempt ${call.attempt} of one invocation` }, `×${call.attempt}`) : "";
  return {
    mark: outcome.replace(" ", "-"),
    cells: [
      String(call.number),
      clock(call.began),
      call.session,
      call.operation,
      call.model ?? "",
      el("span", { class: `badge ${outcome.replace(" ", "-")}` }, `${call.status}${call.error ? ` ${call.error}` : outcome === "hung up" ? " hung up" : ""}`),
      attempt,
      call.by ?? call.source,
      lasted(call.seconds),
      call.prompt,
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
      cells, keyed: keyOf, opened: (call, how) => this.#opened(call, how),
    });
    this.count = el("p", { class: "count" });
    this.selects = { session: this.#select("session"), model: this.#select("model"), outcome: this.#select("outcome") };
    this.text = el("input", { type: "search", placeholder: "in prompt or operation", "aria-label": "Text in prompt or operation", input: () => this.#filter("text", this.text.value) });
    this.detail = el("div", { class: "detail", hidden: true });
    this.node = el(
      "div",
      { class: "split" },
      el(
        "div",
        { class: "list" },
        el("form", { class: "bar", role: "search", "aria-label": "Filter calls", submit: (event) => event.preventDefault() },
          Object.entries(this.selects).map(([name, select]) => el("label", {}, el("span", {}, name), select)),
          el("label", {}, el("span", {}, "text"), this.text), this.count),
        this.rows.node,
      ),
      this.detail,
    );
    store.addEventListener("change", () => this.draw());
  }

  #select(name) {
    return el("select", { id: `filter-${name}`, change: (event) => this.#filter(name, event.target.value) });
  }

  #filter(name, value) {
    this.wanted[name] = value;
    this.draw();
    say(this.count.textContent);
  }

  /** Shows what is wanted of what there is. */
  draw() {
    const { calls, sessions } = this.store;
    this.#options("session", sessions.map((session) => session.name));
    this.#options("model", [...new Set(calls.map((call) => call.model).filter(Boolean))].sort());
    this.#options("outcome", OUTCOMES);
    const { session, model, outcome, text } = this.wanted;
    const low = text.toLowerCase();
    const shown = calls.filter(
      (call) =>
        (session === ALL || call.session === session) &&
        (model === ALL || call.model === model) &&
        (outcome === ALL || outcomeOf(call) === outcome) &&
        (low === "" || call.prompt.toLowerCase().includes(low) || call.operation.toLowerCase().includes(low)),
    );
    const gone = sessions.reduce((sum, each) => sum + each.forgotten, 0);
    this.count.textContent =
      (shown.length === calls.length ? count(calls.length, "call") : `${shown.length.toLocaleString("en")} of ${count(calls.length, "call")}`) +
      (gone ? `, ${gone.toLocaleString("en")} older forgotten` : "");
    this.rows.show(shown);
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
    let shown;
    try {
      shown = wholeCall(await get(`inspector/sessions/${path(session)}/calls/${path(number)}`), () => this.leave());
    } catch (error) {
      shown = el("p", { class: "failure" }, error.message);
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
    this.#open = null;
    this.detail.hidden = true;
    this.detail.replaceChildren();
  }

  first() {
    this.text.focus();
  }
}
