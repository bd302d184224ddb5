import { expect, test } from "vitest";
import { createUnknownCostAlert } from "../../../src/alerts/alert.ts";
import { enqueueAlert } from "../../../src/alerts/sql/enqueue-alert.ts";
import type { OpenDatabase } from "../../support/ledger-rows.ts";

const RECORD = { id: "0abc1", request_id: "r-1", key_id: "key_1", key_name: "team" };
const ALERT = createUnknownCostAlert(RECORD, 0);

/** Tests of the storage of alerts, for every database. */
export function enqueueAlertContract(open: OpenDatabase): void {
  test("stores an alert once, however often it is raised", async () => {
    const database = await open();
    const raise = () =>
      database.kysely
        .transaction()
        .execute((transaction) => enqueueAlert(database, transaction, { ...ALERT }));
    expect(await raise()).toBe(true);
    expect(await Promise.all([raise(), raise()])).toEqual([false, false]);
    const [row, ...others] = await database.kysely.selectFrom("alerts").selectAll().execute();
    expect(others).toEqual([]);
    // PostgreSQL reads its clock for each of the two times.
    const { created_at = 0, next_attempt_at, data = "", ...rest } = row ?? {};
    expect({ ...rest, data: JSON.parse(data) as unknown }).toEqual({
      ...ALERT,
      attempts: 0,
      delivered_at: null,
    });
    for (const time of [created_at, next_attempt_at ?? 0])
      expect(Math.abs(time - Date.now())).toBeLessThan(10_000);
  });

  test("stores no alert if the transaction of the event is rolled back", async () => {
    const database = await open();
    const failed = database.kysely.transaction().execute(async (transaction) => {
      await enqueueAlert(database, transaction, ALERT);
      throw new Error("the event did not happen");
    });
    await expect(failed).rejects.toThrow("did not happen");
    expect(await database.kysely.selectFrom("alerts").selectAll().execute()).toEqual([]);
  });
}
