import { sql } from "kysely";
import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../../src/durations.ts";
import { mapTokenCounts, type RequestRow, UNKNOWN_COST } from "../../../src/metering/record.ts";
import { SERIES_DIMENSIONS, type SeriesDimension, type Step } from "../../../src/metering/series.ts";
import { reportFailures } from "../../../src/metering/sql/failures.ts";
import { settleRow } from "../../../src/metering/sql/settlements.ts";
import { readTimeSeries } from "../../../src/metering/sql/time-series.ts";
import { insertKey } from "../../support/key-row.ts";
import { createSettledRow, insertRequests, NOVEMBER, type OpenDatabase } from "../../support/ledger-rows.ts";
import {
  atMinute,
  collectPoints,
  createSeriesQuery,
  generateSeriesRows,
  listGroups,
  SERIES_PERIOD,
  sumSeriesRows,
} from "../../support/series-rows.ts";

const STEPS: readonly Step[] = ["minute", "hour", "day"];
const DAY = { from: NOVEMBER - DAY_MS, to: NOVEMBER + DAY_MS };

/** Returns the name of the group of a row. No row of these tests has a key with a group. */
function nameGroup(row: RequestRow, by: SeriesDimension): string {
  const served = row.generation_id !== null || row.cost_source === "stream";
  const names = { key: row.key_id, group: "", model: served ? (row.forwarded_model ?? "") : "" };
  return { ...names, provider: row.provider ?? "", endpoint: row.endpoint }[by];
}

const createQuery = (step: Step, fields: Parameters<typeof createSeriesQuery>[0] = {}) =>
  createSeriesQuery({ step, ...(step === "day" && DAY), ...fields });

