// This file is JavaScript so that the handlers exist as early as possible: the image preloads it, before Node can load
// TypeScript. A container runs as PID 1, and the kernel ignores a SIGTERM to PID 1 while no handler is installed.
import process from "node:process";

/** SIGHUP: the terminal was closed. SIGQUIT: some images use it to stop (nginx and PHP set `STOPSIGNAL SIGQUIT`). */
const STOP_SIGNALS = /** @type {const} */ (["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);
/** Modes of `server.ts` that serve no requests. They keep Node's default handling of signals. */
const SHORT_MODES = ["--cli", "--health"];

/**
 * Until the gateway sets its own receiver, a signal ends the process at once, because no request can be in flight yet.
 * @type {(signal: NodeJS.Signals) => void}
 */
let receive = () => process.exit(0);

/**
 * Sets the function that receives the stop signals. Without a receiver, the process exits at once.
 * @param {(signal: NodeJS.Signals) => void} receiver
 */
export function onStopSignal(receiver) {
  receive = receiver;
}

if (!SHORT_MODES.includes(process.argv[2] ?? ""))
  for (const signal of STOP_SIGNALS) process.on(signal, (received) => receive(received));

// By default, SIGUSR1 opens Node's inspector, through which any process on this machine could read every key.
process.on("SIGUSR1", () => {});
