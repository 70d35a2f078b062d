/**
 * A bedtape server, from a test: sessions with rules, faults and the history of their calls.
 *
 * This module contacts the control API alone and never Bedrock. Your code contacts Bedrock with any
 * SDK whose endpoint is `session.url`. The types are generated from the server's OpenAPI document.
 */

import type { components } from "./api.js";
import { type Ask, Session } from "./session.js";

export { CallsMismatch, Session } from "./session.js";
export type * from "./session.js";
export { fastRetries, type FastRetries } from "./retries.js";

/** The server refused, or did not answer. `status` is 0 without an answer. */
export class BedtapeError extends Error {
  override readonly name = "BedtapeError";
  constructor(
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export type Health = components["schemas"]["Health"];
export type Cassette = components["schemas"]["Cassette"];

export class Bedtape {
  readonly url: string;
  readonly #token: string | undefined;

  /**
   * @param url the server's, without a session. `bedtape run` puts it into BEDTAPE_URL.
   * @param options token: the server's --control-token. Default: BEDTAPE_CONTROL_TOKEN.
   */
  constructor(url: string | undefined = process.env.BEDTAPE_URL, options: { token?: string } = {}) {
    if (!url) {
      const fix =
        "run the tests as `npx bedtape run -- npm test`, set BEDTAPE_URL," +
        ' or let vitest or Jest start the server: globalSetup: "@bedtape/client/setup"';
      throw new BedtapeError(0, `expected a server's URL, found none: ${fix}`);
    }
    this.url = url.replace(/\/+$/, "");
    this.#token = options.token ?? process.env.BEDTAPE_CONTROL_TOKEN;
  }

  /** A test's own rules, faults and history. Two tests never meet if their names differ. */
  session(name: string): Session {
    const part = encodeURIComponent(name);
    const ask: Ask = (method, path, body) =>
      this.#ask(method, `/_bedtape/sessions/${part}${path}`, body);
    return new Session(name, `${this.url}/s/${part}`, ask, (seconds) => this.advance(seconds));
  }

  /** Whether the server runs, and what it plays. */
  async health(): Promise<Health> {
    return (await this.#ask("GET", "/_bedtape/health")) as Health;
  }

  /** The cassettes that the server plays. */
  async cassettes(): Promise<Cassette[]> {
    return (await this.#ask("GET", "/_bedtape/cassettes")) as Cassette[];
  }

  /** Seconds of the virtual clock, which quotas use. All sessions share it. */
  async now(): Promise<number> {
    return ((await this.#ask("GET", "/_bedtape/clock")) as { now: number }).now;
  }

  /** Advances the virtual clock. @returns its new time. */
  async advance(seconds: number): Promise<number> {
    const clock = await this.#ask("POST", "/_bedtape/clock", { advance: seconds });
    return (clock as { now: number }).now;
  }

  #ask: Ask = async (method, path, body) => {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#token !== undefined) headers["x-bedtape-token"] = this.#token;
    const response = await fetch(this.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      const fix = "is `bedtape run` or `bedtape replay` running?";
      throw new BedtapeError(0, `no server answers at ${this.url}; ${fix}`, { cause: error });
    });
    const text = await response.text();
    if (!response.ok) throw new BedtapeError(response.status, refusalOf(text));
    return JSON.parse(text) as unknown;
  };
}

function refusalOf(text: string): string {
  try {
    return String((JSON.parse(text) as components["schemas"]["Error"]).error);
  } catch {
    // Something else listens there.
    return `expected a bedtape server's answer, found ${text.slice(0, 200)}`;
  }
}
