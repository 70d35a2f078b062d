/** `test` of node:test with a session for each test. Starts a server for the file, if none runs. */

import { test as base, type TestContext } from "node:test";
import type { Session } from "./session.js";
import { startServer } from "./server.js";
import { nameSession, withSession } from "./testing.js";

/** The options of node:test. */
export interface TestOptions {
  concurrency?: number | boolean;
  only?: boolean;
  skip?: boolean | string;
  todo?: boolean | string;
  timeout?: number;
  signal?: AbortSignal;
}
type Body = (fixtures: { bedrock: Session }, context: TestContext) => unknown;
interface Define {
  (name: string, body: Body): Promise<void>;
  (name: string, options: TestOptions, body: Body): Promise<void>;
}
export type Test = Define & { readonly only: Define; readonly skip: Define };

let starting: Promise<void> | undefined;

function extend(define: typeof base | typeof base.only): Define {
  return (name: string, ...rest: [Body] | [TestOptions, Body]) => {
    const [options, body]: [TestOptions, Body] = rest.length === 1 ? [{}, rest[0]] : rest;
    return define(name, options, async (context) => {
      await (starting ??= startServer());
      const title = (context as { fullName?: string }).fullName ?? context.name; // from Node.js 22
      const concurrent = options.concurrency !== undefined && options.concurrency !== false;
      await withSession(
        nameSession(process.argv[1] ?? "", title),
        async (bedrock) => {
          await body({ bedrock }, context);
        },
        { concurrent },
      );
    });
  };
}

/** node:test's `test`: `test("name", async ({ bedrock }) => { await bedrock.respond("a", "b"); })`. */
export const test: Test = Object.assign(extend(base), {
  only: extend(base.only),
  skip: extend(base.skip),
});
export const it = test;
