import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../../src/durations.ts";
import { deleteEndUserRollupsBefore } from "../../../src/metering/sql/end-user-rollups.ts";
import { readRequestPages } from "../../../src/metering/sql/export.ts";
import { mapTokenCounts, UNKNOWN_COST } from "../../../src/metering/record.ts";
import type { UsageQuery } from "../../../src/metering/sql/report.ts";
import { settleRow } from "../../../src/metering/sql/settlements.ts";
import type { Database } from "../../../src/store/database.ts";
import { createSettledRow, insertRequests, NOVEMBER, type OpenDatabase } from "../../support/ledger-rows.ts";
import { insertKey } from "../../support/key-row.ts";
import { createRollup, insertRollups, readReport } from "../../support/rollup-rows.ts";

const TWO_DAYS = { from: NOVEMBER, to: NOVEMBER + 2 * DAY_MS };

const createRow = (ms: number, key_id: string, end_user: string | null) =>
  createSettledRow(ms, { key_id, end_user, cost_nanodollars: 1_000 });

async function readCosts(database: Database, query: UsageQuery): Promise<Record<string, number>> {
  const { lines } = await readReport(database, query);
  return Object.fromEntries(
    lines.map(({ day, keyId, groupName, endUser, cost_nanodollars }) => [
      [day?.slice(-2), keyId, groupName, endUser].filter((part) => part !== undefined).join(" "),
      Number(cost_nanodollars),
    ]),
  );
}

async function insertGroup({ kysely }: Database, id: string, name: string): Promise<void> {
  const row = { id, name, limits: "{}", limits_changed_at: 0, created_at: 0 };
  await kysely.insertInto("key_groups").values(row).execute();
}

/** Tests of reports by end user and by group, for every database. */
export function endUserReportContract(open: OpenDatabase): void {
  test("sums the requests of end users by day and key, without requests that have no end user", async () => {
    const database = await open();
    await insertRequests(database, [
      createRow(0, "key_a", "ann"),
      createRow(1, "key_a", "ann"),
      createRow(2, "key_a", "bob"),
      createRow(3, "key_b", "ann"),
      createRow(4, "key_a", null),
      createRow(DAY_MS, "key_a", "ann"),
      createRow(2 * DAY_MS, "key_a", "ann"),
    ]);
    expect(await readCosts(database, { ...TWO_DAYS, by: ["end_user"] })).toEqual({ ann: 4_000, bob: 1_000 });
    expect(await readCosts(database, { ...TWO_DAYS, by: ["day", "key", "end_user"] })).toEqual({
      "01 key_a ann": 2_000,
      "01 key_a bob": 1_000,
      "01 key_b ann": 1_000,
      "02 key_a ann": 1_000,
    });
    const oneKey = await readReport(database, { ...TWO_DAYS, by: ["end_user"], keyId: "key_b" });
    expect([oneKey.lines.length, oneKey.total.cost_nanodollars]).toEqual([1, 1_000n]);
  });

  test("corrects the sums of an end user when an unknown cost becomes known", async () => {
    const database = await open();
    const unknown = { ...UNKNOWN_COST, end_user: "ann", cost_nanodollars: null };
    const row = createSettledRow(0, { ...unknown, generation_id: "gen-1" });
    await insertRequests(database, [row]);
    const read = async () => (await readReport(database, { ...TWO_DAYS, by: ["end_user"] })).lines;
    expect(await read()).toMatchObject([{ requests: 1n, unknown_requests: 1n, cost_nanodollars: 0n }]);
    await settleRow(database, row.id, {
      ...mapTokenCounts(() => null),
      state: "settled",
      cost_source: "generation",
      cost_nanodollars: 7,
      is_byok: null,
      upstream_inference_nanodollars: null,
      provider: null,
      response_model: null,
    });
    expect(await read()).toMatchObject([{ requests: 1n, unknown_requests: 0n, cost_nanodollars: 7n }]);
  });

  test("deletes the sums of end users of days before the retention time, and keeps the other sums", async () => {
    const database = await open();
    const rows = Array.from({ length: 2_500 }, (_, user) =>
      createSettledRow(0, { end_user: `user-${user}` }, user),
    );
    await insertRequests(database, [...rows, createRow(DAY_MS, "key_a", "ann")]);
    const { signal } = new AbortController();
    await deleteEndUserRollupsBefore(database, NOVEMBER + DAY_MS + HOUR_MS, signal);
    const { lines } = await readReport(database, { ...TWO_DAYS, by: ["day", "end_user"] });
    expect(lines.map(({ day, endUser }) => [day, endUser])).toEqual([["2026-11-02", "ann"]]);
    const { total } = await readReport(database, { ...TWO_DAYS, by: ["key"] });
    expect(total.requests).toBe(2_501n);
  });

  test("reports the group that each key belongs to now", async () => {
    const database = await open();
    await insertGroup(database, "group_1", "research");
    await insertKey(database, { id: "key_a", group_id: "group_1" });
    await insertKey(database, { id: "key_b", group_id: "group_1" });
    await insertKey(database, { id: "key_c", group_id: "group_gone" });
    await insertKey(database, { id: "key_d", group_id: null });
    await insertRollups(
      database,
      ["key_a", "key_b", "key_c", "key_d", "env:team"].map((key) => ({
        ...createRollup(NOVEMBER, [key]),
        cost_nanodollars: 1,
      })),
    );
    const { lines } = await readReport(database, { ...TWO_DAYS, by: ["group"] });
    expect(
      lines.map(({ groupId, groupName, cost_nanodollars }) => [groupId, groupName, cost_nanodollars]),
    ).toEqual(
      expect.arrayContaining([
        ["group_1", "research", 2n],
        ["group_gone", "group_gone", 1n],
        [null, null, 2n],
      ]),
    );
    expect(await readCosts(database, { ...TWO_DAYS, by: ["group", "key"] })).toMatchObject({
      "key_a research": 1,
    });
    await insertRequests(database, [createRow(0, "key_a", "ann")]);
    expect(await readCosts(database, { ...TWO_DAYS, by: ["group", "end_user"] })).toEqual({
      "research ann": 1_000,
    });
  });

  test("lists the requests of an end user, also within a key, a session and a state", async () => {
    const database = await open();
    const rows = [
      createSettledRow(0, { end_user: "ann", session: "s" }),
      createSettledRow(1, { end_user: "ann", key_id: "key_b" }),
      createSettledRow(2, { end_user: "bob", session: "s" }),
      createSettledRow(3, { end_user: "ann", state: "unknown" }),
      createSettledRow(4),
    ];
    await insertRequests(database, rows);
    const list = async (filter: object): Promise<number[]> => {
      const time = { from: NOVEMBER, to: NOVEMBER + DAY_MS };
      const pages = await Array.fromAsync(readRequestPages(database, { ...time, ...filter }));
      return pages.flat().map(({ id }) => rows.findIndex((row) => row.id === id));
    };
    expect(await list({ endUser: "ann" })).toEqual([0, 1, 3]);
    expect(await list({ endUser: "ann", order: "desc" })).toEqual([3, 1, 0]);
    expect(await list({ endUser: "ann", keyId: "key_b" })).toEqual([1]);
    expect(await list({ endUser: "ann", session: "s" })).toEqual([0]);
    expect(await list({ endUser: "ann", state: "unknown" })).toEqual([3]);
    expect(await list({ endUser: "Ann" })).toEqual([]);
  });
}
