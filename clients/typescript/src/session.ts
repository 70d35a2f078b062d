/** The session of one test: answers, faults, calls and assertions, with the names of Python's session. */

import type { components, operations } from "./api.js";

type Schemas = components["schemas"];
export type Rule = Schemas["Rule"];
export type Fault = Schemas["Fault"];
/** The conditions on calls of a rule or fault. */
export type When = Schemas["When"];
/** An answer for any operation and model family. */
export type Answer = Schemas["Answer"];
/** A rule without its conditions and answers: the name, the schedule and the rest. */
export type RuleOptions = Omit<Rule, "when" | "answer" | "answers" | "script">;
/** A turn of a script: a part of the prompt and an answer, or the object of an overlay file. */
export type Turn = [prompt: string, answer: string | Answer] | NonNullable<Rule["script"]>[number];
/** Rules, faults and a seed, as an overlay file contains them. */
export type Overlay = Omit<Schemas["Overlay"], "bedtape-overlay">;
/** The layers of a session, and the layers of the server's overlay file. */
export type Layers = Schemas["Layers"];
/** One request that the server received, and its answer. */
export type Call = Schemas["Call"];
/** A mistake in the retries of the code under test. */
export type Finding = Schemas["Finding"];
/** The cassette, the mode, the seed and the counts of a session. */
export type SessionState = Schemas["Session"];
/** The conditions of `calls`. */
export type Choice = NonNullable<operations["calls"]["parameters"]["query"]>;
/** The conditions of an assertion: the conditions of `when`, and the outcome of the call. */
export type Conditions = Schemas["Conditions"];
/** Conditions, and how many calls meet them. */
export type Counted = Schemas["Counted"];
/** Features of the service to simulate, by name. */
export type Simulate = NonNullable<Overlay["simulate"]>;
/** Conditions, and the tokens that a call read from a prompt cache. */
export type Cached = NonNullable<Schemas["Assertion"]["cached"]>;

/** Sends one request to the control API and returns the JSON of the answer. */
export type Ask = (method: string, path: string, body?: unknown) => Promise<unknown>;

/** The calls are not the expected calls. The message shows the nearest calls and how they differ. */
export class CallsMismatch extends Error {
  override readonly name = "CallsMismatch";
}

const ALL = 1_000_000_000; // without a limit, the server sends a page of calls

export class Session {
  readonly #ask: Ask;

  /** @internal: `Bedtape.session` makes sessions. */
  constructor(
    readonly name: string,
    /** The endpoint for the code under test. */
    readonly url: string,
    ask: Ask,
    /**
     * Advances the virtual clock, which all sessions share.
     * @returns the new time of the clock, in seconds.
     */
    readonly advance: (seconds: number) => Promise<number>,
  ) {
    this.#ask = ask;
  }

  /**
   * Answers calls from now on: `respond("classify spam", { json: { label: "spam" } })`. A text
   * instead of `when` is a part of the prompt. A text instead of an answer is the model's text.
   * Several answers are given in turn. The first rule that matches answers.
   * @returns the rule's name.
   */
  respond(
    when: string | When,
    answer: string | Answer | (string | Answer)[],
    options: RuleOptions = {},
  ): Promise<string> {
    const answers = Array.isArray(answer)
      ? { answers: answer.map(answerOf) }
      : { answer: answerOf(answer) };
    const conditions = conditionsOf(when);
    const about = Object.keys(conditions).length ? { when: conditions } : {};
    return this.#add("/rules", { ...options, ...about, ...answers });
  }

  /**
   * Adds a conversation. Each call must meet the next turn: `script([["weather", { tool }], ["", "sunny"]])`.
   * @returns the rule's name.
   */
  script(turns: Turn[], options: RuleOptions = {}): Promise<string> {
    const script = turns.map((turn) =>
      Array.isArray(turn)
        ? { ...(turn[0] ? { expect: { prompt_contains: turn[0] } } : {}), answer: answerOf(turn[1]) }
        : turn,
    );
    return this.#add("/rules", { ...options, script });
  }

  /**
   * Makes calls fail. Without `times`, one call fails: `fail("ThrottlingException", { times: 2 })`.
   * @returns the fault's name.
   */
  fail(error: string, fault: Omit<Fault, "error"> = {}): Promise<string> {
    return this.fault({ times: 1, ...fault, error });
  }

  /** Adds a fault of any kind: `fault({ reset: { after_events: 2 } })`. @returns the fault's name. */
  fault(fault: Fault): Promise<string> {
    return this.#add("/faults", fault);
  }

  /** Replaces the session's own layers and its seed: `setOverlay({ seed: 7, rules: [], faults: [] })`. */
  async setOverlay(overlay: Overlay): Promise<void> {
    await this.#ask("PUT", "/overlay", { "bedtape-overlay": 1, ...overlay });
  }

