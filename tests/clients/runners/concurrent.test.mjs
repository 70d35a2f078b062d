// Concurrent tests of vitest share the environment, so each uses the URL of its own session.
import assert from "node:assert/strict";
import { describe } from "vitest";
import { test } from "@bedtape/client/vitest";
import { converse } from "./converse.mjs";

const environment = process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME;

describe("together", () => {
  for (const name of ["one", "two", "three"]) {
    test.concurrent(name, async ({ bedrock }) => {
      await bedrock.respond({}, name);
      assert.equal(await converse("hello", bedrock.url), name);
      assert.match(bedrock.name, new RegExp(`^tests/concurrent/together.*${name}$`));
      assert.equal(process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME, environment);
    });
  }
});
