// Two requests side by side, line by line, and the fields in which they differ. It compares text; it knows no format.

import { el, table } from "./dom.js";

// Longer texts are shown without marks: a comparison takes lines times lines.
const MOST_LINES = 1500;

/** Pairs of lines, the same on both sides or one missing: the longest common sequence of lines. */
export function aligned(left, right) {
  const rows = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      rows[i][j] = left[i] === right[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) pairs.push([left[i++], right[j++]]);
    else if (j >= right.length || (i < left.length && rows[i + 1][j] >= rows[i][j + 1])) pairs.push([left[i++], null]);
    else pairs.push([null, right[j++]]);
  }
  return paired(pairs);
}

/** A line that is gone and one that came in its place stand in one row. */
function paired(pairs) {
  const rows = [];
  let gone = [];
  let come = [];
  const flush = () => {
    for (let at = 0; at < Math.max(gone.length, come.length); at += 1) rows.push([gone[at] ?? null, come[at] ?? null]);
    [gone, come] = [[], []];
  };
  for (const [left, right] of pairs) {
    if (left !== null && right !== null) {
      flush();
      rows.push([left, right]);
    } else if (left !== null) gone.push(left);
    else come.push(right);
  }
  flush();
  return rows;
}

/** Both texts, what came and what was, as a table of two columns; what differs is marked, in words too for screen readers. */
export function sides(caption, leftName, left, rightName, right) {
  const [one, other] = [left.split("\n"), right.split("\n")];
  const few = one.length <= MOST_LINES && other.length <= MOST_LINES;
  const rows = few ? aligned(one, other) : Array.from({ length: Math.max(one.length, other.length) }, (_, at) => [one[at] ?? null, other[at] ?? null]);
  const cell = (line, differs, name) =>
    el("td", { class: line === null ? "gap" : differs ? name : "" }, line, differs && line !== null ? el("span", { class: "unseen" }, " (differs)") : null);
  return table(
    caption,
    [leftName, rightName],
    rows.map(([a, b]) => el("tr", {}, cell(a, few && a !== b, "come"), cell(b, few && a !== b, "gone"))),
    "sides code",
  );
}

/** The fields in which a call differs from a recording. */
export const differences = (found) =>
  table(
    "Fields that differ",
    ["field", "sent", "recorded"],
    found.map((each) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", class: "code" }, each.field),
        el("td", { class: "code come" }, each.sent ?? el("i", {}, "not sent")),
        el("td", { class: "code gone" }, each.recorded ?? el("i", {}, "not in the recording")),
      ),
    ),
    "differences",
  );
