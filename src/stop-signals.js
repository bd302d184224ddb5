// Plain JavaScript on purpose: the image preloads this file, which is done before Node can load the first line of TypeScript.
// Containers start as PID 1, for which the kernel drops a SIGTERM without a handler; other processes it kills.
import process from "node:process";

/** SIGHUP: the terminal is closed. SIGQUIT: some supervisors stop with it (nginx and PHP images set STOPSIGNAL so). */
const STOP_SIGNALS = /** @type {const} */ (["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);
/** Modes of `server.ts` that serve nobody: signals end them as they end any process. */
const SHORT_MODES = ["--cli", "--health"];

/**
 * Until something is served there is nothing to finish.
 * @type {(signal: NodeJS.Signals) => void}
 */
let receive = () => process.exit(0);

/**
 * Gives signals to stop to a function from now on, in place of exiting at once.
 * @param {(signal: NodeJS.Signals) => void} receiver
 */
export function onStopSignal(receiver) {
  receive = receiver;
}

if (!SHORT_MODES.includes(process.argv[2] ?? ""))
  for (const signal of STOP_SIGNALS) process.on(signal, (received) => receive(received));

// Node would open its inspector, through which anyone on this machine could read every key.
process.on("SIGUSR1", () => {});
