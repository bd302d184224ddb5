import { sql } from "kysely";
import { expect, test } from "vitest";
import { LINES_PER_PAGE } from "../../../src/metering/sql/report.ts";
import { reportUsage } from "../../../src/metering/sql/report.ts";
import { DAY_MS, HOUR_MS } from "../../../src/durations.ts";
import {
  insertRollups,
  sumRollups,
  generateRollups,
  GROUPINGS,
  HOURLY_DIMENSIONS,
  MODELS,
  readReport,
  collectReportedSums,
  createRollup,
  listSums,
} from "../../support/rollup-rows.ts";
import { insertKey } from "../../support/key-row.ts";
import { insertRequests, NOVEMBER, type OpenDatabase, createSettledRow } from "../../support/ledger-rows.ts";

/** Tests of usage reports, for every database. */
export function testUsageReport(open: OpenDatabase): void {
  test("every grouping adds up to the rollups of the period", async () => {
    const database = await open();
    const rows = generateRollups();
    await insertRollups(database, rows);
    const [from, to] = [NOVEMBER, NOVEMBER + 2 * DAY_MS];
    const inTime = rows.filter(({ hour }) => hour >= from && hour < to);
    for (const by of GROUPINGS) {
      const report = await readReport(database, { from, to, by });
      expect([by, collectReportedSums(report)]).toEqual([by, sumRollups(inTime, by)]);
      expect(listSums(report.total)).toEqual(Object.values(sumRollups(inTime, []))[0]);
    }
  });

  test("combines hourly and daily rollups for a period that begins or ends within a day, and counts each hour once", async () => {
    const database = await open();
    const rows = generateRollups();
    await insertRollups(database, rows);
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
      const report = await readReport(database, { from, to, by: ["day", "key"] });
      expect([start, end, collectReportedSums(report)]).toEqual([
        start,
        end,
        sumRollups(inTime, ["day", "key"]),
      ]);
    }
  });

  test("filters usage by key, model, provider and endpoint", async () => {
    const database = await open();
    const rows = generateRollups();
    await insertRollups(database, rows);
    const time = { from: NOVEMBER - DAY_MS, to: NOVEMBER + 3 * DAY_MS };
    const filters = [
      { keyId: "env:team" },
      { model: MODELS[0] },
      { model: "" },
      { provider: "Google" },
      { keyId: "key_b", model: MODELS[1], provider: "OpenAI" },
      { endpoint: "embeddings" },
      { keyId: "key_a", endpoint: "chat/completions", provider: "OpenAI" },
      { endpoint: "rerank" },
      { keyId: "nobody" },
    ];
    for (const filter of filters) {
      const matching = rows.filter(
        (row) =>
          (filter.keyId ?? row.key_id) === row.key_id &&
          (filter.model ?? row.model) === row.model &&
          (filter.provider ?? row.provider) === row.provider &&
          (filter.endpoint ?? row.endpoint) === row.endpoint,
      );
      const report = await readReport(database, { ...time, ...filter, by: ["day", "model"] });
      expect([filter, collectReportedSums(report)]).toEqual([filter, sumRollups(matching, ["day", "model"])]);
    }
  });

  test("counts each hour in exactly one of two adjacent periods", async () => {
    const database = await open();
    for (const hour of [-1, 0, 1, 2])
      await insertRollups(database, [createRollup(NOVEMBER + hour * HOUR_MS, ["key_a"])]);
    const requests = async (from: number, to: number) => {
      const time = { from: NOVEMBER + from * HOUR_MS, to: NOVEMBER + to * HOUR_MS };
      return Number((await readReport(database, { ...time, by: ["key"] })).total.requests);
    };
    expect(await requests(-1, 3)).toBe(4);
    for (const border of [-1, 0, 1, 2, 3])
      expect((await requests(-2, border)) + (await requests(border, 4))).toBe(4);
    expect(await requests(10, 20)).toBe(0);
  });

  test("shows the current name of a key, and derives the name of a key without a row from its id", async () => {
    const database = await open();
    await insertKey(database, { id: "key_a", name: "renamed" });
    await insertRollups(
      database,
      ["key_a", "key_gone", "env:team", "anonymous"].map((key) => createRollup(NOVEMBER, [key])),
    );
    const { lines } = await readReport(database, { from: NOVEMBER, to: NOVEMBER + HOUR_MS, by: ["key"] });
    expect(Object.fromEntries(lines.map(({ keyId, keyName }) => [keyId, keyName]))).toEqual({
      key_a: "renamed",
      key_gone: "key_gone",
      "env:team": "team",
      anonymous: "anonymous",
    });
  });

  test("counts unfinished requests separately, for all keys and for one key", async () => {
    const database = await open();
    await insertRequests(database, [
      createSettledRow(0, { state: "open" }, 1),
      createSettledRow(0, { state: "pending", settle_at: 1 }, 2),
      createSettledRow(0, { state: "pending", settle_at: 1, key_id: "env:team" }, 3),
      createSettledRow(0, { state: "settled" }, 4),
      createSettledRow(0, { state: "unknown" }, 5),
    ]);
    const time = { from: NOVEMBER, to: NOVEMBER + HOUR_MS, by: ["key"] as const };
    const report = await readReport(database, time);
    expect([report.pendingRequests, report.total.requests, report.total.unknown_requests]).toEqual([
      3,
      2n,
      1n,
    ]);
    expect((await readReport(database, { ...time, keyId: "env:team" })).pendingRequests).toBe(1);
    expect((await readReport(database, { ...time, keyId: "nobody" })).pendingRequests).toBe(0);
  });

  test("sorts by day, then by cost, then by name", async () => {
    const database = await open();
    const createLine = (key: string, hour: number) => ({
      ...createRollup(hour, [key]),
      cost_nanodollars: key === "d" ? 9 : 1,
    });
    await insertRollups(
      database,
      [DAY_MS, 0].flatMap((day) => ["c", "a", "d", "b"].map((key) => createLine(key, NOVEMBER + day))),
    );
    const { lines } = await readReport(database, {
      from: NOVEMBER,
      to: NOVEMBER + 2 * DAY_MS,
      by: ["key", "day"],
    });
    expect(lines.map(({ day, keyId }) => `${day?.slice(-2)}${keyId}`)).toEqual(
      ["01", "02"].flatMap((day) => ["d", "a", "b", "c"].map((key) => day + key)),
    );
  });

  test("with a limit, reports the lines of the highest cost of any day, and the total of all lines", async () => {
    const database = await open();
    const rows = generateRollups();
    await insertRollups(database, rows);
    const query = { from: NOVEMBER, to: NOVEMBER + 2 * DAY_MS, by: ["day", "key", "model"] } as const;
    const all = await readReport(database, query);
    const byCost = all.lines.toSorted((a, b) => Number(b.cost_nanodollars - a.cost_nanodollars));
    for (const limit of [1, 5, 1_000]) {
      const { lines, total } = await readReport(database, { ...query, limit });
      expect(lines).toEqual(byCost.slice(0, limit));
      expect(total).toEqual(all.total);
    }
    const none = await readReport(database, { ...query, limit: 5, keyId: "nobody" });
    expect([none.lines, Number(none.total.requests)]).toEqual([[], 0]);
  });

  test("sums of millions of dollars are exact to the nanodollar", async () => {
    const database = await open();
    const costs = [4_000_000_000_000_001, 3_000_000_000_000_001, 2_000_000_000_000_001];
    await insertRollups(
      database,
      costs.map((cost_nanodollars, index) => ({
        ...createRollup(NOVEMBER + index * HOUR_MS, ["key_a"]),
        cost_nanodollars,
      })),
    );
    const { lines } = await readReport(database, { from: NOVEMBER, to: NOVEMBER + DAY_MS, by: ["key"] });
    expect(lines.map(({ cost_nanodollars }) => cost_nanodollars)).toEqual([9_000_000_000_000_003n]);
  });

  test("returns sums beyond 64 bits and beyond the safe integers of JavaScript", async () => {
    const database = await open();
    const largest = 9_223_372_036_854_775_807n;
    await insertRollups(
      database,
      [0, 1, 2].map((hour) => createRollup(NOVEMBER + hour * HOUR_MS, ["key_a", "a/b"])),
    );
    await sql`update rollups set cost_nanodollars = ${sql.lit(largest)}, prompt_tokens = 9007199254740993`.execute(
      database.kysely,
    );
    const time = { from: NOVEMBER, to: NOVEMBER + 3 * HOUR_MS };
    const { lines, total } = await readReport(database, { ...time, by: ["model"] });
    const sums = { cost_nanodollars: 3n * largest, prompt_tokens: 3n * 9_007_199_254_740_993n, requests: 3n };
    expect([lines, total]).toMatchObject([[sums], sums]);
  });

  test("pages through 25,000 groups in one order, from one snapshot", async () => {
    const database = await open();
    const rows = Array.from({ length: 25_000 }, (_, index) => ({
      ...createRollup(NOVEMBER, [`key_${index % 200}`, `model-${index}`, `provider-${index % 7}`]),
      cost_nanodollars: index % 1_000,
    }));
    await insertRollups(database, rows);
    const time = { from: NOVEMBER, to: NOVEMBER + DAY_MS };
    const report = await reportUsage(database, { ...time, by: HOURLY_DIMENSIONS });
    const models = new Set<string | undefined>();
    let last: bigint | undefined = undefined;
    for await (const lines of report.pages) {
      expect(lines.length).toBeLessThanOrEqual(LINES_PER_PAGE);
      if (models.size === 0) await insertRollups(database, [createRollup(NOVEMBER, ["key_1", "late"])]);
      for (const { model, cost_nanodollars } of lines) {
        expect(cost_nanodollars <= (last ?? cost_nanodollars)).toBe(true);
        last = cost_nanodollars;
        models.add(model);
      }
    }
    expect([models.size, models.has("late"), report.total().requests]).toEqual([25_000, false, 25_000n]);
    const oneModel = await readReport(database, { ...time, by: ["model"], model: "model-7" });
    expect(oneModel.lines).toHaveLength(1);
  }, 60_000);

  test("releases the database resources of reports that are abandoned midway", async () => {
    const database = await open();
    await insertRollups(
      database,
      Array.from({ length: 1_001 }, (_, index) => createRollup(NOVEMBER, ["key_a", `model-${index}`])),
    );
    const time = { from: NOVEMBER, to: NOVEMBER + HOUR_MS };
    for (let count = 0; count < 12; count++) {
      const { pages } = await reportUsage(database, { ...time, by: ["model"] });
      expect((await pages.next()).value).toHaveLength(LINES_PER_PAGE);
      await pages.return();
    }
    const [first, second] = await Promise.all(
      [1, 2].map(() => readReport(database, { ...time, by: ["model"] })),
    );
    expect([first?.lines.length, second?.lines.length]).toEqual([1_001, 1_001]);
  }, 30_000);

  test("throws the error of the database when a report fails", async () => {
    const database = await open();
    await sql`alter table rollups rename to elsewhere`.execute(database.kysely);
    const time = { from: NOVEMBER, to: NOVEMBER + HOUR_MS };
    await expect(readReport(database, { ...time, by: ["model"] })).rejects.toThrow(/rollups/);
    await sql`alter table elsewhere rename to rollups`.execute(database.kysely);
    expect((await readReport(database, { ...time, by: ["model"] })).lines).toEqual([]);
  });
}
