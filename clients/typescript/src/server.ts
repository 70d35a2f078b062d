/** Finds the command `bedtape`, and starts a server for a test run. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, sep } from "node:path";
import { createInterface } from "node:readline";
import { version } from "./version.js";

/** A command line, and where it comes from. */
export interface Command {
  readonly words: readonly [string, ...string[]];
  readonly from: string;
}

/**
 * The first of: `bedtape` of a virtual environment in `folder`, `bedtape` on PATH, `uvx`, `pipx`.
 * uvx and pipx fetch the version of this client. Throws an error with all fixes if none exists.
 * @param extra the extra of the Python package that the command needs, such as `record`.
 */
export function findCommand(
  environ: NodeJS.ProcessEnv,
  folder: string,
  extra?: string,
): Command {
  for (const name of [".venv", "venv"]) {
    const file = join(folder, name, "bin", "bedtape");
    if (isProgram(file)) return { words: [file], from: `the virtual environment ${name}` };
  }
  // npm puts node_modules/.bin first on PATH, where `bedtape` is this package's own command.
  const shims = `${sep}node_modules${sep}.bin`;
  const folders = (environ.PATH ?? "").split(delimiter).filter((each) => !each.endsWith(shims));
  const find = (name: string) =>
    folders.map((each) => join(each, name)).find((file) => isProgram(file));
  const installed = find("bedtape");
  if (installed) return { words: [installed], from: "PATH" };
  const requirement = `bedtape${extra ? `[${extra}]` : ""}==${version}`;
  const uvx = find("uvx");
  if (uvx) return { words: [uvx, "--from", requirement, "bedtape"], from: "uvx" };
  const pipx = find("pipx");
  if (pipx) return { words: [pipx, "run", "--spec", requirement, "bedtape"], from: "pipx" };
  throw new Error(
    "expected the command bedtape in .venv, venv or PATH, or uvx or pipx in PATH, found none;" +
      " install uv (https://docs.astral.sh/uv/), or run `pip install bedtape`",
  );
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Writes a line about the command to stderr. */
export function reportCommand({ words, from }: Command): void {
  process.stderr.write(`bedtape: runs ${words.join(" ")} (found by ${from})\n`);
}

// A program under `bedtape run`: it prints its environment, and ends when its parent ends.
const HOLD =
  "process.stdout.write(JSON.stringify(process.env) + '\\n');" +
  "process.stdin.resume().on('end', () => process.exit())";

let server: ChildProcess | undefined;

/**
 * Starts `bedtape run` and gives this process the environment of a program under it: BEDTAPE_URL,
 * the endpoints, made-up keys. Does nothing if BEDTAPE_URL is set, because then a server runs.
 * The server ends with this process, or when `stopServer` is called.
 */
export async function startServer(): Promise<void> {
  if (process.env.BEDTAPE_URL) return;
  const command = findCommand(process.env, process.cwd());
  reportCommand(command);
  const words = [...command.words.slice(1), "run", "--", process.execPath, "-e", HOLD];
  const started = spawn(command.words[0], words, { stdio: ["pipe", "pipe", "inherit"] });
  const line = await new Promise<string | undefined>((resolve, reject) => {
    started.once("error", reject);
    createInterface(started.stdout).once("line", resolve).once("close", () => resolve(undefined));
  });
  if (line === undefined) {
    throw new Error(`${command.words.join(" ")} run ended before it served; its reason is above`);
  }
  const environ = JSON.parse(line) as Record<string, string>;
  for (const name of Object.keys(process.env)) if (!(name in environ)) delete process.env[name];
  Object.assign(process.env, environ);
  // The server does not keep this process alive. Its stdin closes with this process, which ends it.
  started.unref();
  for (const stream of [started.stdin, started.stdout]) (stream as unknown as NodeJS.Timeout).unref();
  server = started;
}

/** Stops the server of `startServer`, after it has written its summary. */
export async function stopServer(): Promise<void> {
  const stopping = server;
  server = undefined;
  if (!stopping) return;
  stopping.ref();
  stopping.stdin?.end();
  await once(stopping, "close");
}
