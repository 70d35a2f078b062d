// Calls on an axis of time: a row for each SDK call with all its attempts. Long idle times are cut out of the axis.

import { el, svg } from "./dom.js";
import { outcomeOf, statusOf } from "./store.js";
import { count, lasted } from "./words.js";

const WIDE = 1000;
const HIGH = 20;
// An idle time is shown with at most this share of the busy time.
const IDLE = 0.04;
const TICKS = 6;
// A step of the zoom, and the smallest part of the axis that is shown.
const STEP = 2;
const SMALLEST = 1e-6;

/** The whole axis, as the part that is shown. */
export const WHOLE = [0, 1];

const end = (call) => call.began + call.seconds;

/** The attempts of each SDK call, in the order in which the calls began. */
export function groupAttempts(calls) {
  const groups = new Map();
  for (const call of [...calls].sort((a, b) => a.began - b.began)) {
    const key = call.invocation === null ? `${call.session}/${call.number}` : `${call.session} ${call.invocation}`;
    const group = groups.get(key);
    if (group) group.calls.push(call);
    else groups.set(key, { key, calls: [call] });
  }
  return [...groups.values()];
}

/**
 * The axis of these groups: its length in seconds, the place of a time, from 0 to 1, and the time of a place, in seconds
 * since the first call.
 */
export function buildScale(groups) {
  const busy = [];
  for (const { calls } of groups) {
    const [from, to] = [calls[0].began, Math.max(...calls.map(end))];
    if (busy.length && from <= busy.at(-1).to) busy.at(-1).to = Math.max(busy.at(-1).to, to);
    else busy.push({ from, to });
  }
  const total = busy.reduce((sum, each) => sum + each.to - each.from, 0);
  const most = Math.max(total * IDLE, 0.001);
  let at = 0;
  busy.forEach((each, number) => {
    at += number ? Math.min(each.from - busy[number - 1].to, most) : 0;
    each.at = at;
    at += each.to - each.from;
  });
  const all = at || 1;
  const last = (met) => {
    let [low, high] = [0, busy.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (met(busy[middle])) low = middle;
      else high = middle - 1;
    }
    return busy[low];
  };
  return {
    length: all,
    place(time) {
      const each = last(({ from }) => from <= time);
      return (each.at + Math.min(time, each.to) - each.from) / all;
    },
    time(place) {
      const each = last(({ at: from }) => from <= place * all);
      return Math.min(each.from + place * all - each.at, each.to) - busy[0].from;
    },
  };
}

/** The scale of a part of an axis, from one place to another. */
export const cut = (scale, [from, to]) => ({
  place: (time) => (scale.place(time) - from) / (to - from),
  time: (place) => scale.time(from + place * (to - from)),
});

/** The part that is shown after a step: closer (1) or further away (-1), around a place in the part, from 0 to 1. */
export function zoom([from, to], step, around = 0.5) {
  const wide = Math.min(1, Math.max(SMALLEST, (to - from) / STEP ** step));
  return keepInside(from + (to - from - wide) * around, wide);
}

/** The part before (-1) or after (1), half of the part that is shown away. */
export const move = ([from, to], step) => keepInside(from + ((to - from) / 2) * step, to - from);

/** The part between two places of the part that is shown. */
export function select([from, to], one, other) {
  const [first, last] = [Math.max(0, Math.min(one, other)), Math.min(1, Math.max(one, other))];
  return keepInside(from + first * (to - from), Math.max(SMALLEST, (last - first) * (to - from)));
}

function keepInside(from, wide) {
  const start = Math.min(Math.max(0, from), 1 - wide);
  return [start, start + wide];
}

/** Whether a group is in the part of the axis that a scale shows. */
export const isInside = ({ calls }, scale) => scale.place(Math.max(...calls.map(end))) >= 0 && scale.place(calls[0].began) <= 1;

/** The labels of the axis. */
export const labels = (scale) =>
  Array.from({ length: TICKS }, (_, at) => el("span", {}, scale.time(at / (TICKS - 1)) > 0 ? `+${lasted(scale.time(at / (TICKS - 1)))}` : "0"));

/** A group as a picture. A bar has the number of its call. */
export function bars({ calls }, scale) {
  const x = (time) => {
    const place = scale.place(time) * WIDE;
    return place > WIDE ? place : Math.min(WIDE - 3, place); // what is beyond the end is cut off
  };
  const parts = calls.map((call, at) => {
    const [from, to] = [x(call.began), x(end(call))];
    const marks = call.marks.map((mark) => x(call.began + mark / 1000));
    const first = marks.length ? marks[0] : from;
    const last = marks.length ? marks.at(-1) : to;
    const outcome = outcomeOf(call).replace(" ", "-");
    return svg(
      "g",
      { class: outcome, "data-number": call.number },
      at ? svg("line", { class: "between", x1: x(end(calls[at - 1])), x2: from, y1: HIGH / 2, y2: HIGH / 2 }) : null,
      svg("rect", { class: "waiting", x: from, y: 5, width: Math.max(to - from, 3), height: HIGH - 10 }),
      marks.length === 1 ? null : svg("rect", { class: "sending", x: first, y: 3, width: Math.max(last - first, 3), height: HIGH - 6 }),
      marks.map((mark) => svg("line", { class: "mark", x1: mark, x2: mark, y1: 3, y2: HIGH - 3 })),
      svg("rect", { class: "hit", x: from - 5, y: 0, width: Math.max(to - from, 0) + 10, height: HIGH }), // a bar can be a pixel
      svg("title", {}, describe(call)),
    );
  });
  const told = calls.map(describe).join("; ");
  return svg("svg", { class: "bars", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": told }, parts);
}

function describe(call) {
  const attempt = call.attempt > 1 ? `attempt ${call.attempt}, ` : "";
  const events = call.events ? `, ${count(call.events, "event")}` : "";
  const first = call.marks.length ? `, the first after ${lasted(call.marks[0] / 1000)}` : "";
  return `${attempt}${statusOf(call)}, ${lasted(call.seconds)}${events}${first}`;
}
