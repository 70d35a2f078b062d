// Elements made of values. Text is always a text node: nothing here, and nothing in the page, reads text as markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element: attributes by name, listeners as functions, children as elements or text. */
export const el = (tag, properties = {}, ...children) => filled(document.createElement(tag), properties, children);

/** The same, of a picture. */
export const svg = (tag, properties = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), properties, children);

/** A link to a place in this page; parts may be any text. */
export const link = (parts, ...children) => el("a", { href: `#/${parts.map(encodeURIComponent).join("/")}` }, ...children);

export const byId = (id) => document.getElementById(id);

/** Says something to screen readers. */
export const say = (text) => {
  byId("said").textContent = text;
};

/** A section that folds; its body is made when it is first opened, for bodies can be large. */
export function fold(title, body, open = false) {
  const holder = el("details", {}, el("summary", {}, title));
  let made = false;
  const fill = () => {
    if (holder.open && !made) {
      made = true;
      holder.append(body());
    }
  };
  holder.addEventListener("toggle", fill);
  holder.open = open;
  fill();
  return holder;
}

/** A list of names and values; those without a value are left out. */
export const facts = (pairs) =>
  el(
    "dl",
    { class: "facts" },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );

/** A table with a caption for those who do not see it. */
export const table = (caption, heads, rows, name = "") =>
  el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      { class: name },
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows),
    ),
  );

const LONGEST = 200_000;

/** Text as it is, cut where a browser would get slow. */
export function verbatim(text, label) {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text;
  return el("pre", { tabindex: 0, "aria-label": label }, cut);
}

/** JSON with line breaks, or the text as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