  /** The layers of the session and of the server's overlay file, and how often each acted. */
  async overlay(): Promise<Layers> {
    return (await this.#ask("GET", "/overlay")) as Layers;
  }

  /** Chooses the features of the service to simulate, and drops the earlier features: `simulate({ caching: true })`. */
  async simulate(features: Simulate): Promise<void> {
    await this.#ask("PUT", "/simulate", features);
  }

  /** Removes a rule or a fault by its name. Throws if the session has no layer of this name. */
  async remove(name: string): Promise<void> {
    await this.#ask("DELETE", `/layers/${encodeURIComponent(name)}`);
  }

  /** Removes all rules and faults of the session. */
  async clear(): Promise<void> {
    await this.#ask("DELETE", "/overlay");
  }

  /** Chooses the cassette to play; null for the default. strict: play each recording once. */
  async play(cassette: string | null, options: { strict?: boolean | null } = {}): Promise<void> {
    await this.#ask("PUT", "", { cassette, ...options });
  }

  /** The cassette, strict, the seed, and the numbers of calls, rules and faults. */
  async state(): Promise<SessionState> {
    return (await this.#ask("GET", "")) as SessionState;
  }

  /** The calls so far, in the order of their ends: all calls, or the calls that meet the conditions. */
  async calls(choice: Choice = {}): Promise<Call[]> {
    const query = new URLSearchParams({ limit: String(ALL) });
    for (const [name, value] of Object.entries(choice)) query.set(name, String(value));
    return ((await this.#ask("GET", `/calls?${query}`)) as Schemas["Calls"]).calls;
  }

  /** Forgets the calls so far. Rules and faults stay. */
  async forgetCalls(): Promise<void> {
    await this.#ask("DELETE", "/calls");
  }

  /**
   * Throws CallsMismatch unless calls meet the conditions, at least one by default:
   * `assertCalled("spam", { times: 2 })`.
   */
  assertCalled(prompt: string | Counted = {}, conditions: Counted = {}): Promise<void> {
    return this.#assert({ called: { ...conditionsOf(prompt), ...conditions } });
  }

  /** Throws CallsMismatch if a call meets the conditions. */
  assertNotCalled(prompt: string | Conditions = {}, conditions: Conditions = {}): Promise<void> {
    return this.#assert({ not_called: { ...conditionsOf(prompt), ...conditions } });
  }

  /**
   * Throws CallsMismatch unless a call that meets the conditions read tokens from a prompt cache, at
   * least one by default: `assertCached("summary", { at_least_tokens: 1000 })`.
   */
  assertCached(prompt: string | Cached = {}, conditions: Cached = {}): Promise<void> {
    return this.#assert({ cached: { ...conditionsOf(prompt), ...conditions } });
  }

  /** Throws CallsMismatch unless calls meet the steps in this order. consecutive: no call is between them. */
  assertSequence(steps: Conditions[], options: { consecutive?: boolean } = {}): Promise<void> {
    return this.#assert(options.consecutive ? { consecutive: steps } : { sequence: steps });
  }

  /** Throws CallsMismatch if a recording was not played. */
  assertAllPlayed(): Promise<void> {
    return this.#assert({ all_played: true });
  }

  /** Throws CallsMismatch if a rule or a fault of the session did not act. */
  assertAllUsed(): Promise<void> {
    return this.#assert({ all_used: true });
  }

  /** The rules and faults that did not act. */
  async unused(): Promise<string[]> {
    return (await this.#ask("GET", "/unused")) as string[];
  }

  /** The files of the recordings that were not played. */
  async unplayed(): Promise<string[]> {
    return (await this.#ask("GET", "/unplayed")) as string[];
  }

  /** The mistakes in the retries of the code under test; empty without a mistake. */
  async verdict(): Promise<Finding[]> {
    return (await this.#ask("GET", "/verdict")) as Finding[];
  }

  /** Removes layers, playback positions and calls. The cassette stays. */
  async reset(): Promise<void> {
    await this.#ask("POST", "/reset");
  }

  /** Deletes the session at the end of its test; no error if the test did not use the session. */
  async drop(): Promise<void> {
    await this.#ask("DELETE", "");
  }

  async #assert(assertion: Schemas["Assertion"]): Promise<void> {
    const { passed, report } = (await this.#ask("POST", "/assert", assertion)) as Schemas["Asserted"];
    if (!passed) throw new CallsMismatch(report ?? "the calls are not the expected calls");
  }

  async #add(path: string, layer: unknown): Promise<string> {
    const added = (await this.#ask("POST", path, layer)) as Schemas["LaidRule" | "LaidFault"];
    return added.name;
  }
}

function conditionsOf<T>(prompt: string | T): T | { prompt_contains: string } {
  return typeof prompt === "string" ? { prompt_contains: prompt } : prompt;
}

function answerOf(answer: string | Answer): Answer {
  return typeof answer === "string" ? { text: answer } : answer;
}
