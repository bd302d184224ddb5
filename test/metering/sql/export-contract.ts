import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { type RequestFilter, readRequestPages } from "../../../src/metering/sql/export.ts";
import type { RequestRow } from "../../../src/metering/record.ts";
import { deleteRequestsBefore } from "../../../src/metering/sql/retention.ts";
import { insertRequests, NOVEMBER, type OpenDatabase, createSettledRow } from "../../support/ledger-rows.ts";

const EVER = { from: 0, to: NOVEMBER * 2 };

async function read(database: Database, filter: RequestFilter): Promise<RequestRow[][]> {
  return Array.fromAsync(readRequestPages(database, filter));
}

const idsOf = (rows: readonly RequestRow[]): string[] => rows.map(({ id }) => id);

/** Tests of paging through the ledger, for every database. */
export function testRequestPages(open: OpenDatabase): void {
  test("returns each row once, in the order of start times, with at most 200 rows per page", async () => {
    const database = await open();
    // Several requests begin in the same millisecond, even across the boundary between two pages.
    const rows = Array.from({ length: 2_500 }, (_, index) =>
      createSettledRow(Math.floor(index / 7), {}, index),
    );
    await insertRequests(database, rows.toReversed());
    const pages = await read(database, EVER);
    expect(pages.map(({ length }) => length)).toEqual([...Array.from({ length: 12 }, () => 200), 100]);
    expect(pages.flat()).toEqual(rows);
    const newestFirst = await read(database, { ...EVER, order: "desc" });
    expect(newestFirst.flat()).toEqual(rows.toReversed());
  });

  test.each([0, 1, 199, 200, 201, 1_000])("returns all of %i rows", async (count) => {
    const database = await open();
    await insertRequests(
      database,
      Array.from({ length: count }, (_, index) => createSettledRow(index)),
    );
    const pages = await read(database, EVER);
    expect(pages.flat()).toHaveLength(count);
    expect(pages.filter(({ length }) => length === 0 || length > 200)).toEqual([]);
  });

  test("returns exactly the requests that began from the start of the period up to, but not at, its end", async () => {
    const database = await open();
    await insertRequests(
      database,
      [-1, 0, 1, 35, 36, 37, 86_400_000].map((ms) => createSettledRow(ms)),
    );
    const readStarts = async (from: number, to: number): Promise<number[]> => {
      const pages = await read(database, { from: NOVEMBER + from, to: NOVEMBER + to });
      return pages.flat().map((row) => row.started_at - NOVEMBER);
    };
    expect(await readStarts(0, 36)).toEqual([0, 1, 35]);
    expect(await readStarts(36, 86_400_001)).toEqual([36, 37, 86_400_000]);
    expect(await readStarts(2, 2)).toEqual([]);
    expect(await readStarts(-NOVEMBER - 1, 0)).toEqual([-1]);
    expect(await readStarts(0, Date.UTC(9999, 11) - NOVEMBER)).toEqual([0, 1, 35, 36, 37, 86_400_000]);
  });

  test("filters rows by key and state, even when matches are rare", async () => {
    const database = await open();
    const rows = Array.from({ length: 4_100 }, (_, index) =>
      createSettledRow(index, {
        key_id: index % 1_300 === 7 ? "env:rare" : "key_a",
        state: index % 650 === 7 ? "unknown" : "settled",
      }),
    );
    await insertRequests(database, rows);
    const filters: Omit<RequestFilter, "from" | "to">[] = [
      { keyId: "env:rare" },
      { state: "unknown" },
      { keyId: "key_a", state: "unknown" },
      { keyId: "nobody" },
      { state: "open" },
      { state: "settled" },
      { keyId: "env:rare", state: "settled" },
      { keyId: "env:rare", state: "unknown" },
    ];
    for (const filter of filters) {
      const pages = await read(database, { ...EVER, ...filter });
      const reversed = await read(database, { ...EVER, ...filter, order: "desc" });
      const matching = rows.filter(
        (row) => row.key_id === (filter.keyId ?? row.key_id) && row.state === (filter.state ?? row.state),
      );
      expect([filter, idsOf(pages.flat())]).toEqual([filter, idsOf(matching)]);
      expect([filter, idsOf(reversed.flat())]).toEqual([filter, idsOf(matching.toReversed())]);
      expect([...pages, ...reversed].filter(({ length }) => length === 0)).toEqual([]);
    }
  });

  test("continues after a given row within the period, in both orders", async () => {
    const database = await open();
    const rows = Array.from({ length: 450 }, (_, index) =>
      createSettledRow(index, { key_id: index % 3 === 0 ? "key_b" : "key_a" }),
    );
    await insertRequests(database, rows);
    const ids = idsOf(rows);
    const idsAfter = async (after: string | undefined, filter: Partial<RequestFilter> = {}) =>
      idsOf((await read(database, { ...EVER, after, ...filter })).flat());
    expect(await idsAfter(ids[200])).toEqual(ids.slice(201));
    expect(await idsAfter(ids[449])).toEqual([]);
    expect(await idsAfter(ids[200], { order: "desc" })).toEqual(ids.slice(0, 200).toReversed());
    expect(await idsAfter(ids[0], { order: "desc" })).toEqual([]);
    const ofKey = { keyId: "key_b", state: "settled" } as const;
    expect(await idsAfter(ids[200], ofKey)).toEqual(ids.filter((_, index) => index > 200 && index % 3 === 0));
    const time = { from: NOVEMBER + 100, to: NOVEMBER + 103 };
    expect(await idsAfter(ids[5], time)).toEqual(ids.slice(100, 103));
    expect(await idsAfter(ids[101], time)).toEqual(ids.slice(102, 103));
    expect(await idsAfter(ids[300], time)).toEqual([]);
    expect(await idsAfter(ids[300], { ...time, order: "desc" })).toEqual(ids.slice(100, 103).toReversed());
    expect(await idsAfter(ids[101], { ...time, order: "desc" })).toEqual(ids.slice(100, 101));
  });

  test("an export allows writes and deletions between two pages, because it holds no transaction", async () => {
    const database = await open();
    const rows = Array.from({ length: 2_100 }, (_, index) => createSettledRow(index));
    await insertRequests(database, rows);
    const pages = readRequestPages(database, EVER);
    const first = (await pages.next()).value as RequestRow[];
    // Deletes the whole first page and part of a later one.
    expect(await deleteRequestsBefore(database, NOVEMBER + 1_500)).toBe(1_500);
    await insertRequests(database, [createSettledRow(5_000)]);
    const rest = (await Array.fromAsync(pages)).flat();
    expect(idsOf(first)).toEqual(idsOf(rows.slice(0, 200)));
    expect(idsOf(rest)).toEqual(idsOf([...rows.slice(1_500), createSettledRow(5_000)]));
  });
}
