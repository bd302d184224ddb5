import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Config } from "./config/config.ts";
import type { Gateway } from "./gateway.ts";
import { onStopSignal } from "./stop-signals.js";
import { onParentExit } from "./parent-exit.ts";

/**
 * On Ctrl-C, the terminal sends SIGINT to npm and to this process, and npm forwards its own SIGINT. A SIGINT within this time
 * after the first one is the forwarded one, and does not end the process.
 */
const SAME_SIGNAL_MS = 100;
const AFTER_CRASH_MS = 10_000;
const LOG_FLUSH_MS = 250;

/**
 * Shuts the gateway down and exits on SIGTERM, SIGINT, SIGHUP or SIGQUIT, and after an uncaught error. A second signal ends
 * the process immediately. SIGINT skips `DRAIN_MS`, because it comes from a terminal, where no load balancer is in use.
 * @param underNpm whether an npm script started this process.
 */
export function stopOnSignals(gateway: Gateway, config: Config, logger: Logger, underNpm: boolean): void {
  let stoppingSince: number | undefined;
  const stop = (how: { delayMs: number; graceMs: number; exitCode: number }): void => {
    stoppingSince = performance.now();
    gateway.stop(how).then(
      () => exit(how.exitCode, logger),
      (error: unknown) => {
        logger.fatal({ err: error }, "server: shutdown failed");
        return exit(1, logger);
      },
    );
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSince === undefined) {
      logger.info({ signal }, "server: shutting down");
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
    logger.fatal({ err: error }, "server: uncaught error, shutting down");
    if (stoppingSince === undefined) stop({ delayMs: 0, graceMs: AFTER_CRASH_MS, exitCode: 1 });
  };
  process.on("uncaughtException", onCrash);
  process.on("unhandledRejection", onCrash);
}

/** Exits when the log is flushed, or after 250 ms, because the process that reads the log may have stopped reading. */
async function exit(code: number, logger: Logger): Promise<never> {
  await Promise.race([new Promise<void>((resolve) => logger.flush(() => resolve())), sleep(LOG_FLUSH_MS)]);
  return process.exit(code);
}
