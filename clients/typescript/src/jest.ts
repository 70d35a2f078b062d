/** `test` of Jest with a session for each test. */

import type { Session } from "./session.js";
import { nameSession, withSession } from "./testing.js";

type Body = (fixtures: { bedrock: Session }) => unknown;
type Define = (name: string, body: Body, timeout?: number) => void;
export type Test = Define & { readonly only: Define; readonly skip: Define };

type JestDefine = (name: string, body: () => Promise<void>, timeout?: number) => void;
declare const globalThis: {
  readonly test: JestDefine & { readonly only: JestDefine; readonly skip: JestDefine };
  readonly expect: { getState(): { testPath?: string; currentTestName?: string } };
};

function extend(select: () => JestDefine): Define {
  return (name, body, timeout) => {
    select()(
      name,
      async () => {
        const { testPath = "", currentTestName = name } = globalThis.expect.getState();
        await withSession(nameSession(testPath, currentTestName), async (bedrock) => {
          await body({ bedrock });
        });
      },
      timeout,
    );
  };
}

/** Jest's `test`: `test("name", async ({ bedrock }) => { await bedrock.respond("a", "b"); })`. */
export const test: Test = Object.assign(
  extend(() => globalThis.test),
  { only: extend(() => globalThis.test.only), skip: extend(() => globalThis.test.skip) },
);
export const it = test;
