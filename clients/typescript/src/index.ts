/**
 * A bedtape server, from a test: sessions with rules, faults and the history of their calls.
 *
 * It speaks to the control API alone and never to Bedrock: your code does that, with any SDK whose endpoint is
 * `session.url`. Words and types are those of overlay files; they are generated from the server's OpenAPI document.
 */

import type { components, operations } from "./api.js";

type Schemas = components["schemas"];
export type Rule = Schemas["Rule"];
export type Fault = Schemas["Fault"];
/** Which calls a rule or fault is about. */
export type When = Schemas["When"];
/** What a rule answers, whichever operation and model family asks. */
export type Answer = Schemas["Answer"];
/** A rule's name, and which of the calls it takes. */
export type Which = Pick<Rule, "name" | "family" | "times" | "after" | "every" | "probability">;
/** One request that the server received, and what it answered. */
export type Call = Schemas["Call"];
/** A mistake in how the code under test retries. */
export type Finding = Schemas["Finding"];
/** What `calls` can choose by. */
export type Choice = NonNullable<operations["calls"]["parameters"]["query"]>;
/** What `assertCalled` holds calls against: the words of `when`, what came of the call, and how many there must be. */
export type Conditions = Schemas["Counted"];

/** The server refused, or none answered. `status` is 0 where there was no answer. */
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

/** The calls are not those that were expected; the message shows the nearest and how they differ. */
export class CallsMismatch extends Error {
  override readonly name = "CallsMismatch";
}

export class Bedtape {
  readonly url: string;
  readonly #token: string | undefined;

  /**
   * @param url the server's, without a session; `bedtape run` puts it into BEDTAPE_URL.
   * @param options token: what the server was started with as --control-token, if it was.
   */
  constructor(url: string | undefined = process.env.BEDTAPE_URL, options: { token?: string } = {}) {
    if (!url) {
      const fix = "run the tests as `bedtape run -- npm test`, or set BEDTAPE_URL";
      throw new BedtapeError(0, `expected a server's URL, found none: ${fix}`);
    }
    this.url = url.replace(/\/+$/, "");
    this.#token = options.token;
  }

  /** A test's own rules, faults and history. Two tests never meet if their names differ. */
  session(name: string): Session {
    const part = encodeURIComponent(name);
    return new Session(name, `${this.url}/s/${part}`, (method, path, body) =>
      this.#ask(method, `/_bedtape/sessions/${part}${path}`, body),
    );
  }

  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#token !== undefined) headers["x-bedtape-token"] = this.#token;
    const response = await fetch(this.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw new BedtapeError(0, `no server answers at ${this.url}; is \`bedtape run\` or \`bedtape replay\` running?`, {
        cause: error,
      });
    });
    const text = await response.text();
    if (!response.ok) throw new BedtapeError(response.status, refusalOf(text));
    return JSON.parse(text);
  }
}

function refusalOf(text: string): string {
  try {
    return String((JSON.parse(text) as Schemas["Error"]).error);
  } catch {
    return `expected a bedtape server's answer, found ${text.slice(0, 200)}`; // something else listens there
  }
}

export class Session {
  /** @internal: `Bedtape.session` makes them. */
  constructor(
    readonly name: string,
    /** The endpoint to give to the code under test. */
    readonly url: string,
    private readonly ask: (method: string, path: string, body?: unknown) => Promise<unknown>,
  ) {}

  /**
   * Answers calls from now on: `respond("classify spam", { json: { label: "spam" } })`. A text in place of `when` is a
   * part of the prompt, one in place of an answer is what the model says; several answers are given in turn. The first
   * rule that matches answers.
   * @returns the rule's name.
   */
  respond(when: string | When, answer: string | Answer | (string | Answer)[], which: Which = {}): Promise<string> {
    const about: When = typeof when === "string" ? { prompt_contains: when } : when;
    const said = Array.isArray(answer) ? { answers: answer.map(answerOf) } : { answer: answerOf(answer) };
    return this.add("/rules", { ...which, ...(Object.keys(about).length ? { when: about } : {}), ...said });
  }

  /**
   * Makes calls fail, once if `times` does not say otherwise: `fail("ThrottlingException", { times: 2 })`.
   * @returns the fault's name.
   */
  fail(error: string, fault: Omit<Fault, "error"> = {}): Promise<string> {
    return this.fault({ times: 1, ...fault, error });
  }

  /** Harms answers in any other way: `fault({ reset: { after_events: 2 } })`. @returns the fault's name. */
  fault(fault: Fault): Promise<string> {
    return this.add("/faults", fault);
  }

  /** The calls so far, in the order in which they ended: all, or those that are so. */
  async calls(choice: Choice = {}): Promise<Call[]> {
    const query = new URLSearchParams({ limit: String(1_000_000_000) }); // all of them: the server's own limit is a page
    for (const [name, value] of Object.entries(choice)) query.set(name, String(value));
    return ((await this.ask("GET", `/calls?${query}`)) as Schemas["Calls"]).calls;
  }

  /** Throws CallsMismatch unless calls were so, at least one by default: `assertCalled({ status: 429, times: 2 })`. */
  async assertCalled(conditions: Conditions = {}): Promise<void> {
    const { passed, report } = (await this.ask("POST", "/assert", { called: conditions })) as Schemas["Asserted"];
    if (!passed) throw new CallsMismatch(report ?? "the calls are not those that were expected");
  }

  /** What the code under test did wrong in retrying; empty where it did well. */
  async verdict(): Promise<Finding[]> {
    return (await this.ask("GET", "/verdict")) as Finding[];
  }

  /** Forgets rules, faults, positions and calls. */
  async reset(): Promise<void> {
    await this.ask("POST", "/reset");
  }

  /** Forgets the session itself, at the end of its test. */
  async drop(): Promise<void> {
    await this.ask("DELETE", "");
  }

  private async add(path: string, layer: unknown): Promise<string> {
    return ((await this.ask("POST", path, layer)) as Schemas["LaidRule" | "LaidFault"]).name;
  }
}

function answerOf(answer: string | Answer): Answer {
  return typeof answer === "string" ? { text: answer } : answer;
}
