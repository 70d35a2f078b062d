/** `test` of vitest with the fixture `bedrock`, a session for each test. */

import { test as base } from "vitest";
import type { Session } from "./session.js";
import { nameSession, withSession } from "./testing.js";

/** vitest's `test`: `test("name", async ({ bedrock }) => { await bedrock.respond("a", "b"); })`. */
export const test = base.extend<{ bedrock: Session }>({
  bedrock: [
    async ({ task }, use) => {
      const title = task.fullTestName ?? task.name; // vitest 3 has only the name
      await withSession(nameSession(task.file.filepath, title), use, {
        concurrent: task.concurrent,
        errors: () => task.result?.errors ?? [],
      });
    },
    { auto: true }, // a test that does not name the fixture still has a session of its own
  ],
});
export const it = test;
