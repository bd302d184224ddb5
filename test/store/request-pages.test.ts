import { expect, test } from "vitest";
import { requestPages } from "../../src/store/request-pages.ts";
import { openTestDatabase } from "../support/store.ts";
import { plansOf } from "./plans.ts";
import { testRequestPages } from "./request-pages-contract.ts";
import { addRequests, NOVEMBER, settledRow } from "./rows.ts";

testRequestPages(openTestDatabase);

test("between two pages everything else gets its turn, also when no row matches", async () => {
  const database = await openTestDatabase();
  await addRequests(
    database,
    Array.from({ length: 5_000 }, (_, index) => settledRow(index)),
  );
  let turns = 0;
  const count = (): void => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const pages = await Array.fromAsync(requestPages(database, { from: 0, to: NOVEMBER * 2, keyId: "nobody" }));
  clearImmediate(next);
  expect(pages).toEqual([]);
  expect(turns).toBeGreaterThanOrEqual(4);
});

test("a page is found by its place in the ledger, whatever it is filtered by", async () => {
  const database = await openTestDatabase();
  const plans = await plansOf(database, () =>
    Array.fromAsync(requestPages(database, { from: 0, to: 1, keyId: "key_a", state: "settled" })),
  );
  expect(plans).toEqual([
    "SEARCH requests USING COVERING INDEX sqlite_autoindex_requests_1 (id>? AND id<?)",
    "SEARCH requests USING INDEX sqlite_autoindex_requests_1 (id>? AND id<?)",
  ]);
});
