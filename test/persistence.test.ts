import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { Persistence } from "../src/persistence.ts";
import { loadConfig } from "../src/config/config.ts";
import { createLogger } from "../src/observability/logger.ts";
import { createCreditAlert } from "../src/alerts/alert.ts";
import { connectUpstream } from "../src/upstream/openrouter.ts";
import { insertRequests, NOVEMBER, createSettledRow } from "./support/ledger-rows.ts";
import { ACCOUNT_KEY } from "./support/gateway.ts";
import { startWebhookReceiver, WEBHOOK_SECRET } from "./support/webhook-receiver.ts";
import { createTemporaryDirectory } from "./support/temporary-directory.ts";
import { waitUntil } from "./support/wait.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Opens the keys and the ledger as a gateway does, and closes them after the test. */
async function openPersistence(env: Record<string, string>): Promise<Persistence> {
  const config = loadConfig({
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    DATA_DIR: join(createTemporaryDirectory(), "data"),
    ...env,
  });
  const { store } = config;
  if (!store) throw new Error("DATA_DIR must configure a store");
  const upstream = connectUpstream(config.upstream);
  const persistence = new Persistence({
    config,
    store,
    openrouterApiKey: ACCOUNT_KEY,
    upstream,
    logger: createLogger("silent", { write: () => {} }),
    onFirstKeys: () => {},
  });
  onTestFinished(async () => {
    await persistence.close();
    await upstream.close();
  });
  await persistence.open();
  return persistence;
}

test("a gateway deletes ledger rows that are older than LEDGER_RETENTION_DAYS", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: NOVEMBER + 2 * DAY_MS });
  onTestFinished(() => void vi.useRealTimers());
  const { database } = await openPersistence({ LEDGER_RETENTION_DAYS: "1" });
  await insertRequests(database, [createSettledRow(0), createSettledRow(2 * DAY_MS)]);
  vi.advanceTimersByTime(MINUTE_MS);
  // SQLite executes statements synchronously, so each batch takes one turn of the event loop.
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => void setImmediate(resolve));
  const remaining = await database.kysely.selectFrom("requests").select("started_at").execute();
  expect(remaining).toEqual([{ started_at: NOVEMBER + 2 * DAY_MS }]);
});

test("a running gateway checkpoints SQLite's write-ahead log", async () => {
  const { database } = await openPersistence({});
  const row = createSettledRow(0);
  await insertRequests(database, [row]);
  const path = database.sqlite?.location() ?? "";
  expect(await waitUntil(() => readFileSync(path).includes(row.id), "the row in the file", 25_000)).toBe(
    true,
  );
});

test("a receiver of alerts that does not respond does not delay the last rows of the ledger", async () => {
  const responses: ServerResponse[] = [];
  const { url, received } = await startWebhookReceiver((response) => void responses.push(response));
  const persistence = await openPersistence({ ALERT_WEBHOOK_URL: url, ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET });
  const low = { remainingNanodollars: 1, lowNanodollars: 2, now: NOVEMBER };
  await persistence.raiseAlert(createCreditAlert({ source: "key_limit", ...low }));
  await waitUntil(() => received.length > 0, "the alert to be sent");
  const closeRecorder = vi.spyOn(persistence.recorder, "close");
  const startedAt = performance.now();
  const closing = persistence.close();
  // `openPersistence` closes it again.
  vi.spyOn(persistence, "close").mockReturnValue(closing);
  await waitUntil(
    () => closeRecorder.mock.settledResults[0]?.type === "fulfilled",
    "the ledger to be closed",
  );
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  responses[0]?.writeHead(204).end();
  await closing;
});
