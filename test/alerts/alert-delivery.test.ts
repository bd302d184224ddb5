import { expect, test, vi } from "vitest";
import { AlertDelivery } from "../../src/alerts/alert-delivery.ts";
import { type Alert, createBudgetAlert, createUnknownCostAlert } from "../../src/alerts/alert.ts";
import { signWebhook } from "../../src/alerts/webhook.ts";
import { enqueueAlert } from "../../src/alerts/sql/enqueue-alert.ts";
import { parseWebhookSecret } from "../../src/config/webhook-settings.ts";
import { DAY_MS } from "../../src/durations.ts";
import { createLogger } from "../../src/observability/logger.ts";
import type { Database } from "../../src/store/database.ts";
import { connectWebhook } from "../../src/upstream/webhook.ts";
import { findFreePort } from "../support/ports.ts";
import { openTestDatabase } from "../support/test-database.ts";
import {
  type ReceivedAlert,
  type RespondToAlert,
  startWebhookReceiver,
  WEBHOOK_SECRET,
} from "../support/webhook-receiver.ts";
import { waitUntil } from "../support/wait.ts";

const secret = parseWebhookSecret(WEBHOOK_SECRET) ?? Buffer.alloc(0);
const RECORD = { id: "0abc1", request_id: "r-1", key_id: "key_1", key_name: "team" };
const ALERT = createUnknownCostAlert(RECORD, 0);
const END_USER_ALERT = createBudgetAlert({
  scope: "end_user",
  scopeId: "ann@example.org",
  scopeName: "ann@example.org",
  keyId: "key_1",
  period: "day",
  startsAt: 0,
  endsAt: DAY_MS,
  limitNanodollars: 2_000_000_000,
  spentNanodollars: 1_600_000_000,
  percent: 80,
});

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly alert?: string;
}

/** Creates the delivery of a new database with one alert. @param url undefined: without a webhook. */
async function createDelivery(url: string | undefined, alert: Alert = ALERT) {
  const database = await openTestDatabase();
  await enqueueAlert(database, database.kysely, alert);
  const lines: LogLine[] = [];
  const logger = createLogger("debug", {
    write: (line: string) => void lines.push(JSON.parse(line) as LogLine),
  });
  const webhook = url === undefined ? undefined : { endpoint: connectWebhook(url, undefined), secret };
  const delivery = new AlertDelivery({ database, webhook, logger });
  return { database, delivery, lines, [Symbol.asyncDispose]: () => delivery.stop() };
}

async function start(respond?: RespondToAlert, alert?: Alert) {
  const receiver = await startWebhookReceiver(respond);
  return { ...receiver, ...(await createDelivery(receiver.url, alert)) };
}

const readAlert = ({ kysely }: Database) => kysely.selectFrom("alerts").selectAll().executeTakeFirstOrThrow();

/** Makes every alert due that waits for a retry. */
const makeDue = ({ kysely }: Database): Promise<unknown> =>
  kysely.updateTable("alerts").set({ next_attempt_at: 0 }).where("next_attempt_at", "is not", null).execute();

test("posts an alert once, signed, and logs one line", async () => {
  await using started = await start();
  const { delivery, received, lines, database } = started;
  await delivery.deliverDue();
  await delivery.deliverDue();
  expect(received).toHaveLength(1);
  const { method, url, headers, body } = received[0] as ReceivedAlert;
  expect([method, url, headers["content-type"]]).toEqual(["POST", "/alerts?team=ops", "application/json"]);
  const row = await readAlert(database);
  expect(JSON.parse(body)).toEqual({ ...ALERT, created_at: new Date(row.created_at).toISOString() });
  const sentAt = Number(headers["webhook-timestamp"]) * 1_000;
  expect(Math.abs(sentAt - Date.now())).toBeLessThan(10_000);
  expect(headers).toMatchObject(signWebhook(secret, { id: ALERT.id, sentAt, body: Buffer.from(body) }));
  expect(row).toMatchObject({ attempts: 0, next_attempt_at: null });
  expect(row.delivered_at).toBeGreaterThan(0);
  expect(lines).toEqual([
    expect.objectContaining({ level: 50, msg: "alert: unknown cost", alert: ALERT.id, ...ALERT.data }),
  ]);
});

test.each([301, 307, 400, 404, 410, 429, 500, 503])(
  "retries after a %i, and logs the alert once",
  async (status) => {
    let responses = 0;
    await using started = await start((response) => {
      const isFirst = responses++ === 0;
      response.writeHead(isFirst ? status : 200, { location: "/elsewhere" }).end("busy");
    });
    const { delivery, received, lines, database } = started;
    await delivery.deliverDue();
    expect(await readAlert(database)).toMatchObject({ attempts: 1, delivered_at: null });
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: "alerts: delivery failed, will retry", status, attempts: 1 }),
    );
    await makeDue(database);
    await delivery.deliverDue();
    expect((await readAlert(database)).delivered_at).not.toBeNull();
    expect(received.map(({ url }) => url)).toEqual(["/alerts?team=ops", "/alerts?team=ops"]);
    expect(new Set(received.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([ALERT.id]));
    expect(lines.filter(({ msg }) => msg.startsWith("alert: "))).toHaveLength(1);
  },
);

