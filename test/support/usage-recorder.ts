import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import type { RequestContext } from "../../src/http/request-context.ts";
import { UsageRecorder } from "../../src/metering/usage-recorder.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { openTestDatabase } from "./test-database.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";
import { waitFor } from "./wait.ts";
import { createEndedContext } from "./request-context.ts";

/** Starts a recorder with a new database and a new journal. The recorder is closed when the test ends. */
export async function startRecorder(journalMaxBytes = 1_000_000) {
  const database = await openTestDatabase();
  const dataDir = createTemporaryDirectory();
  const recorder = new UsageRecorder({
    database,
    dataDir,
    isDataDirPersistent: true,
    journalMaxBytes,
    findGeneration: () => Promise.resolve(undefined),
    settleAfterMs: 60_000,
    settleGiveUpMs: 60_000,
    logger: createLogger("silent", { write: () => {} }),
  });
  recorder.start();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= recorder.close());
  onTestFinished(close);
  const directory = join(dataDir, "journal");
  const journal = (): string =>
    readdirSync(directory)
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => readFileSync(join(directory, name), "utf8"))
      .join("");
  const rows = () => database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
  return { recorder, close, directory, journal, rows };
}

/** Begins the record of a request. @returns the reason why the request must not be sent, or undefined. */
export function beginRequest(
  recorder: UsageRecorder,
  context: RequestContext,
): Promise<GatewayError | undefined> {
  const { promise, resolve } = Promise.withResolvers<GatewayError | undefined>();
  recorder.begin(context, resolve);
  return waitFor(promise, "the start to be recorded");
}

/** Ends a request with its cost. */
export function endRequest(context: RequestContext): void {
  const { meter } = context;
  meter?.end(Object.assign(context, createEndedContext(), { meter }));
}
