// Sessions: which there are, and of one its settings, layers, what its clients did wrong and what was never asked for.

import { get, path, post, put, remove, report } from "./api.js";
import { byId, el, facts, fold, link, say, verbatim } from "./dom.js";
import { Layers } from "./layers.js";
import { Rows } from "./rows.js";
import { count } from "./words.js";

/** How the test of a session ended, as a report has it. */
const outcome = ({ outcome: text }) => (text ? el("span", { class: `badge ${text === "failed" ? "error" : ""}` }, text) : "");

export class SessionsView {
  #open = null;

  constructor(store) {
    this.store = store;
    this.rows = new Rows({
      label: "Sessions", name: "sessions", empty: "No session yet: the first call makes one.",
      heads: report === null ? ["session", "calls"] : ["session", "outcome", "calls"],
      cells: (each) => ({ cells: [each.name, ...(report === null ? [] : [outcome(each)]), each.calls.toLocaleString("en")] }),
      keyed: (each) => each.name,
      opened: (each, how) => this.#opened(each.name, how),
    });
    this.name = el("input", { "aria-label": "A session's name", placeholder: "a session's name" });
    this.detail = el("div", { class: "detail", hidden: true });
    this.node = el(
      "div",
      { class: "split narrow-list" },
      el(
        "div",
        { class: "list" },
        el("form", { class: "bar", "aria-label": "Open a session", submit: (event) => this.#named(event) }, el("label", {}, el("span", {}, "open"), this.name), el("button", {}, "Open")),
        this.rows.node,
      ),
      this.detail,
    );
    store.addEventListener("change", () => this.draw());
  }

  draw() {
    this.rows.show(this.store.sessions);
  }

  #named(event) {
    event.preventDefault();
    if (this.name.value) this.#opened(this.name.value, "go");
  }

  #opened(name, how) {
    if (how === "move" && this.#open === null) return;
    this.going = how === "go";
    location.hash = `#/sessions/${path(name)}`;
  }

  async show([name]) {
    if (name === undefined) return this.#close();
    this.#open = name;
    this.rows.choose(name);
    const base = `sessions/${path(name)}`;
    const summary = this.store.sessions.find((each) => each.name === name);
    const [session, cassettes] = await Promise.all([get(base), get("cassettes")]);
    if (this.#open !== name) return undefined;
    this.layers = new Layers(name);
    await this.layers.draw();
    this.detail.replaceChildren(this.#whole(name, base, { ...summary, ...session }, cassettes));
    this.detail.hidden = false;
    this.rows.choose(name);
    if (this.going) byId("session-title").focus();
    this.going = false;
    return undefined;
  }

  #whole(name, base, session, cassettes) {
    const again = () => {
      this.going = true; // what had the focus is drawn anew
      return this.show([name]);
    };
    return el(
      "article",
      { class: "whole", "aria-labelledby": "session-title" },
      el("header", {}, el("h2", { id: "session-title", tabindex: -1 }, `Session ${name}`), el("button", { type: "button", class: "close", click: () => this.leave() }, "Close")),
      facts([
        ["calls", link(["calls", name], count(session.calls, "call"))],
        ["forgotten", session.forgotten ? count(session.forgotten, "call") : null],
        ["outcome", session.outcome && outcome(session)],
        ["endpoint", report !== null ? null : name === "default" ? location.origin : `${location.origin}/s/${path(name)}`],
      ]),
      session.failure ? el("section", {}, el("h3", {}, "Failure"), verbatim(session.failure, "Failure")) : null,
      report === null ? this.#settings(base, session, cassettes, again) : null,
      this.layers.node,
      fold("What its clients did wrong in retrying", () => this.#asked(`${base}/verdict`, (found) => (found.length ? el("ul", {}, found.map((each) => el("li", {}, el("b", {}, each.kind), `: ${each.explanation}`))) : el("p", { class: "none" }, "Nothing.")))),
      fold("Recordings never asked for", () => this.#asked(`${base}/unplayed`, (files) => verbatim(files.join("\n") || "None.", "Recordings never asked for"))),
      report === null && el(
        "section",
        { class: "acts" },
        this.#act("Forget its calls", () => remove(`${base}/calls`), again),
        this.#act("Begin anew", () => post(`${base}/reset`), again),
        this.#act("Forget the session", () => remove(base), () => this.leave()),
      ),
    );
  }

  #settings(base, session, cassettes, again) {
    const cassette = el("select", { id: "session-cassette" }, el("option", { value: "" }, "the usual: that of its name, else all"), cassettes.map((each) => el("option", { value: `=${each.name}` }, each.name)));
    const strict = el("select", { id: "session-strict" }, el("option", { value: "null" }, "as the server"), el("option", { value: "true" }, "each recording once"), el("option", { value: "false" }, "again and again"));
    cassette.value = session.cassette === null ? "" : `=${session.cassette}`;
    strict.value = String(session.strict);
    const save = (event) => {
      event.preventDefault();
      const settings = { cassette: cassette.value === "" ? null : cassette.value.slice(1), strict: JSON.parse(strict.value) };
      this.#try(() => put(base, settings), "saved", again);
    };
    return el("form", { class: "fields settings", "aria-label": "Settings", submit: save }, el("label", {}, el("span", {}, "plays from"), cassette), el("label", {}, el("span", {}, "plays"), strict), el("button", {}, "Save"));
  }

  #asked(where, shown) {
    const holder = el("div", {}, "…");
    get(where).then((told) => holder.replaceChildren(shown(told)), (error) => holder.replaceChildren(error.message));
    return holder;
  }

  #act(words, act, then) {
    return el("button", { type: "button", click: () => this.#try(act, `${words}: done`, then) }, words);
  }

  async #try(act, words, then) {
    try {
      await act();
    } catch (error) {
      this.detail.querySelector(".whole").prepend(el("p", { class: "failure", role: "alert" }, error.message));
      return;
    }
    say(words);
    then();
  }

  leave() {
    if (this.#open === null) return false;
    location.hash = "#/sessions";
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
    this.name.focus();
  }
}
