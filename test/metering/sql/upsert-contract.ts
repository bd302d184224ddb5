import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { isFinal, type RequestRow } from "../../../src/metering/record.ts";
import { adoptOrphans } from "../../../src/metering/sql/instances.ts";
import { writeRequests } from "../../../src/metering/sql/upsert.ts";
import { HOUR_MS } from "../../../src/durations.ts";
import { createRequestRow, STARTED_AT } from "../../support/request-row.ts";

/** One version of a request's row. The fields that identify the request are the same in every version. */
const version = fc.record({
  id: fc.constantFrom("1", "2", "3", "4", "5", "6"),
  state: fc.constantFrom("open", "pending", "settled", "unknown"),
  cost: fc.oneof(fc.constant(null), fc.constantFrom(0, 1, 9_007_199_254), fc.nat(1_000_000)),
  tokens: fc.nat(100_000),
  byok: fc.constantFrom(null, 0, 1),
  outcome: fc.constantFrom("interrupted", "client_gone", "complete"),
  status: fc.constantFrom(200, 429),
  provider: fc.constantFrom(null, "Some", "Other"),
  hasGeneration: fc.boolean(),
});

type Version = typeof version extends fc.Arbitrary<infer T> ? T : never;

function createRow(written: Version): RequestRow {
  const { id, state, cost, tokens, byok, outcome, status, provider, hasGeneration } = written;
  const number = Number(id);
  return createRequestRow(id, {
    state,
    outcome,
    status,
    generation_id: hasGeneration ? `gen-${id}` : null,
    key_id: `key_${number % 2}`,
    provider,
    endpoint: number % 3 === 0 ? "embeddings" : "responses",
    started_at: STARTED_AT + number * 7 * HOUR_MS,
    cost_nanodollars: state === "settled" ? cost : null,
    is_byok: byok,
    upstream_inference_nanodollars: cost,
    prompt_tokens: tokens,
    cache_write_tokens: tokens,
    completion_tokens: state === "settled" ? tokens * 2 : null,
    first_byte_ms: tokens % 2_000,
    total_ms: tokens,
  });
}

/** Returns the rows that the database must have after these writes. */
function expectedRows(written: readonly RequestRow[]): Map<string, RequestRow> {
  const rows = new Map<string, RequestRow>();
  for (const row of written) {
    const known = rows.get(row.id);
    const losesId = known?.generation_id != null && row.generation_id === null;
    const ends = known?.state === "open" && !(losesId && row.outcome === "interrupted");
    const replaces = !known || ends || (known.state === "pending" && row.state === "settled");
    const wasTakenOver =
      known?.state === "pending" && known.outcome === "interrupted" && row.state === "pending";
    const corrects = known?.state === "unknown" && row.state === "settled";
    const getsLookup = known?.state === "unknown" && known.generation_id === null && row.state === "pending";
    if (replaces || (wasTakenOver && row.outcome !== "interrupted") || corrects) rows.set(row.id, row);
    if (getsLookup && row.generation_id !== null) rows.set(row.id, row);
  }
  return rows;
}

/** The sums of final rows by hour or day, key, model, provider and endpoint. */
function sumBySpan(rows: Iterable<RequestRow>, spanMs: number): Map<string, number[]> {
  const sums = new Map<string, number[]>();
  for (const row of rows) {
    if (!isFinal(row)) continue;
    const served = row.generation_id !== null || ["stream", "body"].includes(row.cost_source ?? "");
    const model = served ? row.forwarded_model : "";
    const start = row.started_at - (row.started_at % spanMs);
    const group = [start, row.key_id, model, row.provider ?? "", row.endpoint].join();
    const isComplete = row.outcome === "complete";
    const isGood = isComplete && row.status === 200;
    const [firstByteMs, totalMs] = [row.first_byte_ms ?? 0, row.total_ms ?? 0];
    const one = [
      1,
      Number(row.state === "unknown"),
      row.prompt_tokens,
      row.completion_tokens,
      row.cost_nanodollars,
      row.is_byok === 1 ? row.upstream_inference_nanodollars : 0,
      row.cache_write_tokens,
      Number(row.outcome === "interrupted" || (isComplete && row.status === 429)),
      Number(row.outcome === "client_gone"),
      Number(isGood && firstByteMs > 500 && firstByteMs <= 1_000),
      Number(isGood && totalMs > 64_000),
    ];
    const sum = sums.get(group) ?? one.map(() => 0);
    sums.set(
      group,
      sum.map((value, index) => value + (one[index] ?? 0)),
    );
  }
  return sums;
}

