#!/usr/bin/env node
/** `npx bedtape …`: runs the Python command `bedtape`, and says where it comes from. */

import { spawn } from "node:child_process";
import { findCommand, reportCommand } from "./server.js";

const args = process.argv.slice(2);
// The extras of the Python package that commands need.
const EXTRAS: Record<string, string> = { record: "record", mcp: "mcp" };

try {
  const command = findCommand(process.env, process.cwd(), EXTRAS[args[0] ?? ""]);
  reportCommand(command);
  const child = spawn(command.words[0], [...command.words.slice(1), ...args], { stdio: "inherit" });
  // The child ends by the signal, and this process ends as the child did. A terminal sends its own.
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGINT", () => undefined);
  child.on("error", fail);
  child.on("exit", (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exitCode = code ?? 1;
  });
} catch (error) {
  fail(error as Error);
}

function fail(error: Error): void {
  process.stderr.write(`bedtape: ${error.message}\n`);
  process.exitCode = 2;
}
