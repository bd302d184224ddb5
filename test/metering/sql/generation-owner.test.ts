import { expect, test } from "vitest";
import { hasGeneration } from "../../../src/metering/sql/generation-owner.ts";
import { explainStatements } from "../../support/query-plans.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { generationOwnerContract } from "./generation-owner-contract.ts";

generationOwnerContract(openTestDatabase);

test("finds a generation by its index, without a scan of the ledger", async () => {
  const database = await openTestDatabase();
  const steps = await explainStatements(database, (watched) =>
    hasGeneration(watched, { keyId: "key_a", generationId: "gen-1" }),
  );
  expect(steps).toEqual([expect.stringContaining("USING INDEX requests_by_generation (generation_id=?)")]);
});
