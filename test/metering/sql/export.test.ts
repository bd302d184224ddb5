import type { KyselyPlugin } from "kysely";
import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { type RequestFilter, readRequestPages } from "../../../src/metering/sql/export.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { readOnMainThread, explainStatements } from "../../support/query-plans.ts";
import { testRequestPages } from "./export-contract.ts";
import { insertRequests, NOVEMBER, createSettledRow } from "../../support/ledger-rows.ts";

testRequestPages(openTestDatabase);

test("yields to the event loop between pages even if no row matches", async () => {
  const database = await openTestDatabase();
  await insertRequests(
    database,
    Array.from({ length: 5_000 }, (_, index) => createSettledRow(index)),
  );
  let turns = 0;
  const count = (): void => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const pages = await Array.fromAsync(
    readRequestPages(database, { from: 0, to: NOVEMBER * 2, keyId: "nobody" }),
  );
  clearImmediate(next);
  expect(pages).toEqual([]);
  expect(turns).toBeGreaterThanOrEqual(4);
});

const FILTERS: readonly Partial<RequestFilter>[] = [undefined, "key_b", "nobody"].flatMap((keyId) =>
  ([undefined, "open", "pending", "unknown", "settled"] as const).flatMap((state) =>
    [undefined, "session"].flatMap((session) =>
      (["asc", "desc"] as const).map((order) => ({ keyId, session, state, order })),
    ),
  ),
);

test("reads each page from one range of one index, with any filter", async () => {
  const database = await openTestDatabase();
  const indexOf = ({ keyId, session, state }: Partial<RequestFilter>): string => {
    if (session !== undefined) return "requests_by_session (session=? AND id>? AND id<?)";
    if (state !== undefined && state !== "settled") return "requests_unsettled (state=? AND id>? AND id<?)";
    return keyId === undefined
      ? "sqlite_autoindex_requests_1 (id>? AND id<?)"
      : "requests_by_key (key_id=? AND id>? AND id<?)";
  };
  // explainStatements sees only the first use of a prepared statement. The omitted filters reuse statements of others.
  const filters = FILTERS.filter(
    ({ keyId, session, state }) =>
      keyId !== "nobody" &&
      state !== "open" &&
      state !== "pending" &&
      (session === undefined || state !== "unknown"),
  );
  for (const filter of filters) {
    const plans = await explainStatements(database, (watched) =>
      Array.fromAsync(readRequestPages(watched, { from: 0, to: 1, ...filter })),
    );
    const steps = plans.filter((step) => step.includes("requests"));
    expect([filter, steps]).toEqual([filter, [`SEARCH requests USING INDEX ${indexOf(filter)}`]]);
  }
});

/** Makes SQLite count the ledger rows that each statement visits. */
function countVisits(database: Database): { counted: Database; visits: readonly number[] } {
  const visits: number[] = [];
  database.sqlite?.function("visit", (_id) => {
    visits.push((visits.pop() ?? 0) + 1);
    return 1;
  });
  database.sqlite?.exec(
    "alter table requests rename to ledger; create view requests as select * from ledger where visit(id)",
  );
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      visits.push(0);
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const kysely = database.kysely.withPlugin(counting);
  return { counted: readOnMainThread({ ...database, kysely }), visits };
}

test("each statement visits at most one page of rows, even if few rows match", async () => {
  const database = await openTestDatabase();
  const rows = Array.from({ length: 3_000 }, (_, index) =>
    createSettledRow(index, {
      key_id: index % 1_000 === 5 ? "key_b" : "key_a",
      state: index % 3 === 0 ? "unknown" : "settled",
      session: index % 7 === 5 ? "session" : null,
    }),
  );
  await insertRequests(database, rows);
  const { counted, visits } = countVisits(database);
  for (const filter of FILTERS) {
    const seen = visits.length;
    const pages = await Array.fromAsync(readRequestPages(counted, { from: 0, to: NOVEMBER * 2, ...filter }));
    const { keyId, session, state } = filter;
    const matching = rows.filter(
      (row) =>
        row.key_id === (keyId ?? row.key_id) &&
        row.session === (session ?? row.session) &&
        row.state === (state ?? row.state),
    );
    expect([filter, pages.flat().length]).toEqual([filter, matching.length]);
    const most = Math.max(...visits.slice(seen));
    expect([filter, most > 200 ? most : "at most 200"]).toEqual([filter, "at most 200"]);
  }
  expect(Math.max(...visits)).toBe(200);
});

test("reads only rows of the session that a request asks for", async () => {
  const database = await openTestDatabase();
  const rows = Array.from({ length: 1_000 }, (_, index) =>
    createSettledRow(index, { session: index % 100 === 5 ? "mine" : index % 2 === 0 ? "other" : null }),
  );
  await insertRequests(database, rows);
  const { counted, visits } = countVisits(database);
  const filter = { from: 0, to: NOVEMBER * 2, session: "mine" };
  expect((await Array.fromAsync(readRequestPages(counted, filter))).flat()).toHaveLength(10);
  expect(visits).toEqual([10]);
});
