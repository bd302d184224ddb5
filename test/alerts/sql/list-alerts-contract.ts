import { expect, test } from "vitest";
import { createUnknownCostAlert } from "../../../src/alerts/alert.ts";
import { endDelivery, markDelivered, postponeDelivery } from "../../../src/alerts/sql/alert-queue.ts";
import { enqueueAlert } from "../../../src/alerts/sql/enqueue-alert.ts";
import { listAlerts } from "../../../src/alerts/sql/list-alerts.ts";
import type { Database } from "../../../src/store/database.ts";
import type { OpenDatabase } from "../../support/ledger-rows.ts";

const RECORD = { id: "0abc1", request_id: "r-1", key_id: "key_1", key_name: "<script>" };
const DAY_MS = 86_400_000;

/** Stores alerts of several hours, of which the first two were stored at the same time. @returns their ids, newest first. */
async function storeAlerts(database: Database): Promise<string[]> {
  const alerts = [0, 1, 2, 3].map((hour) => createUnknownCostAlert(RECORD, hour));
  for (const [at, alert] of alerts.entries()) {
    await enqueueAlert(database, database.kysely, alert);
    const created_at = 1_000 * Math.max(1, at);
    await database.kysely.updateTable("alerts").set({ created_at }).where("id", "=", alert.id).execute();
  }
  return alerts.map(({ id }) => id).toReversed();
}

/** Tests of the list of alerts, for every database. */
export function listAlertsContract(open: OpenDatabase): void {
  test("lists alerts newest first, page by page, even if some were stored at the same time", async () => {
    const database = await open();
    const ids = await storeAlerts(database);
    expect((await listAlerts(database, { limit: 10 })).map(({ id }) => id)).toEqual(ids);
    const paged: string[] = [];
    for (;;) {
      const [alert] = await listAlerts(database, { limit: 1, before: paged.at(-1) });
      if (!alert) break;
      paged.push(alert.id);
    }
    expect(paged).toEqual(ids);
    expect(await listAlerts(database, { limit: 10, before: "deleted" })).toEqual([]);
  });

  test("states what became of each alert", async () => {
    const database = await open();
    const [waiting = "", delivered = "", givenUp = "", logged = ""] = await storeAlerts(database);
    await markDelivered(database, delivered);
    await endDelivery(database, logged);
    await postponeDelivery(database, givenUp, { waitMs: 1, giveUpAfterMs: DAY_MS });
    const states = (await listAlerts(database, { limit: 10 })).map(({ id, delivery, attempts }) => ({
      id,
      delivery,
      attempts,
    }));
    expect(states).toEqual([
      { id: waiting, delivery: "waiting", attempts: 0 },
      { id: delivered, delivery: "delivered", attempts: 0 },
      { id: givenUp, delivery: "given_up", attempts: 1 },
      { id: logged, delivery: "logged", attempts: 0 },
    ]);
    const [alert] = await listAlerts(database, { limit: 1 });
    expect(alert).toMatchObject({ type: "unknown_cost", createdAt: 3_000, data: { key_name: "<script>" } });
    expect(alert?.deliveredAt).toBeNull();
  });
}
