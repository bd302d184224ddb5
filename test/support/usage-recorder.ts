import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { GatewayError } from "../../src/errors.ts";
import type { RequestContext } from "../../src/http/request-context.ts";
import { UsageRecorder } from "../../src/metering/usage-recorder.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { openTestDatabase, temporaryDirectory } from "./store.ts";
import { within } from "./until.ts";
import { endedRequestContext } from "./request-contexts.ts";

/** Starts a ledger that ends with the test, on a database and a journal of its own. */
export async function startLedger(journalMaxBytes = 1_000_000) {
  const database = await openTestDatabase();
  const dataDir = temporaryDirectory();
  const ledger = new UsageRecorder({
    database,
    dataDir,
    isDataDirPersistent: true,
    journalMaxBytes,
    find: () => Promise.resolve(undefined),
    settleAfterMs: 60_000,
    settleGiveUpMs: 60_000,
    logger: createLogger("silent", { write: () => {} }),
  });
  ledger.start();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= ledger.close());
  onTestFinished(close);
  const directory = join(dataDir, "journal");
  const journal = (): string =>
    readdirSync(directory)
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => readFileSync(join(directory, name), "utf8"))
      .join("");
  const rows = () => database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
  return { ledger, close, directory, journal, rows };
}

/** Begins the account of a request. @returns why it may not be sent, if it may not. */
export function begin(ledger: UsageRecorder, context: RequestContext): Promise<GatewayError | undefined> {
  const { promise, resolve } = Promise.withResolvers<GatewayError | undefined>();
  ledger.begin(context, resolve);
  return within(promise, "the account to begin");
}

/** Ends a request with its cost. */
export function end(ledger: UsageRecorder, context: RequestContext): void {
  const { meter } = context;
  ledger.end(Object.assign(context, endedRequestContext(), { meter }));
}
