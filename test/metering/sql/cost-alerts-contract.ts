import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../../src/durations.ts";
import { adoptOrphans } from "../../../src/metering/sql/instances.ts";
import { mapTokenCounts, UNKNOWN_COST } from "../../../src/metering/record.ts";
import { settleRow } from "../../../src/metering/sql/settlements.ts";
import { writeRequests } from "../../../src/metering/sql/upsert.ts";
import type { Database } from "../../../src/store/database.ts";
import { createSettledRow, NOVEMBER, type OpenDatabase } from "../../support/ledger-rows.ts";

const UNKNOWN = { ...UNKNOWN_COST, cost_nanodollars: null, generation_id: null };

const createUnknownRow = (ms: number, key_id: string, number = 0) =>
  createSettledRow(ms, { ...UNKNOWN, key_id, key_name: key_id }, number);

async function readAlerts({ kysely }: Database) {
  const rows = await kysely.selectFrom("alerts").selectAll().orderBy("id").execute();
  return rows.map(({ id, data }) => ({ id, ...(JSON.parse(data) as { record_id: string }) }));
}

/** Tests of the alerts for costs, for every database. */
export function costAlertsContract(open: OpenDatabase): void {
  test("raises one alert for each key and hour with an unknown cost, however often rows are written", async () => {
    const database = await open();
    const rows = [
      createUnknownRow(1, "key_b"),
      createUnknownRow(2, "key_a"),
      createUnknownRow(3, "key_a"),
      createUnknownRow(HOUR_MS, "key_a"),
      createSettledRow(4, { key_id: "key_c" }),
    ];
    await writeRequests(database, rows);
    await writeRequests(database, rows);
    await writeRequests(database, [createUnknownRow(5, "key_a", 1)]);
    expect(await readAlerts(database)).toMatchObject([
      { id: `unknown_cost:key:key_a:${NOVEMBER}`, record_id: rows[1]?.id, key_id: "key_a" },
      { id: `unknown_cost:key:key_a:${NOVEMBER + HOUR_MS}`, record_id: rows[3]?.id },
      { id: `unknown_cost:key:key_b:${NOVEMBER}`, record_id: rows[0]?.id },
    ]);
  });

  test("raises an alert for a row that is given up or lost, but not for one that is settled", async () => {
    const database = await open();
    const [given, settled, lost] = [
      createSettledRow(0, { state: "pending", key_id: "given" }),
      createSettledRow(1, { state: "pending", key_id: "settled" }),
      createSettledRow(2, { state: "open", key_id: "lost", generation_id: null, instance: "dead" }),
    ];
    const startedAt = Date.now() - 2 * DAY_MS;
    await writeRequests(database, [given, settled, { ...lost, started_at: startedAt }]);
    const settlement = {
      ...mapTokenCounts(() => null),
      is_byok: null,
      upstream_inference_nanodollars: null,
      provider: null,
      response_model: null,
    };
    await settleRow(database, given.id, { ...settlement, ...UNKNOWN_COST, cost_nanodollars: null });
    await settleRow(database, settled.id, {
      ...settlement,
      state: "settled",
      cost_source: "generation",
      cost_nanodollars: 1,
    });
    await adoptOrphans(database, { deadAfterMs: 1, lostAfterMs: DAY_MS });
    expect((await readAlerts(database)).map(({ record_id }) => record_id)).toEqual([given.id, lost.id]);
  });
}
