// The calls of all sessions as this page knows them, in the order in which they ended. It polls; it draws nothing.

import { get } from "./api.js";

const EVERY_MS = 1000;
// Ends are told in microseconds; what ended in the same one as the last that is known is asked for again.
const OVERLAP = 1000;

export const keyOf = (call) => JSON.stringify([call.session, call.number]);

// A session that began anew counts from 1 again: a call is named by its end too.
const nameOf = (call) => `${call.ended} ${keyOf(call)}`;

export class Store extends EventTarget {
  calls = [];
  sessions = [];
  live = true;
  failed = null;
  #since = 0;
  #known = new Set();
  #timer = null;
  #turns = 0;

  start() {
    this.#turn();
  }

  /** Whether it asks again and again. */
  setLive(live) {
    this.live = live;
    clearTimeout(this.#timer);
    if (live) this.#turn();
    else this.#told();
  }

  /** Asks now. */
  ask() {
    clearTimeout(this.#timer);
    this.#turn();
  }

  async #turn() {
    const turn = (this.#turns += 1);
    let told = null;
    let failed = null;
    try {
      told = await get(`inspector/calls?since=${this.#since}`);
    } catch (error) {
      failed = error.message;
    }
    // What was asked before something else is older than what is known.
    if (turn !== this.#turns) return;
    this.failed = failed;
    if (told) this.#take(told);
    this.#told();
    const more = told?.more ?? false;
    clearTimeout(this.#timer);
    if (more) this.#timer = setTimeout(() => this.#turn(), 0);
    else if (this.live) this.#timer = setTimeout(() => this.#turn(), EVERY_MS);
  }

  #take({ calls, sessions, more }) {
    const oldest = new Map(sessions.map((session) => [session.name, session.oldest ?? Infinity]));
    const kept = this.calls.filter((call) => call.ended >= (oldest.get(call.session) ?? Infinity));
    const fresh = calls.filter((call) => !this.#known.has(nameOf(call)));
    const gone = this.calls.length - kept.length;
    const same = JSON.stringify(sessions) === JSON.stringify(this.sessions);
    if (gone) this.#known = new Set(kept.map(nameOf));
    for (const call of fresh) this.#known.add(nameOf(call));
    const inOrder = fresh.length === 0 || kept.length === 0 || fresh[0].ended >= kept.at(-1).ended;
    this.calls = [...kept, ...fresh];
    if (!inOrder) this.calls.sort((a, b) => a.ended - b.ended);
    const last = calls.at(-1)?.ended ?? this.#since;
    this.#since = Math.max(this.#since, more ? last : last - OVERLAP);
    this.sessions = sessions;
    if (gone || fresh.length || !same) this.dispatchEvent(new Event("change"));
  }

  #told() {
    this.dispatchEvent(new Event("state"));
  }
}

/** What became of a call, in one word. */
export function outcomeOf(call) {
  if (call.source === "miss") return "miss";
  if (call.error !== null || call.status >= 400) return "error";
  return call.hung_up ? "hung up" : "answered";
}

export const OUTCOMES = ["answered", "error", "miss", "hung up"];