/** Tests of time series and of failures, for every database. */
export function testTimeSeries(open: OpenDatabase): void {
  test("every step and dimension adds up to the rows of the period", async () => {
    const database = await open();
    const rows = generateSeriesRows();
    await insertRequests(database, rows);
    for (const step of STEPS)
      for (const by of SERIES_DIMENSIONS) {
        const query = createQuery(step, { by });
        const series = await readTimeSeries(database, query);
        expect([step, collectPoints(series, query)]).toEqual([step, sumSeriesRows(rows, query)]);
        const expected = Map.groupBy(
          rows.filter(({ started_at: at }) => at >= query.from && at < query.to),
          (row) => nameGroup(row, by),
        );
        expect(new Set(series.groups.map(({ id }) => id))).toEqual(new Set(expected.keys()));
        for (const group of series.groups)
          expect([step, by, group.id, collectPoints(group, query)]).toEqual([
            step,
            by,
            group.id,
            sumSeriesRows(expected.get(group.id ?? "-") ?? [], query),
          ]);
      }
  }, 60_000);

  test("filters series by key, model, provider and endpoint", async () => {
    const database = await open();
    const rows = generateSeriesRows();
    await insertRequests(database, rows);
    const filters = [
      { keyId: "key_3" },
      { model: "vendor/model-2" },
      { model: "" },
      { provider: "Google", endpoint: "embeddings" },
      { keyId: "key_1", model: "vendor/model-1" },
      { keyId: "nobody" },
      { groupId: "nothing" },
    ];
    for (const step of STEPS)
      for (const filter of filters) {
        const query = createQuery(step, filter);
        const matching = rows.filter(
          (row) =>
            (filter.keyId ?? row.key_id) === row.key_id &&
            (filter.model ?? nameGroup(row, "model")) === nameGroup(row, "model") &&
            (filter.provider ?? row.provider) === row.provider &&
            (filter.endpoint ?? row.endpoint) === row.endpoint &&
            filter.groupId === undefined,
        );
        const series = await readTimeSeries(database, query);
        expect([step, filter, collectPoints(series, query)]).toEqual([
          step,
          filter,
          sumSeriesRows(matching, query),
        ]);
      }
  }, 60_000);

  test.each(STEPS)(
    "by the %s, the groups of the highest cost have a series each, and the rest has one",
    async (step) => {
      const database = await open();
      const costs = { a: 5, b: 9, c: 5, d: 1, e: 0 };
      await insertRequests(
        database,
        Object.entries(costs).flatMap(([key, cost], index) => [
          createSettledRow(atMinute(1), { key_id: key, cost_nanodollars: cost }, index),
          ...(key === "c" ? [createSettledRow(atMinute(2), { key_id: key, cost_nanodollars: 0 }, 10)] : []),
        ]),
      );
      const read = async (series: number) =>
        listGroups((await readTimeSeries(database, createQuery(step, { by: "key", series }))).groups);
      expect(await read(3)).toEqual([
        ["b", undefined, 1, 9],
        ["c", undefined, 2, 5],
        ["a", undefined, 1, 5],
        [undefined, undefined, 2, 1],
      ]);
      expect((await read(5)).length).toBe(5);
    },
  );

  test("steps of a minute contain requests in flight and pending ones, without a cost", async () => {
    const database = await open();
    await insertRequests(database, [
      createSettledRow(
        0,
        { state: "open", outcome: null, status: 0, cost_nanodollars: null, generation_id: null },
        1,
      ),
      createSettledRow(0, { state: "pending", settle_at: 1, cost_nanodollars: null }, 2),
      createSettledRow(0, {}, 3),
    ]);
    const { total, groups } = await readTimeSeries(database, createSeriesQuery({ by: "model" }));
    expect(total.sums).toMatchObject({ requests: 3n, failed_requests: 0n, cost_nanodollars: 1_500n });
    expect(listGroups(groups)).toEqual([["a/b", undefined, 3, 1_500]]);
    const hours = await readTimeSeries(database, createQuery("hour"));
    expect(hours.total.sums.requests).toBe(1n);
  });

  test("an empty period has a point without requests for each step", async () => {
    const database = await open();
    for (const step of STEPS) {
      const query = createQuery(step, { by: "model" });
      const { points, groups, total } = await readTimeSeries(database, query);
      expect([points.length, groups]).toEqual([{ minute: 180, hour: 3, day: 2 }[step], []]);
      expect(new Set([total, ...points].map(({ sums }) => sums.requests))).toEqual(new Set([0n]));
    }
  });

  test("counts a request at the start of a step in this step, and one at the end of the period not at all", async () => {
    const database = await open();
    const { from, to } = SERIES_PERIOD;
    const times = [from - 1, from, from + atMinute(1) - 1, from + atMinute(1), to - 1, to];
    await insertRequests(
      database,
      times.map((at, index) => createSettledRow(at - NOVEMBER, {}, index)),
    );
    const { points } = await readTimeSeries(database, createSeriesQuery());
    const counts = points.map(({ sums }) => Number(sums.requests));
    expect([counts[0], counts[1], counts.at(-1), counts.reduce((sum, count) => sum + count)]).toEqual([
      2, 1, 1, 4,
    ]);
  });

  test("names keys and groups as they are called now, and those without a row not at all", async () => {
    const database = await open();
    await database.kysely
      .insertInto("key_groups")
      .values({ id: "grp_1", name: "team", limits: "{}", limits_changed_at: 0, created_at: 0 })
      .execute();
    await insertKey(database, { id: "key_a", name: "renamed", group_id: "grp_1" });
    await insertKey(database, { id: "key_b", name: "revoked", group_id: "grp_gone", revoked_at: 1 });
    await insertRequests(
      database,
      ["key_a", "key_b", "key_gone", "env:team"].map((key_id, index) =>
        createSettledRow(0, { key_id, cost_nanodollars: 10 - index }, index),
      ),
    );
    for (const step of STEPS) {
      const byKey = await readTimeSeries(database, createQuery(step, { by: "key" }));
      expect(listGroups(byKey.groups)).toEqual([
        ["key_a", "renamed", 1, 10],
        ["key_b", "revoked", 1, 9],
        ["key_gone", undefined, 1, 8],
        ["env:team", undefined, 1, 7],
      ]);
      const byGroup = await readTimeSeries(database, createQuery(step, { by: "group" }));
      expect(listGroups(byGroup.groups)).toEqual([
        ["", undefined, 2, 15],
        ["grp_1", "team", 1, 10],
        ["grp_gone", undefined, 1, 9],
      ]);
      const ofGroup = await readTimeSeries(database, createQuery(step, { by: "key", groupId: "grp_1" }));
      expect(listGroups(ofGroup.groups)).toEqual([["key_a", "renamed", 1, 10]]);
    }
  });

  test("a correction moves a request from the unknown ones to its provider, and keeps its result and latency", async () => {
    const database = await open();
    const row = createSettledRow(0, {
      ...UNKNOWN_COST,
      cost_nanodollars: null,
      provider: null,
      first_byte_ms: 300,
    });
    await insertRequests(database, [row]);
    await settleRow(database, row.id, {
      ...mapTokenCounts(() => null),
      state: "settled",
      cost_source: "generation",
      cost_nanodollars: 7,
      is_byok: null,
      upstream_inference_nanodollars: null,
      provider: "Google",
      response_model: null,
    });
    for (const step of STEPS) {
      const { groups } = await readTimeSeries(database, createQuery(step, { by: "provider" }));
      expect(listGroups(groups)).toEqual([["Google", undefined, 1, 7]]);
      expect(groups[0]?.total.sums.unknown_requests).toBe(0n);
      expect(groups[0]?.total.latencies.first_byte_ms).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
  });

  test("sums beyond 64 bits are exact", async () => {
    const database = await open();
    await insertRequests(database, [createSettledRow(0), createSettledRow(HOUR_MS, {}, 1)]);
    const largest = 9_223_372_036_854_775_807n;
    for (const table of ["requests", "rollups"])
      await sql`update ${sql.table(table)} set cost_nanodollars = ${sql.lit(largest)}`.execute(
        database.kysely,
      );
    for (const step of ["minute", "hour"] as const) {
      const { total } = await readTimeSeries(database, createQuery(step));
      expect(total.sums.cost_nanodollars).toBe(2n * largest);
    }
  });

  test("counts failures by kind, the most frequent first, with their last request", async () => {
    const database = await open();
    const refused = { outcome: "upstream_error", status: 429 } as const;
    const rows = [
      createSettledRow(0, { outcome: "upstream_error", status: 502, provider: null }, 1),
      createSettledRow(1, refused, 2),
      createSettledRow(2, refused, 3),
      createSettledRow(3, { ...refused, endpoint: "embeddings" }, 4),
      createSettledRow(4, { outcome: "client_gone" }, 5),
      createSettledRow(5, {}, 6),
      createSettledRow(6, { outcome: null, status: 0, state: "open" }, 7),
      createSettledRow(HOUR_MS, refused, 8),
    ];
    await insertRequests(database, rows);
    const period = { from: NOVEMBER, to: NOVEMBER + HOUR_MS };
    const kind = { endpoint: "chat/completions", forwarded_model: "a/b", provider: "Google", ...refused };
    const create = (row: RequestRow | undefined, fields: object, requests = 1) => ({
      ...kind,
      requests,
      last_at: row?.started_at,
      last_id: row?.id,
      ...fields,
    });
    expect(await reportFailures(database, period)).toEqual({
      from: NOVEMBER,
      isComplete: true,
      groups: [
        create(rows[2], {}, 2),
        create(rows[3], { endpoint: "embeddings" }),
        create(rows[0], { provider: null, status: 502 }),
      ],
    });
    expect(await reportFailures(database, period, 5)).toMatchObject({
      from: NOVEMBER + 1,
      isComplete: false,
      groups: [
        { requests: 1, last_id: rows[3]?.id },
        { requests: 1, last_id: rows[2]?.id },
      ],
    });
    expect(await reportFailures(database, period, 7)).toMatchObject({ isComplete: true });
  });
}
