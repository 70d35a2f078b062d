// The calls, as the server sends them: those that have ended, those that run, and the sessions.

import { listen, report } from "./api.js";

// The list is drawn at most this often, and a lost stream is asked for again after a second.
const EVERY_MS = 100;
const AGAIN_MS = 1000;

const byEnd = (a, b) => a.ended - b.ended;

/** What names a call. A session that was reset has calls with the same numbers. */
export const keyOf = ({ session, number }) => `${session}/${number}`;

/** What the server has sent since a stream began. */
class Known {
  calls = [];
  running = new Map();
  sessions = new Map();
  forgotten = 0;
  dropped = 0;

  /** Takes in one event. */
  take(name, data) {
    if (name === "ended") {
      this.running.delete(keyOf(data));
      this.#add(data);
    } else if (name === "running") {
      this.running.set(keyOf(data), { ...data, running: true, error: null, hung_up: false });
    } else if (name === "gone") this.running.delete(keyOf(data));
    else if (name === "sessions") this.#takeSessions(data);
  }

  #add(call) {
    const late = this.calls.length > 0 && this.calls.at(-1).ended > call.ended;
    this.calls.push(call);
    if (late) this.calls.sort(byEnd);
  }

  #takeSessions({ sessions, removed, forgotten, dropped }) {
    const oldest = new Map(removed.map((name) => [name, Infinity]));
    for (const session of sessions) {
      oldest.set(session.name, session.oldest ?? Infinity);
      this.sessions.set(session.name, session);
    }
    for (const name of removed) this.sessions.delete(name);
    const first = this.calls.findIndex((call) => call.ended < (oldest.get(call.session) ?? 0));
    if (first >= 0) this.calls = this.calls.filter((call) => call.ended >= (oldest.get(call.session) ?? 0));
    Object.assign(this, { forgotten, dropped });
  }
}

export class Store extends EventTarget {
  live = true;
  failed = null;
  #known = new Known();
  #stream = null;
  #drawn = 0;
  #timer = null;
  /** Resolves when the list of calls is there. */
  loaded = new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));

  get calls() {
    return this.#known.calls;
  }

  get running() {
    const now = Date.now() / 1000;
    return [...this.#known.running.values()].map((call) => ({ ...call, seconds: Math.max(0, now - call.began) }));
  }

  get sessions() {
    return [...this.#known.sessions.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get forgotten() {
    return this.#known.forgotten;
  }

  get dropped() {
    return this.#known.dropped;
  }

  start() {
    if (report === null) this.#follow();
    else this.#read(report.answers.events);
  }

  #read({ calls, sessions, forgotten, dropped }) {
    Object.assign(this.#known, { calls, forgotten, dropped, sessions: new Map(sessions.map((each) => [each.name, each])) });
    this.#draw();
    this.#report();
  }

  /** Whether it follows the server. */
  setLive(live) {
    this.live = live;
    this.#stream?.abort();
    this.#stream = null;
    if (live) this.#follow();
    else this.#report();
  }

  /** Follows the stream of events; if it ends, the next stream replaces all that is known. */
  async #follow() {
    const stream = new AbortController();
    this.#stream = stream;
    let known = new Known();
    let wait = AGAIN_MS;
    try {
      await listen("events", stream.signal, (events) => {
        for (const [name, data] of events) {
          known.take(name, data);
          if (name === "ready") this.#known = known;
          if (name === "lost") wait = 0;
        }
        if (this.failed !== null || this.#known === known) this.failed = null;
        this.#report();
        if (this.#known === known) this.#drawSoon();
      });
      if (wait) this.failed = "the stream of events has ended";
    } catch (error) {
      this.failed = error.message;
    }
    if (this.#stream !== stream) return;
    this.#report();
    setTimeout(() => this.#stream === stream && this.#follow(), wait);
  }

  /** Draws at once, or when enough time has gone since. While calls run, their time goes on. */
  #drawSoon() {
    clearTimeout(this.#timer);
    const due = this.#drawn + EVERY_MS - Date.now();
    if (due <= 0) this.#draw();
    else this.#timer = setTimeout(() => this.#draw(), due);
  }

  #draw() {
    this.#drawn = Date.now();
    this.dispatchEvent(new Event("change"));
    clearTimeout(this.#timer);
    if (this.#known.running.size && this.live) this.#timer = setTimeout(() => this.#draw(), AGAIN_MS);
  }

  #report() {
    this.dispatchEvent(new Event("state"));
  }
}

/** What became of a call, in one word. */
export function outcomeOf(call) {
  if (call.running) return "running";
  if (call.status === null && !call.hung_up) return "error";
  if (call.source === "miss") return "miss";
  if (call.error !== null || call.status >= 400) return "error";
  return call.hung_up ? "hung up" : "answered";
}

/** The status and error of a call, also if it has none. */
export function statusOf(call) {
  if (call.running) return call.events === null ? "running" : `running, ${call.events} events`;
  const status = call.status ?? "no answer";
  return call.error ? `${status} ${call.error}` : outcomeOf(call) === "hung up" ? `${status}, client left` : String(status);
}

/** Whether a call has the text in its prompt, answer, operation, error or ids. low: in lower case. */
export const hasText = (call, low) =>
  [call.prompt, call.answer, call.operation, call.error, call.id, call.invocation, call.by, call.session].some((each) => each?.toLowerCase().includes(low));

export const OUTCOMES = ["answered", "error", "miss", "hung up", "running"];
