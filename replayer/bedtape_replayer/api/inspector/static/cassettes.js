// Cassettes browsed: which there are, what is in one, and one recording as its file has it.

import { editable, get, path, put } from "./api.js";
import { el, facts, fold, say, verbatim } from "./dom.js";
import { Rows } from "./rows.js";
import { count } from "./words.js";

const json = (value) => JSON.stringify(value, null, 2);
const bodyOf = ({ json: value, text, base64 }) => value ?? text ?? base64 ?? null;
const shown = (body) => (typeof body === "string" ? body : json(body));

export class CassettesView {
  #all = [];
  #name = null;
  #file = null;

  constructor() {
    this.cassettes = new Rows({
      label: "Cassettes", name: "cassettes", empty: "The server has no cassettes.",
      heads: ["cassette", "recordings", "models"],
      cells: (each) => ({ cells: [each.name, String(each.interactions), each.models.join(", ")] }),
      keyed: (each) => each.name,
      opened: (each, how) => how !== "move" && this.#go(each.name),
    });
    this.recordings = new Rows({
      label: "Recordings", name: "recordings", empty: "Choose a cassette.",
      heads: ["file", "operation", "model", "status"],
      cells: (each) => ({
        mark: each.response.status >= 400 ? "error" : "",
        cells: [each.file, each.operation ?? `${each.request.method} ${each.request.path}`, each.model ?? "", `${each.response.status}${each.partial ? ", cut" : ""}`],
      }),
      keyed: (each) => each.file,
      opened: (each, how) => (how !== "move" || this.#file !== null) && this.#go(this.#name, each.file, how),
    });
    this.text = el("input", { type: "search", placeholder: "in any text of a recording", "aria-label": "Text in recordings", input: () => this.#filter() });
    this.count = el("p", { class: "count" });
    this.detail = el("div", { class: "detail", hidden: true });
    this.node = el(
      "div",
      { class: "split" },
      el(
        "div",
        { class: "list" },
        el("form", { class: "bar", role: "search", "aria-label": "Filter recordings", submit: (event) => event.preventDefault() }, el("label", {}, el("span", {}, "text"), this.text), this.count),
        el("div", { class: "stacked" }, this.cassettes.node, this.recordings.node),
      ),
      this.detail,
    );
  }

  #go(name, file, how) {
    this.focusing = how === "go";
    location.hash = `#/cassettes/${path(...[name, file].filter((each) => each !== undefined))}`;
  }

  async show([name, file]) {
    this.cassettes.show(await get("cassettes"));
    if (name === undefined) return this.#close();
    if (name !== this.#name) {
      this.#all = (await get(`cassettes/${path(name)}`)).map((each) => ({ each, text: json(each).toLowerCase() }));
      this.#name = name;
    }
    this.cassettes.choose(name);
    this.#filter();
    const found = this.#all.find(({ each }) => each.file === file);
    if (found === undefined) return this.#close();
    this.#file = file;
    this.recordings.choose(file);
    this.detail.replaceChildren(this.#recording(found.each, await editable()));
    this.detail.hidden = false;
    if (this.focusing) this.detail.querySelector("h2").focus();
    this.recordings.choose(file);
    return undefined;
  }

  #filter() {
    const low = this.text.value.toLowerCase();
    const found = this.#all.filter(({ text }) => text.includes(low)).map(({ each }) => each);
    this.recordings.show(found);
    this.count.textContent = this.#name === null ? "" : `${count(found.length, "recording")} of ${this.#name}`;
    if (low) say(this.count.textContent);
  }

  #recording(each, canEdit) {
    const { request, response } = each;
    return el(
      "article",
      { class: "whole", "aria-labelledby": "recording-title" },
      el("header", {}, el("h2", { id: "recording-title", tabindex: -1 }, each.file), el("button", { type: "button", class: "close", click: () => this.leave() }, "Close")),
      facts([
        ["operation", each.operation],
        ["model", each.model],
        ["status", String(response.status)],
        ["head after", response.after_ms === undefined ? null : `${response.after_ms} ms`],
        ["events", response.events && String(response.events.length)],
        ["played", each.partial ? "never: it was cut when it was recorded" : null],
      ]),
      el("section", {}, el("h3", {}, "Request"), verbatim(`${request.method} ${request.path}\n\n${shown(bodyOf(request))}`, "Request")),
      el("section", {}, el("h3", {}, "Response"), verbatim(shown(response.events ?? bodyOf(response)), "Response")),
      fold("The whole document", () => verbatim(json(each), "The whole document")),
      canEdit ? fold("Edit", () => this.#editing(each.file)) : null,
    );
  }

  /** A form with the text of the recording. A text that is refused stays. */
  #editing(file) {
    const where = `recordings/${path(file)}`;
    const text = el("textarea", { rows: 24, spellcheck: "false", "aria-label": "The text of the recording" });
    const result = el("p", { role: "status" });
    let version = null;
    const fill = (read) => {
      text.value = read.text;
      version = read.version;
    };
    const fail = (error) => result.replaceChildren(el("span", { class: "failure" }, error.message));
    const submit = async (event) => {
      event.preventDefault();
      try {
        fill(await put(where, { text: text.value, version }));
        result.replaceChildren("It is saved.");
        this.#name = null; // the list is read again
      } catch (error) {
        fail(error);
      }
    };
    get(where).then(fill, fail);
    return el("form", { class: "adding", "aria-label": "Edit the recording", submit }, text, el("button", {}, "Save"), result);
  }

  leave() {
    if (this.#file === null) return false;
    this.#go(this.#name);
    this.#close();
    this.recordings.focus();
    return true;
  }

  #close() {
    this.#file = null;
    this.detail.hidden = true;
    this.detail.replaceChildren();
  }

  draw() {}

  first() {
    this.text.focus();
  }
}