const readRows = async ({ kysely }: Database): Promise<RequestRow[]> =>
  kysely.selectFrom("requests").selectAll().orderBy("id").execute();

/** Returns the sums by hour, and by day. */
async function readRollups({ kysely }: Database): Promise<Map<string, number[]>[]> {
  const hours = await kysely.selectFrom("rollups").selectAll().execute();
  const days = await kysely.selectFrom("rollups_daily").selectAll().execute();
  return [hours.map((row) => ({ ...row, at: row.hour })), days.map((row) => ({ ...row, at: row.day }))].map(
    (rows) =>
      new Map(
        rows.map((row) => [
          [row.at, row.key_id, row.model, row.provider, row.endpoint].join(),
          [
            row.requests,
            row.unknown_requests,
            row.prompt_tokens,
            row.completion_tokens,
            row.cost_nanodollars,
            row.byok_nanodollars,
            row.cache_write_tokens,
            row.failed_requests,
            row.cancelled_requests,
            row.first_byte_le_1000,
            row.total_above,
          ],
        ]),
      ),
  );
}

const sumRollups = (rows: Iterable<RequestRow>): Map<string, number[]>[] =>
  [HOUR_MS, 24 * HOUR_MS].map((spanMs) => sumBySpan(rows, spanMs));

async function expectSums(database: Database): Promise<void> {
  expect(await readRollups(database)).toEqual(sumRollups(await readRows(database)));
}

