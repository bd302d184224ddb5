import process from "node:process";

/** SIGHUP: the terminal is closed. SIGQUIT: some supervisors stop with it (nginx and PHP images set STOPSIGNAL so). */
const STOP_SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

type Receive = (signal: NodeJS.Signals) => void;

/** Until something is served there is nothing to finish. */
let receive: Receive = () => process.exit(0);

/**
 * Installs the handlers of signals to stop. Call it first: the kernel drops a SIGTERM for PID 1, as which containers start,
 * while it has no handler, and kills any other process with it.
 */
export function handleStopSignals(): void {
  for (const signal of STOP_SIGNALS) process.on(signal, (received) => receive(received));
}

/** Keeps Node from opening its inspector on SIGUSR1: through it anyone on this machine could read every key. */
export function ignoreInspectorSignal(): void {
  process.on("SIGUSR1", () => {});
}

/** Gives signals to stop to a function from now on, in place of exiting at once. */
export function onStopSignal(receiver: Receive): void {
  receive = receiver;
}
