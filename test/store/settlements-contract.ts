import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { adoptOrphans, beat, leave } from "../../src/store/instances.ts";
import type { RequestRow } from "../../src/store/request-row.ts";
import { writeRequests } from "../../src/store/request-writes.ts";
import { claimDue, postpone, settle, type Settlement } from "../../src/store/settlements.ts";
import { requestRow, STARTED_AT } from "./request-rows.ts";

const NOW = STARTED_AT + 1_000;

const pending = (id: string, settle_at = NOW): RequestRow =>
  requestRow(id, { state: "pending", generation_id: `gen-${id}`, settle_at });

const SETTLEMENT: Settlement = {
  state: "settled",
  cost_nanodollars: 7,
  cost_source: "generation",
  prompt_tokens: 1,
  completion_tokens: 2,
  cached_tokens: 0,
  cache_write_tokens: 0,
  reasoning_tokens: 0,
  is_byok: 0,
  upstream_inference_nanodollars: 5,
  provider: "Some",
  model_answered: "a/b",
};

async function totals({ kysely }: Database): Promise<{ requests: number; unknown: number; cost: number }> {
  const rows = await kysely.selectFrom("rollups").selectAll().execute();
  const sum = (one: "requests" | "unknown_requests" | "cost_nanodollars") =>
    rows.reduce((total, row) => total + row[one], 0);
  return { requests: sum("requests"), unknown: sum("unknown_requests"), cost: sum("cost_nanodollars") };
}

/** How rows without their bill are settled, whatever database they are in. @param open gives an empty database. */
export function settlementsContract(open: () => Promise<Database>): void {
  test("of ten that claim at the same time each gets rows of its own, and together they get all that are due", async () => {
    const database = await open();
    const ids = Array.from({ length: 60 }, (_, index) => String(index));
    await writeRequests(database, [
      ...ids.map((id) => pending(id)),
      pending("later", NOW + 1),
      requestRow("open"),
    ]);
    const claimed: string[] = [];
    for (let round = 0; round < 10; round++) {
      const found = await Promise.all(Array.from({ length: 10 }, () => claimDue(database, NOW, 4)));
      claimed.push(...found.flat().map(({ id }) => id));
      expect(found.flat().every(({ settle_attempts }) => settle_attempts === 1)).toBe(true);
      expect(Math.max(...found.map((rows) => rows.length))).toBeLessThanOrEqual(4);
    }
    expect(claimed.toSorted()).toEqual(ids.toSorted());
  });

  test("a claim that is not used ends by itself, and one that is put back is due when it says", async () => {
    const database = await open();
    await writeRequests(database, [pending("1")]);
    expect(await claimDue(database, NOW, 10)).toHaveLength(1);
    expect(await claimDue(database, NOW + 14_999, 10)).toEqual([]);
    expect(await claimDue(database, NOW + 15_000, 10)).toMatchObject([{ settle_attempts: 2 }]);
    await postpone(database, "1", NOW + 5);
    expect(await claimDue(database, NOW + 4, 10)).toEqual([]);
    expect(await claimDue(database, NOW + 5, 10)).toMatchObject([{ settle_attempts: 3 }]);
  });

  test("a row that ten settle at the same time is counted once", async () => {
    const database = await open();
    await writeRequests(database, [pending("1"), requestRow("2"), requestRow("3", { state: "unknown" })]);
    for (const id of ["1", "2", "3", "none"])
      await Promise.all(Array.from({ length: 10 }, () => settle(database, id, SETTLEMENT)));
    expect(await totals(database)).toEqual({ requests: 2, unknown: 1, cost: 7 });
    const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
    expect(rows.map(({ state }) => state)).toEqual(["settled", "open", "unknown"]);
    expect(rows[0]).toMatchObject({ ...SETTLEMENT, settle_at: null });
    await postpone(database, "1", NOW);
    expect(await claimDue(database, NOW, 10)).toEqual([]);
  });

  test("nothing is taken over from a process that lives", async () => {
    const database = await open();
    await beat(database, "me", NOW);
    await writeRequests(database, [requestRow("1"), requestRow("2", { generation_id: "gen-2" })]);
    expect(await adoptOrphans(database, NOW, { lastSeenBefore: NOW, startedBefore: NOW })).toEqual([]);
    const rows = await database.kysely.selectFrom("requests").selectAll().execute();
    expect(rows.map(({ state }) => state)).toEqual(["open", "open"]);
  });

  test("of a dead process, what has a generation is to be settled, what has none is given up when it is old", async () => {
    const database = await open();
    await beat(database, "me", NOW - 100);
    await writeRequests(database, [
      requestRow("generation", { generation_id: "gen-1" }),
      requestRow("old"),
      requestRow("young", { started_at: NOW }),
      requestRow("left", { instance: "gone" }),
      requestRow("done", { state: "settled", cost_nanodollars: 3, generation_id: "gen-5" }),
    ]);
    const deadlines = { lastSeenBefore: NOW, startedBefore: NOW };
    const lost = await Promise.all(Array.from({ length: 5 }, () => adoptOrphans(database, NOW, deadlines)));
    expect(
      lost
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(["left", "old"]);
    const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
    expect(rows.map(({ id, state, outcome }) => [id, state, outcome])).toEqual([
      ["done", "settled", null],
      ["generation", "pending", "interrupted"],
      ["left", "unknown", "interrupted"],
      ["old", "unknown", "interrupted"],
      ["young", "open", null],
    ]);
    expect(await totals(database)).toEqual({ requests: 3, unknown: 2, cost: 3 });
    expect(await claimDue(database, NOW, 10)).toMatchObject([{ id: "generation" }]);
  });

  test("a process that left in order is not on the list of those that live, and one that beats again is", async () => {
    const database = await open();
    const alive = () => database.kysely.selectFrom("instances").select(["id", "seen_at"]).execute();
    await beat(database, "me", NOW);
    await beat(database, "me", NOW + 5);
    expect(await alive()).toEqual([{ id: "me", seen_at: NOW + 5 }]);
    await leave(database, "me");
    await leave(database, "me");
    expect(await alive()).toEqual([]);
  });
}
