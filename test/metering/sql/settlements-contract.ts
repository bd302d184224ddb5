import { expect, test } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { DAY_MS } from "../../../src/durations.ts";
import { adoptOrphans, heartbeat, deregister } from "../../../src/metering/sql/instances.ts";
import {
  FINAL_STATES,
  mapTokenCounts,
  type RequestRow,
  STATES,
  TRANSITIONS,
} from "../../../src/metering/record.ts";
import { writeRequests } from "../../../src/metering/sql/upsert.ts";
import {
  claimDue,
  postponeLookup,
  makeMisdatedDue,
  settleRow,
  type Settlement,
} from "../../../src/metering/sql/settlements.ts";
import { createRequestRow } from "../../support/request-row.ts";

const LATER_MS = 60_000;

const pending = (id: string, settle_at = Date.now() - 1_000): RequestRow =>
  createRequestRow(id, { state: "pending", generation_id: `gen-${id}`, settle_at });

const readRow = ({ kysely }: Database, id: string): Promise<RequestRow> =>
  kysely.selectFrom("requests").selectAll().where("id", "=", id).executeTakeFirstOrThrow();

/** Makes every row due. */
const makeAllDue = ({ kysely }: Database): Promise<unknown> =>
  kysely.updateTable("requests").set({ settle_at: 0 }).where("state", "=", "pending").execute();

/** Returns the milliseconds until a row is due. */
const dueInMs = async (database: Database, id: string): Promise<number> =>
  ((await readRow(database, id)).settle_at ?? 0) - Date.now();

const SETTLEMENT: Settlement = {
  state: "settled",
  cost_nanodollars: 7,
  cost_source: "generation",
  ...mapTokenCounts(() => 1),
  is_byok: 0,
  upstream_inference_nanodollars: 5,
  provider: "Some",
  response_model: "a/b",
};

async function totals({ kysely }: Database): Promise<{ requests: number; unknown: number; cost: number }> {
  const rows = await kysely.selectFrom("rollups").selectAll().execute();
  const sum = (one: "requests" | "unknown_requests" | "cost_nanodollars") =>
    rows.reduce((total, row) => total + row[one], 0);
  return { requests: sum("requests"), unknown: sum("unknown_requests"), cost: sum("cost_nanodollars") };
}

/** Returns every transition by which a write or a settlement replaces a row, as `from>to`. */
async function findReplacements(database: Database): Promise<string[]> {
  const found = new Set<string>();
  const generations = [null, "gen-1"];
  const outcomes = ["interrupted", "client_gone"] as const;
  const versions = generations.flatMap((generation_id) =>
    outcomes.flatMap((outcome) => STATES.map((state) => ({ state, generation_id, outcome }))),
  );
  let count = 0;
  for (const before of versions)
    for (const after of versions) {
      const id = String(count++);
      await writeRequests(database, [createRequestRow(id, before)]);
      const written = await writeRequests(database, [createRequestRow(id, after)]);
      if (written.length > 0) found.add(`${before.state}>${after.state}`);
    }
  for (const before of versions)
    for (const state of FINAL_STATES) {
      const id = String(count++);
      await writeRequests(database, [createRequestRow(id, before)]);
      if (await settleRow(database, id, { ...SETTLEMENT, state })) found.add(`${before.state}>${state}`);
    }
  return [...found].toSorted();
}

