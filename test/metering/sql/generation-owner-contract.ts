import { expect, test } from "vitest";
import { hasGeneration } from "../../../src/metering/sql/generation-owner.ts";
import { createSettledRow, insertRequests, type OpenDatabase } from "../../support/ledger-rows.ts";

/** Tests of the look-up of a generation, for every database. */
export function generationOwnerContract(open: OpenDatabase): void {
  test("finds a generation only for the key that made it", async () => {
    const database = await open();
    await insertRequests(database, [
      createSettledRow(1, { key_id: "key_a", generation_id: "gen-1" }),
      createSettledRow(2, { key_id: "key_b", generation_id: "gen-2" }),
      createSettledRow(3, { key_id: "key_a", generation_id: null }),
      createSettledRow(4, { key_id: "key_a", generation_id: "gen-4", state: "pending" }),
    ]);
    const has = (keyId: string, generationId: string) => hasGeneration(database, { keyId, generationId });
    expect(await has("key_a", "gen-1")).toBe(true);
    expect(await has("key_b", "gen-2")).toBe(true);
    expect(await has("key_a", "gen-4")).toBe(true);
    for (const [keyId, id] of [
      ["key_a", "gen-2"],
      ["key_b", "gen-1"],
      ["key_c", "gen-1"],
      ["key_a", "gen"],
      ["key_a", "GEN-1"],
      ["key_a", ""],
    ] as const)
      expect([keyId, id, await has(keyId, id)]).toEqual([keyId, id, false]);
  });
}
