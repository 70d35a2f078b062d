/** The session of one test: its name, its environment, its end, and the report of its calls. */

import { relative, sep } from "node:path";
import { Bedtape, BedtapeError, type Session } from "./index.js";
import { type Call, CallsMismatch } from "./session.js";

const SHOWN = 20; // calls in a report; a loop makes thousands
const LONGEST = 60; // characters of a prompt or an answer

/** `tests/mail.test.ts` and `retries > twice` are the session `tests/mail/retries-twice`. */
export function nameSession(file: string, test: string): string {
  const parts = relative(process.cwd(), file).split(sep);
  const base = (parts.pop() ?? "").replace(/(\.(test|spec))?\.[cm]?[jt]sx?$/, "");
  const folder = parts.filter((part) => part !== "..");
  return [...folder, base, test.replace(/[^\p{L}\p{N}_.@+=,()[\]-]+/gu, "-")].join("/");
}

/**
 * Runs a test with a session of its own. The endpoint variables of the environment contain the
 * session, so that clients of the code under test use it; not in concurrent tests, which share the
 * environment. A test that passes but has a call without an answer fails. The message of a failure
 * contains the calls.
 */
export async function withSession<T>(
  name: string,
  body: (session: Session) => T | Promise<T>,
  options: { concurrent?: boolean | undefined; errors?: () => readonly unknown[] } = {},
): Promise<T> {
  const bedtape = new Bedtape();
  const session = bedtape.session(name);
  await session.drop(); // an aborted run or an earlier attempt may have left the session
  const restore = options.concurrent ? () => undefined : pointEnvironment(bedtape.url, session.url);
  try {
    const result = await body(session);
    const errors = options.errors?.() ?? [];
    if (errors.length) await addCalls(errors, session);
    else await assertAnswered(session);
    return result;
  } catch (error) {
    await addCalls([error], session);
    throw error;
  } finally {
    restore();
    await session.drop().catch(() => undefined); // an error here would hide the error of the test
  }
}

/** Replaces the server's address in environment variables. @returns a function that restores them. */
function pointEnvironment(server: string, url: string): () => void {
  const before = { ...process.env };
  const changed = Object.entries(before).filter(
    ([name, value]) => name !== "BEDTAPE_URL" && value?.startsWith(server),
  );
  for (const [name, value] of changed) {
    process.env[name] = url + (value ?? "").slice(server.length).replace(/^\/s\/[^/]+/, "");
  }
  // The session token of AWS's credentials chooses the namespace of the server.
  const token = process.env.BEDTAPE_CONTROL_TOKEN;
  if (token) {
    changed.push(["AWS_SESSION_TOKEN", before.AWS_SESSION_TOKEN]);
    process.env.AWS_SESSION_TOKEN = token;
  }
  return () => {
    for (const [name, value] of changed) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

async function assertAnswered(session: Session): Promise<void> {
  const misses = (await session.calls()).flatMap((call) =>
    call.miss !== null || call.source === "overlay" ? [call.miss ?? call.message ?? ""] : [],
  );
  if (misses.length) {
    throw new CallsMismatch([...new Set(misses)].join("\n\n"));
  }
}

async function addCalls(errors: readonly unknown[], session: Session): Promise<void> {
  const report = await describeCalls(session).catch((error: unknown) =>
    error instanceof BedtapeError ? error.message : String(error),
  );
  for (const error of errors) {
    if (typeof error !== "object" || error === null || !("message" in error)) continue;
    const message = String(error.message);
    if (message.includes(report)) continue;
    const longer = `${message}\n\n${report}`;
    // Runners print the stack, which begins with the message.
    const stack = "stack" in error && typeof error.stack === "string" ? error.stack : "";
    const replaced = stack.includes(message) ? stack.replace(message, () => longer) : stack;
    try {
      Object.assign(error, { message: longer, ...(stack ? { stack: replaced } : {}) });
      // Jest replaces a message that Node's assert has generated.
      if ("generatedMessage" in error) error.generatedMessage = false;
    } catch {
      // A frozen error stays as it is.
    }
  }
}

/** The calls of a session, one a line: the operation, the model, the status, the source, the texts. */
export async function describeCalls(session: Session): Promise<string> {
  const calls = await session.calls();
  const head = `bedtape: ${calls.length} ${calls.length === 1 ? "call" : "calls"} in session ${session.name}`;
  const left = calls.length - SHOWN;
  const more = left > 0 ? [`  … and ${left} more`] : [];
  return [head, ...calls.slice(0, SHOWN).map(describeCall), ...more].join("\n");
}

function describeCall(call: Call): string {
  const source = [call.source, call.by, ...call.faults].filter((part, at, all) => part && all.indexOf(part) === at);
  const answer = call.error ?? shorten(call.text ?? "");
  return `  ${call.number}  ${call.operation ?? "?"}  ${call.model ?? "-"}  ${call.status}  ${source.join(" ")}  ${shorten(call.last_prompt)} → ${answer}`;
}

function shorten(text: string): string {
  const line = JSON.stringify(text);
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}