/** Tests of settling rows without a cost, for every database. @param open returns an empty database. */
export function settlementsContract(open: () => Promise<Database>): void {
  test("allows exactly the defined state transitions", async () => {
    const allowed = STATES.flatMap((from) => TRANSITIONS[from].map((to) => `${from}>${to}`));
    expect(await findReplacements(await open())).toEqual(allowed.toSorted());
  }, 60_000);

  test("ten concurrent claims get disjoint rows, and together get all due rows", async () => {
    const database = await open();
    const ids = Array.from({ length: 60 }, (_, index) => String(index));
    await writeRequests(database, [
      ...ids.map((id) => pending(id)),
      pending("later", Date.now() + LATER_MS),
      createRequestRow("open"),
    ]);
    const claimed: string[] = [];
    for (let round = 0; round < 10; round++) {
      const found = await Promise.all(Array.from({ length: 10 }, () => claimDue(database, 4)));
      claimed.push(...found.flat().map(({ id }) => id));
      expect(Math.max(...found.map((rows) => rows.length))).toBeLessThanOrEqual(4);
    }
    expect(claimed.toSorted()).toEqual(ids.toSorted());
  });

  test("an unused claim expires, and a postponed row is due at its new time", async () => {
    const database = await open();
    await writeRequests(database, [pending("1")]);
    expect(await claimDue(database, 10)).toHaveLength(1);
    const claimMs = await dueInMs(database, "1");
    expect(claimMs).toBeGreaterThan(13_000);
    expect(claimMs).toBeLessThanOrEqual(16_000);
    expect(await claimDue(database, 10)).toEqual([]);
    await postponeLookup(database, "1", { waitMs: LATER_MS, countsAsAttempt: false });
    expect(await claimDue(database, 10)).toEqual([]);
    expect(Math.abs((await dueInMs(database, "1")) - LATER_MS)).toBeLessThan(2_000);
    await postponeLookup(database, "1", { waitMs: 0, countsAsAttempt: false });
    expect(await claimDue(database, 10)).toHaveLength(1);
  });

  test("counts an attempt only when OpenRouter responded", async () => {
    const database = await open();
    await writeRequests(database, [pending("1")]);
    for (const countsAsAttempt of [true, false, false, true]) {
      await makeAllDue(database);
      await claimDue(database, 10);
      await postponeLookup(database, "1", { waitMs: 0, countsAsAttempt });
    }
    expect((await readRow(database, "1")).settle_attempts).toBe(2);
  });

  test("makes only those rows due at once whose time comes from a clock that was far ahead", async () => {
    const database = await open();
    await writeRequests(database, [
      pending("misdated", Date.now() + 400 * DAY_MS),
      pending("usual", Date.now() + LATER_MS),
      createRequestRow("settled", { state: "settled", settle_at: Date.now() + 400 * DAY_MS }),
    ]);
    await makeMisdatedDue(database, 2 * LATER_MS);
    expect((await claimDue(database, 10)).map(({ id }) => id)).toEqual(["misdated"]);
  });

  test("counts a row once when ten settlements of it run at the same time", async () => {
    const database = await open();
    await writeRequests(database, [
      pending("1"),
      createRequestRow("2"),
      createRequestRow("3", { state: "settled" }),
    ]);
    for (const id of ["1", "2", "3", "none"])
      await Promise.all(Array.from({ length: 10 }, () => settleRow(database, id, SETTLEMENT)));
    expect(await totals(database)).toEqual({ requests: 2, unknown: 0, cost: 7 });
    const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
    expect(rows.map(({ state }) => state)).toEqual(["settled", "open", "settled"]);
    expect(rows[0]).toMatchObject({ ...SETTLEMENT, settle_at: null });
    await postponeLookup(database, "1", { waitMs: 0, countsAsAttempt: true });
    expect(await claimDue(database, 10)).toEqual([]);
  });

  test("a late cost corrects an unknown row and its sums once, and a settled row never becomes unknown", async () => {
    const database = await open();
    await writeRequests(database, [pending("1"), pending("2")]);
    const unknown = {
      ...SETTLEMENT,
      state: "unknown",
      cost_source: "unknown",
      cost_nanodollars: null,
    } as const;
    expect(await settleRow(database, "1", { ...unknown, provider: null })).toMatchObject({
      state: "unknown",
    });
    expect(await totals(database)).toEqual({ requests: 1, unknown: 1, cost: 0 });
    const settled = await Promise.all(Array.from({ length: 10 }, () => settleRow(database, "1", SETTLEMENT)));
    expect(settled.filter((row) => row !== undefined)).toMatchObject([
      { state: "settled", cost_nanodollars: 7 },
    ]);
    expect(await totals(database)).toEqual({ requests: 1, unknown: 0, cost: 7 });
    expect(await settleRow(database, "1", unknown)).toBeUndefined();
    const groups = await database.kysely.selectFrom("rollups").select(["provider", "requests"]).execute();
    expect(groups).toEqual([{ provider: "Some", requests: 1 }]);
  });

  test("takes over no row of a live instance", async () => {
    const database = await open();
    await heartbeat(database, "me");
    await writeRequests(database, [createRequestRow("1"), createRequestRow("2", { generation_id: "gen-2" })]);
    expect(await adoptOrphans(database, { deadAfterMs: LATER_MS, lostAfterMs: LATER_MS })).toEqual([]);
    const rows = await database.kysely.selectFrom("requests").selectAll().execute();
    expect(rows.map(({ state }) => state)).toEqual(["open", "open"]);
  });

  test("makes rows of dead instances pending if they have a generation id, and old rows without one unknown", async () => {
    const database = await open();
    const started_at = Date.now() - 3 * LATER_MS;
    const seen_at = Date.now() - 2 * LATER_MS;
    for (const [id, ms] of [["me", seen_at] as const, ["quiet", Date.now() - LATER_MS] as const])
      await database.kysely.insertInto("instances").values({ id, started_at, seen_at: ms }).execute();
    await writeRequests(database, [
      createRequestRow("generation", { generation_id: "gen-1", started_at }),
      createRequestRow("old", { started_at }),
      createRequestRow("young", { instance: "gone", started_at: Date.now() }),
      createRequestRow("quiet", { instance: "quiet", started_at }),
      createRequestRow("left", { instance: "gone", started_at }),
      createRequestRow("future", { instance: "gone", started_at: Date.now() + 400 * DAY_MS }),
      createRequestRow("done", { state: "settled", cost_nanodollars: 3, generation_id: "gen-5" }),
    ]);
    const silence = { deadAfterMs: LATER_MS / 2, lostAfterMs: 1.5 * LATER_MS };
    const unknownRows = await Promise.all(Array.from({ length: 5 }, () => adoptOrphans(database, silence)));
    expect(
      unknownRows
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(["future", "left", "old"]);
    const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
    expect(rows.map(({ id, state, outcome }) => [id, state, outcome])).toEqual([
      ["done", "settled", null],
      ["future", "unknown", "interrupted"],
      ["generation", "pending", "interrupted"],
      ["left", "unknown", "interrupted"],
      ["old", "unknown", "interrupted"],
      ["quiet", "open", null],
      ["young", "open", null],
    ]);
    expect(await totals(database)).toEqual({ requests: 4, unknown: 3, cost: 3 });
    expect(await claimDue(database, 10)).toMatchObject([{ id: "generation" }]);
    const listed = await database.kysely.selectFrom("instances").select("id").execute();
    expect(listed).toEqual([{ id: "quiet" }]);
  });

  test("updates the time of an instance at each heartbeat, and removes the instance when it deregisters", async () => {
    const database = await open();
    const readInstances = () => database.kysely.selectFrom("instances").select(["id", "seen_at"]).execute();
    await heartbeat(database, "me");
    const seen_at = await heartbeat(database, "me");
    expect(Math.abs(seen_at - Date.now())).toBeLessThan(2_000);
    expect(await readInstances()).toEqual([{ id: "me", seen_at }]);
    await deregister(database, "me");
    await deregister(database, "me");
    expect(await readInstances()).toEqual([]);
  });
}
