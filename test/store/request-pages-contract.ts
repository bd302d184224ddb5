import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { type RequestFilter, requestPages } from "../../src/store/request-pages.ts";
import type { RequestRow } from "../../src/store/request-row.ts";
import { deleteRequestsBefore } from "../../src/store/retention.ts";
import { addRequests, NOVEMBER, type Open, settledRow } from "./rows.ts";

const EVER = { from: 0, to: NOVEMBER * 2 };

async function read(database: Database, filter: RequestFilter): Promise<RequestRow[][]> {
  return Array.fromAsync(requestPages(database, filter));
}

const idsOf = (rows: readonly RequestRow[]): string[] => rows.map(({ id }) => id);

/** What the pages of the ledger owe, on every database. */
export function testRequestPages(open: Open): void {
  test("rows come once each, as they are, in the order of their beginning, a thousand at a time", async () => {
    const database = await open();
    // Several begin in the same millisecond, also where one page ends and the next begins.
    const rows = Array.from({ length: 2_500 }, (_, index) => settledRow(Math.floor(index / 7), {}, index));
    await addRequests(database, rows.toReversed());
    const pages = await read(database, EVER);
    expect(pages.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
    expect(pages.flat()).toEqual(rows);
  });

  test.each([0, 1, 999, 1_000, 1_001])("%i rows are all there", async (count) => {
    const database = await open();
    await addRequests(
      database,
      Array.from({ length: count }, (_, index) => settledRow(index)),
    );
    const pages = await read(database, EVER);
    expect(pages.flat()).toHaveLength(count);
    expect(pages.filter(({ length }) => length === 0 || length > 1_000)).toEqual([]);
  });

  test("only requests that began in the time are given, to the millisecond, without its end", async () => {
    const database = await open();
    await addRequests(
      database,
      [-1, 0, 1, 35, 36, 37, 86_400_000].map((ms) => settledRow(ms)),
    );
    const begun = async (from: number, to: number): Promise<number[]> => {
      const pages = await read(database, { from: NOVEMBER + from, to: NOVEMBER + to });
      return pages.flat().map((row) => row.started_at - NOVEMBER);
    };
    expect(await begun(0, 36)).toEqual([0, 1, 35]);
    expect(await begun(36, 86_400_001)).toEqual([36, 37, 86_400_000]);
    expect(await begun(2, 2)).toEqual([]);
    expect(await begun(-NOVEMBER - 1, 0)).toEqual([-1]);
    expect(await begun(0, Date.UTC(9999, 11) - NOVEMBER)).toEqual([0, 1, 35, 36, 37, 86_400_000]);
  });

  test("rows can be those of one key and of one state, however rare they are", async () => {
    const database = await open();
    const rows = Array.from({ length: 4_100 }, (_, index) =>
      settledRow(index, {
        key_id: index % 1_300 === 7 ? "env:rare" : "key_a",
        state: index % 650 === 7 ? "unknown" : "settled",
      }),
    );
    await addRequests(database, rows);
    const filters: Omit<RequestFilter, "from" | "to">[] = [
      { keyId: "env:rare" },
      { state: "unknown" },
      { keyId: "key_a", state: "unknown" },
      { keyId: "nobody" },
      { state: "open" },
    ];
    for (const filter of filters) {
      const pages = await read(database, { ...EVER, ...filter });
      const left = rows.filter(
        (row) => row.key_id === (filter.keyId ?? row.key_id) && row.state === (filter.state ?? row.state),
      );
      expect([filter, idsOf(pages.flat())]).toEqual([filter, idsOf(left)]);
      expect(pages.filter(({ length }) => length === 0)).toEqual([]);
    }
  });

  test("rows can be written and deleted between two pages, because no transaction is held", async () => {
    const database = await open();
    const rows = Array.from({ length: 2_100 }, (_, index) => settledRow(index));
    await addRequests(database, rows);
    const pages = requestPages(database, EVER);
    const first = (await pages.next()).value as RequestRow[];
    // All of the first page and some of the second.
    expect(await deleteRequestsBefore(database, NOVEMBER + 1_500)).toBe(1_500);
    await addRequests(database, [settledRow(5_000)]);
    const rest = (await Array.fromAsync(pages)).flat();
    expect(idsOf(first)).toEqual(idsOf(rows.slice(0, 1_000)));
    expect(idsOf(rest)).toEqual(idsOf([...rows.slice(1_500), settledRow(5_000)]));
  });
}
