import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Config } from "./config/config.ts";
import type { Gateway } from "./gateway.ts";
import { onStopSignal } from "./stop-signals.js";
import { onParentExit } from "./parent-exit.ts";

/** npm passes a terminal's Ctrl-C on to a process that has had it already: that is not a second one. */
const SAME_SIGNAL_MS = 100;
const AFTER_CRASH_MS = 10_000;
const LOG_FLUSH_MS = 250;

/**
 * Ends the process in order on SIGTERM, SIGINT, SIGHUP and SIGQUIT, at once on a second signal, and after an error that
 * nobody caught. SIGINT is a person at a terminal, behind whom no load balancer stands: it skips `DRAIN_MS`.
 * @param underNpm an npm script started this process.
 */
export function stopOnSignals(gateway: Gateway, config: Config, logger: Logger, underNpm: boolean): void {
  let stoppingSince: number | undefined;
  const stop = (how: { delayMs: number; graceMs: number; exitCode: number }): void => {
    stoppingSince = performance.now();
    gateway.stop(how).then(
      () => exit(how.exitCode, logger),
      (error: unknown) => {
        logger.fatal({ err: error }, "stopping failed");
        return exit(1, logger);
      },
    );
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSince === undefined) {
      logger.info({ signal }, "stopping");
      stop({
        delayMs: signal === "SIGINT" ? 0 : config.drainMs,
        graceMs: config.shutdownGraceMs,
        exitCode: 0,
      });
    } else if (signal !== "SIGINT" || performance.now() - stoppingSince > SAME_SIGNAL_MS)
      void exit(1, logger);
  };
  if (underNpm) onParentExit(() => onSignal("SIGTERM"));
  onStopSignal(onSignal);
  const onCrash = (error: unknown): void => {
    logger.fatal({ err: error }, "uncaught error; stopping");
    if (stoppingSince === undefined) stop({ delayMs: 0, graceMs: AFTER_CRASH_MS, exitCode: 1 });
  };
  process.on("uncaughtException", onCrash);
  process.on("unhandledRejection", onCrash);
}

/** Ends the process when the log is written, or after a moment: nobody may be reading it. */
async function exit(code: number, logger: Logger): Promise<never> {
  await Promise.race([new Promise<void>((resolve) => logger.flush(() => resolve())), sleep(LOG_FLUSH_MS)]);
  return process.exit(code);
}