test("waits as long as the receiver requests, and longer after each failure", async () => {
  let headers: Record<string, string> = { "retry-after": "100" };
  await using started = await start((response) => void response.writeHead(503, headers).end());
  const { delivery, database } = started;
  const readWaitMs = async () => ((await readAlert(database)).next_attempt_at ?? 0) - Date.now();
  await delivery.deliverDue();
  expect(await readWaitMs()).toBeGreaterThan(90_000);
  headers = {};
  await database.kysely.updateTable("alerts").set({ attempts: 1, next_attempt_at: 0 }).execute();
  await delivery.deliverDue();
  // Four times the first wait of 5 s, and up to a fifth more.
  expect(await readWaitMs()).toBeGreaterThan(15_000);
  expect(await readWaitMs()).toBeLessThanOrEqual(24_000);
  await database.kysely.updateTable("alerts").set({ attempts: 1_000, next_attempt_at: 0 }).execute();
  await delivery.deliverDue();
  expect(await readWaitMs()).toBeGreaterThan(1_700_000);
  expect(await readWaitMs()).toBeLessThanOrEqual(2_160_000);
});

test("gives an alert up a day after it was raised", async () => {
  await using started = await start((response) => void response.writeHead(410).end());
  const { delivery, database, lines, received } = started;
  await database.kysely
    .updateTable("alerts")
    .set({ created_at: Date.now() - DAY_MS - 1 })
    .execute();
  await delivery.deliverDue();
  await delivery.deliverDue();
  expect(received).toHaveLength(1);
  expect(await readAlert(database)).toMatchObject({ next_attempt_at: null, delivered_at: null });
  expect(lines.at(-1)).toMatchObject({
    level: 50,
    msg: "alerts: delivery failed for a day, gave up",
    status: 410,
  });
});

test("logs the code of a connection error, and neither the path nor the query of the URL", async () => {
  const port = await findFreePort();
  await using started = await createDelivery(`http://127.0.0.1:${port}/services/T0/s3cr3t?token=s3cr3t`);
  await started.delivery.deliverDue();
  const line = started.lines.at(-1);
  expect(line).toMatchObject({ cause: "ECONNREFUSED", webhook: `http://127.0.0.1:${port}` });
  expect(JSON.stringify(started.lines)).not.toContain("s3cr3t");
});

test("counts an endless response body as delivered, and does not read it", async () => {
  let written = 0;
  await using started = await start((response) => {
    response.writeHead(200);
    const write = (): void => {
      do written += 65_536;
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on("drain", write);
    response.on("error", () => {});
    write();
  });
  await started.delivery.deliverDue();
  expect((await readAlert(started.database)).delivered_at).not.toBeNull();
  const before = await waitUntil(() => written, "the first write");
  expect(before).toBeLessThan(50_000_000);
});

test("does not wait longer than 10 s for a response", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    await using started = await start(() => {});
    const delivering = started.delivery.deliverDue();
    for (let turn = 0; started.received.length === 0 && turn < 100_000; turn++)
      await new Promise(setImmediate);
    vi.advanceTimersByTime(10_000);
    await delivering;
    expect(await readAlert(started.database)).toMatchObject({ attempts: 1, delivered_at: null });
    expect(started.lines.at(-1)).toMatchObject({ cause: "TIMEOUT" });
  } finally {
    vi.useRealTimers();
  }
});

test("only logs and stores alerts without a webhook", async () => {
  await using started = await createDelivery(undefined);
  await started.delivery.deliverDue();
  await started.delivery.deliverDue();
  expect(started.lines.map(({ msg }) => msg)).toEqual(["alert: unknown cost"]);
  expect(await readAlert(started.database)).toMatchObject({ next_attempt_at: null, delivered_at: null });
});

test("sends the name of an end user only in the body, and does not log it", async () => {
  await using started = await start(undefined, END_USER_ALERT);
  const { delivery, received, lines } = started;
  await delivery.deliverDue();
  expect(JSON.parse(received[0]?.body ?? "")).toMatchObject({ data: { scope_id: "ann@example.org" } });
  expect(JSON.stringify([received[0]?.headers, lines])).not.toContain("ann");
  expect(lines).toEqual([
    expect.objectContaining({
      level: 40,
      msg: "alert: budget threshold reached",
      key_id: "key_1",
      scope: "end_user",
    }),
  ]);
});

test("a delivery that has been claimed is not sent again, but it is after 30 s without a result", async () => {
  await using started = await start(() => {});
  const { delivery, database, received } = started;
  const delivering = delivery.deliverDue();
  await waitUntil(() => received.length === 1, "the first delivery");
  const other = new AlertDelivery({
    database,
    webhook: { endpoint: connectWebhook(started.url, undefined), secret },
    logger: createLogger("silent", { write: () => {} }),
  });
  await other.deliverDue();
  expect(received).toHaveLength(1);
  const claimedFor = ((await readAlert(database)).next_attempt_at ?? 0) - Date.now();
  expect(claimedFor).toBeGreaterThan(20_000);
  await makeDue(database);
  const again = other.deliverDue();
  await waitUntil(() => received.length === 2, "the second delivery");
  await Promise.all([other.stop(), delivery.stop(), delivering, again]);
});
