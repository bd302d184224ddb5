import { expect, test } from "vitest";
import { reportUsage } from "../../src/store/usage-report.ts";
import {
  addRollups,
  DAY_MS,
  expectedSums,
  generateRollups,
  GROUPINGS,
  HOUR_MS,
  MODELS,
  reportedSums,
  rollup,
  sumsOf,
} from "./rollup-rows.ts";
import { addRequests, NOVEMBER, type Open, settledRow } from "./rows.ts";

/** What a report of usage owes, on every database. */
export function testUsageReport(open: Open): void {
  test("every grouping of usage adds up to the rollups of its time", async () => {
    const database = await open();
    const rows = generateRollups();
    await addRollups(database, rows);
    const [from, to] = [NOVEMBER, NOVEMBER + 2 * DAY_MS];
    const inTime = rows.filter(({ hour }) => hour >= from && hour < to);
    for (const by of GROUPINGS) {
      const report = await reportUsage(database, { from, to, by });
      expect([by, reportedSums(report)]).toEqual([by, expectedSums(inTime, by)]);
      expect(sumsOf(report.total)).toEqual(Object.values(expectedSums(inTime, []))[0]);
    }
  });

  test("a time that begins and ends within days is made of hours and days, and each hour is counted once", async () => {
    const database = await open();
    const rows = generateRollups();
    await addRollups(database, rows);
    for (const [start, end] of [
      [5, 53],
      [-24, 72],
      [-3, 24],
      [0, 7],
      [1, 23],
      [23, 25],
      [24, 25],
    ]) {
      const [from, to] = [NOVEMBER + (start ?? 0) * HOUR_MS, NOVEMBER + (end ?? 0) * HOUR_MS];
      const inTime = rows.filter(({ hour }) => hour >= from && hour < to);
      const report = await reportUsage(database, { from, to, by: ["day", "key"] });
      expect([start, end, reportedSums(report)]).toEqual([start, end, expectedSums(inTime, ["day", "key"])]);
    }
  });

  test("usage can be that of one key, one model and one provider", async () => {
    const database = await open();
    const rows = generateRollups();
    await addRollups(database, rows);
    const time = { from: NOVEMBER - DAY_MS, to: NOVEMBER + 3 * DAY_MS };
    const filters = [
      { keyId: "env:team" },
      { model: MODELS[0] },
      { model: "" },
      { provider: "Google" },
      { keyId: "key_b", model: MODELS[1], provider: "OpenAI" },
      { keyId: "nobody" },
    ];
    for (const filter of filters) {
      const left = rows.filter(
        (row) =>
          (filter.keyId ?? row.key_id) === row.key_id &&
          (filter.model ?? row.model) === row.model &&
          (filter.provider ?? row.provider) === row.provider,
      );
      const report = await reportUsage(database, { ...time, ...filter, by: ["day", "model"] });
      expect([filter, reportedSums(report)]).toEqual([filter, expectedSums(left, ["day", "model"])]);
    }
  });

  test("a time is widened to whole hours, the end is not part of it, and the report says which it took", async () => {
    const database = await open();
    for (const hour of [-1, 0, 1, 2])
      await addRollups(database, [rollup(NOVEMBER + hour * HOUR_MS, ["key_a"])]);
    const report = async (from: number, to: number) => {
      const { total, ...rest } = await reportUsage(database, {
        from: NOVEMBER + from,
        to: NOVEMBER + to,
        by: ["key"],
      });
      return [(rest.from - NOVEMBER) / HOUR_MS, (rest.to - NOVEMBER) / HOUR_MS, total.requests];
    };
    expect(await report(0, 2 * HOUR_MS)).toEqual([0, 2, 2]);
    expect(await report(1, HOUR_MS + 1)).toEqual([0, 2, 2]);
    expect(await report(HOUR_MS - 1, HOUR_MS)).toEqual([0, 1, 1]);
    expect(await report(-HOUR_MS, 3 * HOUR_MS)).toEqual([-1, 3, 4]);
    expect(await report(10 * HOUR_MS, 20 * HOUR_MS)).toEqual([10, 20, 0]);
  });

  test("a key is named as it is called now, and one that no table has as in its id", async () => {
    const database = await open();
    await database.kysely
      .insertInto("keys")
      .values({ ...KEY_ROW, id: "key_a", name: "renamed" })
      .execute();
    await addRollups(
      database,
      ["key_a", "key_gone", "env:team", "anonymous"].map((key) => rollup(NOVEMBER, [key])),
    );
    const { lines } = await reportUsage(database, { from: NOVEMBER, to: NOVEMBER + 1, by: ["key"] });
    expect(Object.fromEntries(lines.map(({ keyId, keyName }) => [keyId, keyName]))).toEqual({
      key_a: "renamed",
      key_gone: "key_gone",
      "env:team": "team",
      anonymous: "anonymous",
    });
  });

  test("requests that are not finished are counted apart, also by key", async () => {
    const database = await open();
    await addRequests(database, [
      settledRow(0, { state: "open" }, 1),
      settledRow(0, { state: "pending", settle_at: 1 }, 2),
      settledRow(0, { state: "pending", settle_at: 1, key_id: "env:team" }, 3),
      settledRow(0, { state: "settled" }, 4),
      settledRow(0, { state: "unknown" }, 5),
    ]);
    const time = { from: NOVEMBER, to: NOVEMBER + 1, by: ["key"] as const };
    const report = await reportUsage(database, time);
    expect([report.pendingRequests, report.total.requests, report.total.unknownRequests]).toEqual([3, 2, 1]);
    expect((await reportUsage(database, { ...time, keyId: "env:team" })).pendingRequests).toBe(1);
    expect((await reportUsage(database, { ...time, keyId: "nobody" })).pendingRequests).toBe(0);
  });

  test("days come in order, within a day what cost most comes first, and what cost the same by name", async () => {
    const database = await open();
    const cheap = (key: string, hour: number) => ({
      ...rollup(hour, [key]),
      cost_nanodollars: key === "d" ? 9 : 1,
    });
    await addRollups(
      database,
      [DAY_MS, 0].flatMap((day) => ["c", "a", "d", "b"].map((key) => cheap(key, NOVEMBER + day))),
    );
    const { lines } = await reportUsage(database, {
      from: NOVEMBER,
      to: NOVEMBER + 2 * DAY_MS,
      by: ["key", "day"],
    });
    expect(lines.map(({ day, keyId }) => `${day?.slice(-2)}${keyId}`)).toEqual(
      ["01", "02"].flatMap((day) => ["d", "a", "b", "c"].map((key) => day + key)),
    );
  });

  test("sums of millions of dollars are exact to the nanodollar", async () => {
    const database = await open();
    const costs = [4_000_000_000_000_001, 3_000_000_000_000_001, 2_000_000_000_000_001];
    await addRollups(
      database,
      costs.map((cost_nanodollars, index) => ({
        ...rollup(NOVEMBER + index * HOUR_MS, ["key_a"]),
        cost_nanodollars,
      })),
    );
    const { lines } = await reportUsage(database, { from: NOVEMBER, to: NOVEMBER + DAY_MS, by: ["key"] });
    expect(lines.map(({ costNanodollars }) => costNanodollars)).toEqual([9_000_000_000_000_003]);
  });

  test("a report of more than 10,000 lines is refused with what to ask for instead", async () => {
    const database = await open();
    const rows = Array.from({ length: 10_001 }, (_, index) => rollup(NOVEMBER, ["key_a", `model-${index}`]));
    await addRollups(database, rows);
    const time = { from: NOVEMBER, to: NOVEMBER + 1 };
    await expect(reportUsage(database, { ...time, by: ["model"] })).rejects.toMatchObject({
      code: "invalid_value",
      param: "by",
      message: "The report has more than 10000 lines; ask for fewer days or groups.",
    });
    const one = await reportUsage(database, { ...time, by: ["key"] });
    expect(one.total.requests).toBe(10_001);
    const most = await reportUsage(database, { ...time, by: ["model"], model: "model-7" });
    expect(most.lines).toHaveLength(1);
  });
}

const KEY_ROW = {
  owner: null,
  metadata: "{}",
  role: "caller",
  prefix: "sk-slc-00000",
  digest: "0".repeat(64),
  previous_digest: null,
  previous_until: null,
  created_at: NOVEMBER,
  last_used_at: null,
  expires_at: null,
  disabled: 0,
  revoked_at: null,
  models: null,
  on_disconnect: "cancel",
  revision: 1,
} as const;
