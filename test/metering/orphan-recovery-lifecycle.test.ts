import { readdirSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { ENTRY, type JournalEntry } from "../../src/metering/journal/format.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { writeDeadJournal } from "../support/journal.ts";
import { createRequestRow } from "../support/request-row.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { HOUR_MS } from "../../src/durations.ts";
import { startOrphanRecovery, readStates } from "../support/orphan-recovery.ts";

/** A heartbeat is due every 10 s. */
const HEARTBEAT_DEADLINE_MS = 25_000;

test("the table of instances lists an instance until it stops or until an hour after its last heartbeat", async () => {
  const { database, orphanRecovery, clock } = await startOrphanRecovery();
  const listed = () => database.kysely.selectFrom("instances").select("id").orderBy("id").execute();
  for (const [id, agoMs] of [["dead", 2 * HOUR_MS] as const, ["quiet", HOUR_MS / 2] as const]) {
    const at = Date.now() - agoMs;
    await database.kysely.insertInto("instances").values({ id, started_at: at, seen_at: at }).execute();
  }
  await waitUntil(async () => (await listed()).length === 3, "the first heartbeat");
  clock.now += 60_000;
  await orphanRecovery.runOnce();
  expect(await listed()).toEqual([{ id: "me" }, { id: "quiet" }]);
  await orphanRecovery.stop();
  expect(await listed()).toEqual([{ id: "quiet" }]);
});

test("an instance takes over rows of other instances only after a minute of heartbeats without a failure", async () => {
  const real = await openTestDatabase();
  const state = { down: false };
  const kysely = new Proxy(real.kysely, {
    get: (target, name) => {
      if (state.down && name === "insertInto") throw new Error("down");
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { orphanRecovery, clock, failures } = await startOrphanRecovery({ database: { ...real, kysely } });
  await writeRequests(real, [createRequestRow("orphan", { instance: "gone", generation_id: "gen-1" })]);
  const stateAfter = async (ms: number): Promise<string[]> => {
    clock.now += ms;
    await orphanRecovery.runOnce();
    return readStates(real);
  };
  const readHeartbeat = async (): Promise<unknown> =>
    real.kysely.selectFrom("instances").selectAll().executeTakeFirst();
  await waitUntil(readHeartbeat, "the first heartbeat");
  expect(await stateAfter(59_999)).toEqual(["orphan open"]);
  state.down = true;
  await waitUntil(() => failures.length > 0, "a failed heartbeat", HEARTBEAT_DEADLINE_MS);
  expect(await stateAfter(60_000)).toEqual(["orphan open"]);
  state.down = false;
  const { seen_at } = (await readHeartbeat()) as { seen_at: number };
  await waitUntil(
    async () => ((await readHeartbeat()) as { seen_at: number }).seen_at > seen_at,
    "another heartbeat",
    HEARTBEAT_DEADLINE_MS,
  );
  expect(await stateAfter(59_999)).toEqual(["orphan open"]);
  expect(await stateAfter(1)).toEqual(["orphan pending"]);
}, 60_000);

test("an instance that stops while it recovers a journal leaves the rest of the journal to other instances", async () => {
  const directory = createTemporaryDirectory();
  const rows = Array.from({ length: 1_000 }, (_, id): JournalEntry => [
    ENTRY.row,
    createRequestRow(`${id}`, { state: "settled" }),
  ]);
  writeDeadJournal(directory, "dead.1.jsonl", ...rows);
  let stopped: Promise<void> | undefined;
  const written: number[] = [];
  const { orphanRecovery, failures } = await startOrphanRecovery({
    directory,
    write: (some) => {
      written.push(some.length);
      stopped ??= orphanRecovery.stop();
      return Promise.resolve(some);
    },
  });
  await waitUntil(() => written.length > 0, "the first write");
  await stopped;
  expect([written, failures, readdirSync(directory)]).toEqual([[500], [], ["dead.1.jsonl", "dead.lock"]]);
});

test("keeps an instance listed and its rows open for an hour after its last heartbeat, however short SETTLE_GIVE_UP_MS is", async () => {
  const { database, orphanRecovery, clock, unknown } = await startOrphanRecovery({ lostAfterMs: 1 });
  const seen_at = Date.now();
  const alive = { id: "alive", started_at: seen_at, seen_at };
  await database.kysely.insertInto("instances").values(alive).execute();
  const started_at = Date.now() - HOUR_MS / 2;
  await writeRequests(database, [
    createRequestRow("alive", { instance: "alive", started_at }),
    createRequestRow("dead", { instance: "dead", started_at }),
  ]);
  const listed = () => database.kysely.selectFrom("instances").select("id").orderBy("id").execute();
  await waitUntil(async () => (await listed()).length === 2, "the first heartbeat");
  for (let round = 0; round < 2; round++) {
    clock.now += 60_000;
    await orphanRecovery.runOnce();
  }
  expect(await listed()).toEqual([{ id: "alive" }, { id: "me" }]);
  expect([unknown, await readStates(database)]).toEqual([[], ["alive open", "dead open"]]);
});

const readSeenAt = async ({ kysely }: Database): Promise<number> =>
  (await kysely.selectFrom("instances").select("seen_at").where("id", "=", "me").executeTakeFirst())
    ?.seen_at ?? 0;

test("an instance gives the others a minute for a heartbeat after a clock jump, before it takes over their rows", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
  const { database, orphanRecovery, clock } = await startOrphanRecovery();
  const { kysely } = database;
  await waitUntil(() => readSeenAt(database), "the first heartbeat");
  const seen_at = Date.now();
  await kysely.insertInto("instances").values({ id: "alive", started_at: seen_at, seen_at }).execute();
  await writeRequests(database, [
    createRequestRow("1", { instance: "alive", generation_id: "gen-1", started_at: seen_at }),
    createRequestRow("2", { instance: "alive", started_at: seen_at }),
  ]);
  clock.now += 3_600_000;
  vi.setSystemTime(seen_at + 25 * HOUR_MS);
  await waitUntil(
    async () => (await readSeenAt(database)) > seen_at + HOUR_MS,
    "a heartbeat after the jump",
    HEARTBEAT_DEADLINE_MS,
  );
  await orphanRecovery.runOnce();
  clock.now += 59_999;
  await orphanRecovery.runOnce();
  expect(await readStates(database)).toEqual(["1 open", "2 open"]);
  await kysely.updateTable("instances").set({ seen_at: Date.now() }).where("id", "=", "alive").execute();
  clock.now += 1;
  await orphanRecovery.runOnce();
  expect(await readStates(database)).toEqual(["1 open", "2 open"]);
}, 60_000);
