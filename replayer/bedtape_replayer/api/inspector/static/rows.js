// A list of any length, of which only the rows in sight are in the document. One row is current: the keys move it.

import { el } from "./dom.js";

const HEIGHT = 28;
const BEYOND = 8;

/**
 * heads: the columns' names. cells: a row's value as its cells. opened: told of a row and how it came: it was moved to,
 * shown (a click, with its target) or gone to (Enter). keyed: what names a row's value, so that the current one stays when others come.
 */
export class Rows {
  #values = [];
  #current = -1;
  #key = null;
  #drawing = false;

  constructor({ label, name, heads, cells, opened, keyed, sorted = null, follow = false, empty = "Nothing here." }) {
    Object.assign(this, { heads, cells, opened, keyed, sorted, follow, name });
    this.body = el("div", { class: "rows-body", role: "rowgroup" });
    this.empty = el("p", { class: "empty" }, empty);
    const head = el(
      "div",
      { role: "rowgroup", class: "rows-head" },
      el("div", { role: "row", "aria-rowindex": 1, class: "row" }, heads.map((each) => this.#head(each))),
    );
    this.grid = el(
      "div",
      {
        class: `rows ${name}`, role: "grid", tabindex: 0, "aria-label": label, "aria-readonly": "true",
        keydown: (event) => this.#pressed(event),
        scroll: () => this.#soon(),
        click: (event) => this.#clicked(event),
      },
      head,
      this.body,
    );
    this.node = el("div", { class: "rows-frame" }, this.grid, this.empty);
    new ResizeObserver(() => this.#soon()).observe(this.grid);
  }

  /** A column's name; a click sorts by it: upwards, downwards, not at all. */
  #head(name) {
    if (this.sorted === null) return el("span", { role: "columnheader" }, name);
    const order = ["none", "ascending", "descending"];
    const turn = () => {
      const next = order[(order.indexOf(head.getAttribute("aria-sort")) + 1) % order.length];
      for (const each of head.parentElement.children) each.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", next);
      this.sorted(next === "none" ? null : name, next === "descending");
    };
    const head = el("span", { role: "columnheader", "aria-sort": "none" }, el("button", { type: "button", class: "sort", title: `Sort by ${name}`, click: turn }, name));
    return head;
  }

  /** Shows these; follows the end where it was in sight, and nobody has chosen a row. */
  show(values) {
    const { scrollTop, clientHeight, scrollHeight } = this.grid;
    const atEnd = this.follow && this.#current < 0 && scrollTop + clientHeight >= scrollHeight - HEIGHT;
    this.#values = values;
    this.#current = this.#key === null ? -1 : values.findIndex((value) => this.keyed(value) === this.#key);
    this.body.style.height = `${values.length * HEIGHT}px`;
    this.grid.setAttribute("aria-rowcount", String(values.length + 1));
    this.empty.hidden = values.length > 0;
    if (atEnd) this.grid.scrollTop = this.grid.scrollHeight;
    this.#draw();
  }

  /** Makes the row that is named so the current one. */
  choose(key) {
    this.#key = key;
    this.#current = key === null ? -1 : this.#values.findIndex((value) => this.keyed(value) === key);
    if (this.#current >= 0) this.#reveal();
    this.#draw();
  }

  focus() {
    this.grid.focus();
  }

  #soon() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  #draw() {
    const from = Math.max(0, Math.floor(this.grid.scrollTop / HEIGHT) - BEYOND);
    const to = Math.min(this.#values.length, from + Math.ceil(this.grid.clientHeight / HEIGHT) + 2 * BEYOND);
    const rows = [];
    for (let at = from; at < to; at += 1) rows.push(this.#row(at));
    this.body.replaceChildren(...rows);
    const active = this.#current >= from && this.#current < to ? this.#id(this.#current) : null;
    if (active) this.grid.setAttribute("aria-activedescendant", active);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  #id(at) {
    return `${this.name}-${at}`;
  }

  #row(at) {
    const { cells, mark } = this.cells(this.#values[at]);
    const row = el(
      "div",
      {
        id: this.#id(at), class: `row ${mark ?? ""}`, role: "row", "aria-rowindex": at + 2,
        "aria-selected": at === this.#current ? "true" : "false", "data-at": at,
      },
      cells.map((cell) => el("span", { role: "gridcell", title: typeof cell === "string" ? cell : null }, cell)),
    );
    row.style.top = `${at * HEIGHT}px`;
    return row;
  }

  #reveal() {
    const top = this.#current * HEIGHT;
    const inside = this.grid.clientHeight - 2 * HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + inside) this.grid.scrollTop = top - inside;
  }

  #move(to, how, target = null) {
    if (this.#values.length === 0) return;
    this.#current = Math.min(Math.max(to, 0), this.#values.length - 1);
    this.#key = this.keyed(this.#values[this.#current]);
    this.#reveal();
    this.#draw();
    this.opened(this.#values[this.#current], how, target);
  }

  #clicked(event) {
    const row = event.target.closest("[data-at]");
    if (row) this.#move(Number(row.dataset.at), "show", event.target);
  }

  #pressed(event) {
    if (event.target.closest("button")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.grid.clientHeight / HEIGHT) - 2);
    const last = this.#values.length - 1;
    const at = this.#current;
    const to = {
      ArrowDown: at + 1, j: at + 1, ArrowUp: at < 0 ? last : at - 1, k: at < 0 ? last : at - 1,
      PageDown: at + page, PageUp: at - page, Home: 0, End: last,
    }[event.key];
    if (event.key === "Enter" && at >= 0) this.#move(at, "go");
    else if (to !== undefined) this.#move(to, "move");
    else return;
    event.preventDefault();
  }
}
