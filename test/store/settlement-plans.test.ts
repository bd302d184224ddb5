import { expect, test } from "vitest";
import { adoptOrphans } from "../../src/store/instances.ts";
import { claimDue } from "../../src/store/settlements.ts";
import { openTestDatabase } from "../support/store.ts";
import { plansOf } from "./plans.ts";

test("what is not finished is found without a look at the rest of the ledger, every few seconds as it is", async () => {
  const database = await openTestDatabase();
  const plans = await plansOf(database, async (watched) => {
    await claimDue(watched, 1_000, 10);
    await adoptOrphans(watched, 1_000, { lastSeenBefore: 0, startedBefore: 0 });
  });
  const looks = plans.filter((step) => /\brequests\b/.test(step));
  expect(looks.filter((step) => step.includes("requests_unfinished")).length).toBeGreaterThanOrEqual(3);
  expect(looks.filter((step) => step.startsWith("SCAN") && !step.includes("requests_unfinished"))).toEqual(
    [],
  );
});
