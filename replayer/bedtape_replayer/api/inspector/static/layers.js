// A session's rules and faults, added and removed by hand. Fields write the document; what is sent is the document.

import { get, path, post, remove, report } from "./api.js";
import { el, say, table } from "./dom.js";
import { count } from "./words.js";

const RULES = {
  text: (fill) => ({ answer: { text: fill || "An answer." } }),
  "tool call": (fill) => ({ answer: { tool: { name: fill || "get_weather", input: {} } } }),
  JSON: () => ({ answer: { json: { label: "spam" } } }),
  error: (fill) => ({ answer: { error: fill || "ThrottlingException" } }),
};
const FAULTS = {
  error: (fill) => ({ error: fill || "ThrottlingException" }),
  "error in the stream": (fill) => ({ error: fill || "ModelStreamErrorException", after_events: 2 }),
  "error frame": (fill) => ({ error_frame: { code: fill || "internalServerException", after_events: 2 } }),
  http: (fill) => ({ http: { status: 502, text: fill || "Bad Gateway" } }),
  quota: (fill) => ({ quota: { requests_per_minute: Number(fill) || 60 } }),
  latency: (fill) => ({ latency: { first_byte_ms: Number(fill) || 500 } }),
  stall: () => ({ stall: { after_events: 2 } }),
  reset: () => ({ reset: { after_events: 2 } }),
  truncate: () => ({ truncate: { after_events: 2 } }),
  corrupt: (fill) => ({ corrupt: { what: fill || "json" } }),
  "drop events": () => ({ drop: { numbers: [2] } }),
  "repeat events": () => ({ repeat: { numbers: [2] } }),
  "swap events": () => ({ swap: { first: 2, second: 3 } }),
  "insert an event": (fill) => ({ insert: { type: fill || "unknown", after_events: 2 } }),
  misanswer: (fill) => ({ misanswer: fill || "max_tokens" }),
};

const told = ({ name, fired, ...rest }) => JSON.stringify(rest);

export class Layers {
  constructor(session) {
    this.base = `sessions/${path(session)}`;
    this.list = el("div", { tabindex: -1 });
    this.node = el("section", { class: "layers" }, el("h3", {}, "Rules and faults"), this.list, report === null ? this.#adding() : null);
  }

  /** Asks for the layers and shows them. */
  async draw() {
    const { rules, faults } = await get(`${this.base}/overlay`);
    const rows = [...rules.map((rule) => this.#row("rule", rule)), ...faults.map((fault) => this.#row("fault", fault))];
    this.list.replaceChildren(
      rows.length ? table("Rules and faults", ["kind", "name", "took", "document", ""], rows) : el("p", { class: "none" }, "None: the cassette answers."),
    );
  }

  #row(kind, layer) {
    return el(
      "tr",
      {},
      el("td", {}, kind),
      el("th", { scope: "row" }, layer.name),
      el("td", { class: "number" }, count(layer.fired, "call")),
      el("td", { class: "code" }, told(layer)),
      el("td", {}, report === null && el("button", { type: "button", "aria-label": `Remove ${kind} ${layer.name}`, click: () => this.#removed(layer.name) }, "Remove")),
    );
  }

  async #removed(name) {
    await this.#done(() => remove(`${this.base}/layers/${path(name)}`), `${name} is removed`);
    this.list.focus(); // for the button that had it is gone
  }

  async #done(act, words) {
    this.wrong.replaceChildren();
    try {
      await act();
      say(words);
    } catch (error) {
      const problems = error.problems ?? [];
      const items = problems.length ? problems.map((each) => `${each.where || "the document"}: expected ${each.expected}, found ${each.found}${each.fix ? `; ${each.fix}` : ""}`) : [error.message];
      this.wrong.replaceChildren(...items.map((each) => el("li", {}, each)));
    }
    await this.draw();
  }

  #adding() {
    const write = () => this.#write();
    this.kind = el("select", { id: "layer-kind", change: write });
    for (const [group, kinds] of [["rule", RULES], ["fault", FAULTS]]) {
      this.kind.append(el("optgroup", { label: `${group}s` }, Object.keys(kinds).map((name) => el("option", { value: `${group} ${name}` }, `${group}: ${name}`))));
    }
    this.prompt = el("input", { id: "layer-prompt", input: write });
    this.model = el("input", { id: "layer-model", placeholder: "*claude*", input: write });
    this.fill = el("input", { id: "layer-fill", input: write });
    this.times = el("input", { id: "layer-times", type: "number", min: 1, input: write });
    this.document = el("textarea", { id: "layer-document", rows: 8, spellcheck: "false", "aria-describedby": "layer-wrong" });
    this.wrong = el("ul", { id: "layer-wrong", class: "failure", role: "alert" });
    const field = (label, input) => el("label", {}, el("span", {}, label), input);
    const form = el(
      "form",
      { class: "adding", "aria-label": "Add a rule or fault", submit: (event) => this.#submitted(event) },
      el("div", { class: "fields" },
        field("Add", this.kind), field("when the prompt has", this.prompt), field("model", this.model),
        field("text, tool, error or ms", this.fill), field("times", this.times)),
      field("Document, as overlay files have it", this.document),
      this.wrong,
      el("button", { type: "submit" }, "Add it"),
    );
    this.#write();
    return form;
  }

  /** Writes the document that the fields say. */
  #write() {
    const [group, name] = this.#chosen();
    const kinds = group === "rule" ? RULES : FAULTS;
    const when = {
      ...(this.prompt.value ? { prompt_contains: this.prompt.value } : {}),
      ...(this.model.value ? { model: this.model.value } : {}),
    };
    const document = {
      ...(Object.keys(when).length ? { when } : {}),
      ...kinds[name](this.fill.value),
      ...(this.times.value ? { times: Number(this.times.value) } : {}),
    };
    this.document.value = JSON.stringify(document, null, 2);
  }

  #chosen() {
    const [group, ...name] = this.kind.value.split(" ");
    return [group, name.join(" ")];
  }

  async #submitted(event) {
    event.preventDefault();
    const [group] = this.#chosen();
    await this.#done(async () => {
      let value;
      try {
        value = JSON.parse(this.document.value);
      } catch (error) {
        throw new Error(`expected JSON; ${error.message}`);
      }
      await post(`${this.base}/${group}s`, value);
    }, `the ${group} is added`);
  }
}
