// The calls of all sessions as this page knows them, in the order in which they ended. It polls; it draws nothing.

import { get } from "./api.js";

const EVERY_MS = 1000;
// Ends are told in microseconds; what ended in the same one as the last that is known is asked for again.
const OVERLAP = 1000;

export const keyOf = (call) => JSON.stringify([call.session, call.number]);

export class Store extends EventTarget {
  calls = [];
  sessions = [];
  live = true;
  failed = null;
  #since = 0;
  #known = new Set();
  #timer = null;

  start() {
    this.#turn();
  }

  /** Whether it asks again and again. */
  setLive(live) {
    this.live = live;
    if (live) this.ask();
    else this.#told();
  }

  /** Asks now. */
  ask() {
    clearTimeout(this.#timer);
    this.#turn();
  }

  async #turn() {
    let more = false;
    try {
      const told = await get(`inspector/calls?since=${this.#since}`);
      more = told.more;
      this.failed = null;
      this.#take(told);
    } catch (error) {
      this.failed = error.message;
      this.#told();
    }
    clearTimeout(this.#timer);
    if (more) this.#timer = setTimeout(() => this.#turn(), 0);
    else if (this.live) this.#timer = setTimeout(() => this.#turn(), EVERY_MS);
  }

  #take({ calls, sessions, more }) {
    const oldest = new Map(sessions.map((session) => [session.name, session.oldest ?? Infinity]));
    const kept = this.calls.filter((call) => call.ended >= (oldest.get(call.session) ?? Infinity));
    // A session that began anew counts from 1 again: a call is named by its end too.
    const fresh = calls.filter((call) => !this.#known.has(`${call.ended} ${keyOf(call)}`));
    const changed = fresh.length > 0 || kept.length !== this.calls.length;
    const same = JSON.stringify(sessions) === JSON.stringify(this.sessions);
    if (changed) {
      this.calls = [...kept, ...fresh].sort((a, b) => a.ended - b.ended);
      this.#known = new Set(this.calls.map((call) => `${call.ended} ${keyOf(call)}`));
    }
    const last = calls.at(-1)?.ended ?? this.#since;
    this.#since = Math.max(this.#since, more ? last : last - OVERLAP);
    this.sessions = sessions;
    if (changed || !same) this.dispatchEvent(new Event("change"));
    this.#told();
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
