import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { type RequestFilter, readRequestPages, scanRequests } from "../../../src/metering/sql/export.ts";
import type { RequestRow } from "../../../src/metering/record.ts";
import { insertRequests, NOVEMBER, type OpenDatabase, createSettledRow } from "../../support/ledger-rows.ts";

const EVER = { from: 0, to: NOVEMBER * 2 };
/** More rows than two statements visit. */
const COUNT = 11_000;

const idsOf = (rows: readonly RequestRow[]): string[] => rows.map(({ id }) => id);

async function findIds(database: Database, filter: Partial<RequestFilter>): Promise<string[]> {
  return idsOf((await Array.fromAsync(readRequestPages(database, { ...EVER, ...filter }))).flat());
}

/** Creates rows of which many or few match each condition. */
function createRows(): RequestRow[] {
  return Array.from({ length: COUNT }, (_, index) =>
    createSettledRow(index, {
      request_id: index % 10 === 0 ? `req-${index}` : "retried",
      group_id: index % 4 === 0 ? "grp_1" : null,
      requested_model: index % 3 === 0 ? "fast" : "a/b",
      forwarded_model: index % 3_000 === 1 ? "rare/model" : "a/b",
      response_model: index % 3_000 === 2 ? "rare/model" : null,
      provider: index % 2 === 0 ? "Azure" : null,
      endpoint: index % 5 === 0 ? "messages" : "chat/completions",
      ...(index % 2_500 === 3 && { outcome: "upstream_error" as const, status: 429 }),
      ...(index % 4_999 === 0 && { outcome: "client_gone" as const }),
      ...(index === 7 && { outcome: "interrupted" as const, status: 0 }),
      ...(index === COUNT - 1 && { outcome: null, state: "open" as const, status: 0 }),
    }),
  );
}

/** Conditions, and the same conditions in JavaScript. */
const CASES: readonly (readonly [Partial<RequestFilter>, (row: RequestRow) => boolean])[] = [
  [{ groupId: "grp_1" }, (row) => row.group_id === "grp_1"],
  [{ groupId: "grp_none" }, () => false],
  [{ model: "fast" }, (row) => row.requested_model === "fast"],
  [{ model: "rare/model" }, (row) => [row.forwarded_model, row.response_model].includes("rare/model")],
  [{ provider: "Azure" }, (row) => row.provider === "Azure"],
  [{ endpoint: "messages" }, (row) => row.endpoint === "messages"],
  [{ outcome: "client_gone" }, (row) => row.outcome === "client_gone"],
  [{ status: 429 }, (row) => row.status === 429],
  [{ status: 0 }, (row) => row.status === 0],
  [{ isFailed: true }, (row) => row.outcome === "upstream_error" || row.outcome === "interrupted"],
  [
    { isFailed: true, provider: "Azure", keyId: "key_a" },
    (row) => row.status === 429 && row.provider === "Azure",
  ],
  [
    { model: "a/b", provider: "Azure", endpoint: "messages", state: "settled" },
    (row) =>
      (row.requested_model === "a/b" || row.forwarded_model === "a/b") &&
      row.provider === "Azure" &&
      row.endpoint === "messages" &&
      row.state === "settled",
  ],
  [{ state: "open", status: 0 }, (row) => row.state === "open"],
];

/** Tests of conditions without an index, and of searches by id, for every database. */
export function testRequestSearch(open: OpenDatabase): void {
  test("finds all rows that meet the conditions, rare or frequent, in both orders", async () => {
    const database = await open();
    const rows = createRows();
    await insertRequests(database, rows);
    for (const [filter, matches] of CASES) {
      const expected = idsOf(rows.filter(matches));
      expect([filter, await findIds(database, filter)]).toEqual([filter, expected]);
      const reversed = await findIds(database, { ...filter, order: "desc" });
      expect([filter, reversed]).toEqual([filter, expected.toReversed()]);
    }
  }, 60_000);

  test("states how far a search has come, even if no row matches", async () => {
    const database = await open();
    const rows = createRows();
    await insertRequests(database, rows);
    const filter = { ...EVER, provider: "nobody", order: "desc" } as const;
    const scanned = await Array.fromAsync(scanRequests(database, filter));
    expect(scanned).toEqual([
      { rows: [], lastId: rows.at(-5_000)?.id },
      { rows: [], lastId: rows.at(-10_000)?.id },
    ]);
    const rest = scanRequests(database, { ...filter, provider: "Azure", after: rows.at(-10_000)?.id });
    expect(idsOf((await Array.fromAsync(rest)).flatMap((page) => page.rows))).toEqual(
      idsOf(rows.slice(0, 1_000).filter(({ provider }) => provider === "Azure")).toReversed(),
    );
  }, 60_000);

  test("searches the row id and the generation id in all periods, and otherwise the request id in the period", async () => {
    const database = await open();
    const rows = Array.from({ length: 30 }, (_, index) =>
      createSettledRow(index, {
        request_id: index % 10 === 0 ? "'; drop table requests; --" : `req-${index}`,
      }),
    );
    await insertRequests(database, rows);
    const ids = idsOf(rows);
    const recent = { from: NOVEMBER + 15, to: NOVEMBER + 100 };
    expect(await findIds(database, { ...recent, search: ids[3] })).toEqual([ids[3]]);
    expect(await findIds(database, { ...recent, search: `gen-${ids[4]}` })).toEqual([ids[4]]);
    expect(await findIds(database, { ...recent, search: `gen-${ids[4]}`, keyId: "key_b" })).toEqual([]);
    expect(await findIds(database, { search: "req-5" })).toEqual([ids[5]]);
    expect(await findIds(database, { ...recent, search: "req-5" })).toEqual([]);
    expect(await findIds(database, { search: "'; drop table requests; --", order: "desc" })).toEqual([
      ids[20],
      ids[10],
      ids[0],
    ]);
    expect(await findIds(database, { search: "req-" })).toEqual([]);
  });
}
