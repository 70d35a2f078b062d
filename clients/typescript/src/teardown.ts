/** `globalTeardown` of Jest: stops the server of `globalSetup`. */

export { stopServer as default } from "./server.js";
