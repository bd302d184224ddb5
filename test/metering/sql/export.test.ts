import type { KyselyPlugin } from "kysely";
import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { type RequestFilter, readRequestPages, scanRequests } from "../../../src/metering/sql/export.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { readOnMainThread, explainStatements } from "../../support/query-plans.ts";
import { testRequestPages } from "./export-contract.ts";
import { testRequestSearch } from "./request-search-contract.ts";
import { insertRequests, NOVEMBER, createSettledRow } from "../../support/ledger-rows.ts";

testRequestPages(openTestDatabase);
testRequestSearch(openTestDatabase);

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
    const scan = `SEARCH requests USING INDEX ${indexOf(filter)}`;
    // A search also finds the last row to visit, for which it reads only the index.
    const boundary = steps.length > 1 ? [scan.replace("USING", "USING COVERING")] : [];
    expect([filter, steps]).toEqual([filter, [scan, ...boundary]]);
    expect([filter, plans.filter((step) => /TEMP B-TREE|SCAN requests/.test(step))]).toEqual([filter, []]);
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

test("each statement visits a bounded number of rows, even if few rows match", async () => {
  const database = await openTestDatabase();
  const rows = Array.from({ length: 12_000 }, (_, index) =>
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
    const hasIndex = [keyId, session, state].filter((value) => value !== undefined).length <= 1;
    // A search visits at most 5,000 rows, each twice: in the index and in the table.
    const bound = hasIndex && state !== "settled" ? 200 : 10_000;
    expect([filter, most > bound ? most : bound]).toEqual([filter, bound]);
    expect([filter, pages.filter(({ length }) => length > 200)]).toEqual([filter, []]);
  }
}, 60_000);

test("a search finds rare rows in few statements", async () => {
  const database = await openTestDatabase();
  const rows = Array.from({ length: 12_000 }, (_, index) =>
    createSettledRow(index, { status: index % 5_000 === 4_999 ? 429 : 200 }),
  );
  await insertRequests(database, rows);
  for (const order of ["asc", "desc"] as const) {
    const { counted, visits } = countVisits(database);
    const filter = { from: 0, to: NOVEMBER * 2, status: 429, order };
    expect((await Array.fromAsync(readRequestPages(counted, filter))).flat()).toHaveLength(2);
    expect(visits.length).toBe(3);
    database.sqlite?.exec("drop view requests; alter table ledger rename to requests");
  }
});

test("finds a row by its id and by its generation id without a scan", async () => {
  const database = await openTestDatabase();
  const plans = await explainStatements(database, (watched) =>
    scanRequests(watched, { from: 0, to: 1, search: "gen-1" }).next(),
  );
  expect(plans.filter((step) => step.includes("requests"))).toEqual([
    "SEARCH requests USING INDEX sqlite_autoindex_requests_1 (id=?)",
    "SEARCH requests USING INDEX requests_by_generation (generation_id=?)",
    // No row has this id, so that the request ids of the period are searched.
    "SEARCH requests USING INDEX sqlite_autoindex_requests_1 (id>? AND id<?)",
    "SEARCH requests USING COVERING INDEX sqlite_autoindex_requests_1 (id>? AND id<?)",
  ]);
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