/** Tests of writing rows, for every database. @param open returns an empty database. */
export function requestWritesContract(open: () => Promise<Database>): void {
  test("counts each request once, in its final state, for any order of its writes in any batches", async () => {
    const database = await open();
    const batches = fc.array(fc.uniqueArray(version, { selector: ({ id }) => id, maxLength: 6 }), {
      maxLength: 8,
    });
    await fc.assert(
      fc
        .asyncProperty(batches, async (given) => {
          const written = given.map((batch) => batch.map(createRow));
          for (const batch of written) await writeRequests(database, batch);
          const expected = expectedRows(written.flat());
          expect(new Map((await readRows(database)).map((row) => [row.id, row]))).toEqual(expected);
          expect(await readRollups(database)).toEqual(sumRollups([...expected.values()]));
        })
        .beforeEach(async () => {
          await database.kysely.deleteFrom("requests").execute();
          await database.kysely.deleteFrom("rollups").execute();
          await database.kysely.deleteFrom("rollups_daily").execute();
        }),
      { numRuns: 60 },
    );
  }, 60_000);

  test("sums a request with a stated cost under its model, even without a generation id", async () => {
    const database = await open();
    const served = createRequestRow("0000000011", {
      forwarded_model: "a/b",
      cost_source: "stream",
      cost_nanodollars: 7,
    });
    const refused = createRequestRow("0000000012", {
      forwarded_model: "x/y",
      cost_source: "none",
      cost_nanodollars: 0,
    });
    await writeRequests(
      database,
      [served, refused].map((row) => ({ ...row, state: "settled" as const })),
    );
    const sums = await database.kysely.selectFrom("rollups").select(["model", "cost_nanodollars"]).execute();
    expect(sums.toSorted((a, b) => a.cost_nanodollars - b.cost_nanodollars)).toEqual([
      { model: "", cost_nanodollars: 0 },
      { model: "a/b", cost_nanodollars: 7 },
    ]);
  });

  test("a row without a generation id does not end an open row that has one, and recovery takes over the open row", async () => {
    const database = await open();
    const known = createRequestRow("1", { generation_id: "gen-1" });
    await writeRequests(database, [known]);
    const interrupted = { state: "unknown", outcome: "interrupted", cost_source: "unknown" } as const;
    expect(await writeRequests(database, [createRequestRow("1", interrupted)])).toEqual([]);
    expect(await readRows(database)).toEqual([known]);
    await adoptOrphans(database, { deadAfterMs: 0, lostAfterMs: 0 });
    expect(await readRows(database)).toMatchObject([{ state: "pending", generation_id: "gen-1" }]);
  });

  test("a late cost corrects an unknown row once, and moves its counts to the provider", async () => {
    const database = await open();
    const given = (id: string, fields: Partial<RequestRow> = {}): RequestRow =>
      createRequestRow(id, { state: "unknown", generation_id: `gen-${id}`, prompt_tokens: 5, ...fields });
    await writeRequests(database, [given("1"), given("2"), given("3", { generation_id: null })]);
    const corrections = ["1", "3"].map((id) =>
      given(id, { state: "settled", provider: "Some", prompt_tokens: 9, cost_nanodollars: 7 }),
    );
    const written = await Promise.all(Array.from({ length: 5 }, () => writeRequests(database, corrections)));
    expect(written.flat().map(({ id }) => id)).toEqual(["1", "3"]);
    await writeRequests(database, [
      given("1", { state: "pending" }),
      given("2", { state: "pending" }),
      given("3"),
    ]);
    expect((await readRows(database)).map(({ id, state }) => [id, state])).toEqual([
      ["1", "settled"],
      ["2", "unknown"],
      ["3", "settled"],
    ]);
    await expectSums(database);
  });

  test("a generation id that arrives late makes an unknown row pending, and removes its counts", async () => {
    const database = await open();
    await writeRequests(database, [createRequestRow("1", { state: "unknown", prompt_tokens: 5 })]);
    const found = createRequestRow("1", { state: "pending", generation_id: "gen-1", settle_at: 1 });
    for (let time = 0; time < 3; time++) await writeRequests(database, [found]);
    expect(await readRows(database)).toEqual([found]);
    expect(await readRollups(database)).toEqual([new Map(), new Map()]);
    await writeRequests(database, [{ ...found, state: "settled", cost_nanodollars: 7 }]);
    await expectSums(database);
  });

  test("writes nothing of a batch that contains an invalid row", async () => {
    const database = await open();
    const good = createRequestRow("1", { state: "settled", cost_nanodollars: 5 });
    const bad = { ...createRequestRow("2"), key_id: null } as unknown as RequestRow;
    await expect(writeRequests(database, [good, bad])).rejects.toThrow(/null/i);
    expect(await readRows(database)).toEqual([]);
    expect(await readRollups(database)).toEqual([new Map(), new Map()]);
    await writeRequests(database, [good]);
    expect(await readRows(database)).toEqual([good]);
  });

  test("writes a thousand rows unchanged, including hostile texts and large sums", async () => {
    const database = await open();
    const texts = ["' OR '1'='1", "ключ 🔑", '"\\\n\t', "$1 ? :a", "x".repeat(128)];
    const rows = Array.from({ length: 1_000 }, (_, index) =>
      createRequestRow(String(index).padStart(4, "0"), {
        request_id: texts[index % texts.length] ?? "",
        forwarded_model: texts[index % texts.length] ?? "",
        generation_id: `gen-${index}`,
        state: "settled",
        cost_nanodollars: 9_007_199_254,
      }),
    );
    await writeRequests(database, rows);
    expect(await readRows(database)).toEqual(rows);
    await expectSums(database);
  });

  test("writes null to a column that a row from an older journal does not have", async () => {
    const database = await open();
    const row = createRequestRow("1", { state: "settled" });
    const { cache_write_tokens: _unknown, ...known } = row;
    await writeRequests(database, [known as RequestRow]);
    expect(await readRows(database)).toEqual([row]);
    await expectSums(database);
  });

  test("concurrent writers of the same sums lose no count and do not deadlock", async () => {
    const database = await open();
    const batches = Array.from({ length: 20 }, (_, batch) => {
      const rows = Array.from({ length: 20 }, (__, index) =>
        createRequestRow(`${batch}-${index}`, {
          key_id: `key_${index % 7}`,
          generation_id: "gen",
          state: "settled",
          cost_nanodollars: 1,
        }),
      );
      return batch % 2 === 0 ? rows : rows.toReversed();
    });
    await Promise.all(batches.map((rows) => writeRequests(database, rows)));
    expect(await readRows(database)).toHaveLength(400);
    await expectSums(database);
  });
}
