/** `globalSetup` of vitest and Jest: starts the server for the whole test run. */

import { startServer, stopServer } from "./server.js";

/** Starts the server. vitest calls the returned function at the end; Jest needs `globalTeardown`. */
export default async function setup(): Promise<() => Promise<void>> {
  await startServer();
  return stopServer;
}
