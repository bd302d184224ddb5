import { expect, onTestFinished, test, vi } from "vitest";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { DAY_MS, HOUR_MS } from "../../src/durations.ts";
import {
  makeAllDue,
  createPendingRow,
  GENERATION_RECORD,
  readRow,
  startReconciler,
} from "../support/cost-reconciler.ts";

test("doubles the interval between lookups of a missing record from one second up to five minutes", async () => {
  const { database, reconciler, unknown } = await startReconciler(() => Promise.resolve(undefined));
  await writeRequests(database, [createPendingRow("1")]);
  const waits: number[] = [];
  for (let round = 0; round < 12; round++) {
    await makeAllDue(database);
    const before = Date.now();
    await reconciler.reconcileDue();
    waits.push(Math.round(((await readRow(database, "1")).settle_at ?? 0) - before) / 1_000);
  }
  expect(waits.map(Math.round)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  expect([(await readRow(database, "1")).settle_attempts, unknown]).toEqual([12, []]);
});

test("gives up after SETTLE_GIVE_UP_MS on a record that OpenRouter never has, and counts the request as unknown", async () => {
  const lookups: string[] = [];
  const { database, reconciler, unknown } = await startReconciler(
    (id) => {
      lookups.push(id);
      return Promise.resolve(undefined);
    },
    { giveUpMs: HOUR_MS },
  );
  const waits = [1, 2, 4, 8, 16, 32, 64, 128, 256].map((seconds) => seconds * 1_000);
  const lookupCount =
    1 + waits.length + Math.ceil((HOUR_MS - waits.reduce((sum, ms) => sum + ms, 0)) / 300_000);
  await writeRequests(database, [
    createPendingRow("1", { ended_at: Date.now() - 30 * DAY_MS, prompt_tokens: 5 }),
  ]);
  for (let round = 1; round < lookupCount; round++) {
    await makeAllDue(database);
    await reconciler.reconcileDue();
    expect((await readRow(database, "1")).state).toBe("pending");
  }
  await makeAllDue(database);
  await reconciler.reconcileDue();
  expect([lookups.length, unknown]).toEqual([lookupCount, ["1"]]);
  expect(await readRow(database, "1")).toMatchObject({
    state: "unknown",
    cost_source: "unknown",
    cost_nanodollars: null,
    prompt_tokens: 5,
    settle_at: null,
  });
  const rollups = await database.kysely.selectFrom("rollups").selectAll().execute();
  expect(rollups).toMatchObject([
    { requests: 1, unknown_requests: 1, cost_nanodollars: 0, prompt_tokens: 5 },
  ]);
});

test("makes at least eight lookups before it gives up, however short SETTLE_GIVE_UP_MS is", async () => {
  const { database, reconciler, unknown } = await startReconciler(() => Promise.resolve(undefined), {
    settleAfterMs: 1_000,
    giveUpMs: 4_000,
  });
  await writeRequests(database, [createPendingRow("1")]);
  const waits: number[] = [];
  for (let round = 1; round < 8; round++) {
    await makeAllDue(database);
    await reconciler.reconcileDue();
    waits.push(((await readRow(database, "1")).settle_at ?? 0) - Date.now());
    expect(unknown).toEqual([]);
  }
  expect(Math.max(...waits)).toBeLessThanOrEqual(500);
  for (let round = 8; unknown.length === 0 && round < 20; round++) {
    await makeAllDue(database);
    await reconciler.reconcileDue();
  }
  expect(unknown).toEqual(["1"]);
});

test("gives up on no row while the clock is 25 h ahead, and looks up postponed rows once the clock is right", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
  let record: typeof GENERATION_RECORD | undefined;
  const { database, reconciler, unknown } = await startReconciler(() => Promise.resolve(record));
  await writeRequests(database, [createPendingRow("1")]);
  const rightAt = Date.now();
  vi.setSystemTime(rightAt + 25 * HOUR_MS);
  await reconciler.reconcileDue();
  expect([(await readRow(database, "1")).state, unknown]).toEqual(["pending", []]);
  vi.setSystemTime(rightAt);
  record = GENERATION_RECORD;
  await reconciler.reconcileDue();
  expect(await readRow(database, "1")).toMatchObject({ state: "settled", cost_nanodollars: 7 });
});

test("looks up a provisional record eight times, then settles with the cost that it states", async () => {
  const provisional = {
    ...GENERATION_RECORD,
    costNanodollars: 0,
    tokens: {},
  };
  const { database, reconciler } = await startReconciler((id) =>
    Promise.resolve(id === "gen-free" ? { ...GENERATION_RECORD, costNanodollars: 0 } : provisional),
  );
  await writeRequests(database, [createPendingRow("1"), createPendingRow("free")]);
  for (let round = 1; round < 8; round++) {
    await makeAllDue(database);
    await reconciler.reconcileDue();
    expect((await readRow(database, "1")).state).toBe("pending");
  }
  expect(await readRow(database, "free")).toMatchObject({ state: "settled", cost_nanodollars: 0 });
  await makeAllDue(database);
  await reconciler.reconcileDue();
  expect(await readRow(database, "1")).toMatchObject({
    state: "settled",
    cost_source: "generation",
    cost_nanodollars: 0,
  });
});

test("settles with the final cost of a record that is provisional at first", async () => {
  let record = {
    ...GENERATION_RECORD,
    costNanodollars: 0,
    tokens: { prompt_tokens: 3 } as { prompt_tokens?: number },
  };
  const { database, reconciler } = await startReconciler(() => Promise.resolve(record));
  await writeRequests(database, [createPendingRow("1")]);
  await reconciler.reconcileDue();
  expect((await readRow(database, "1")).state).toBe("pending");
  record = { ...record, costNanodollars: 9, tokens: {} };
  await makeAllDue(database);
  await reconciler.reconcileDue();
  expect(await readRow(database, "1")).toMatchObject({ state: "settled", cost_nanodollars: 9 });
});

test("does not give up on an old row after one failed lookup, and settles it when upstream recovers", async () => {
  let down = true;
  const { database, reconciler, unknown, failures } = await startReconciler(() =>
    down ? Promise.reject(new Error("502")) : Promise.resolve(GENERATION_RECORD),
  );
  await writeRequests(database, [createPendingRow("1", { ended_at: Date.now() - 3 * DAY_MS })]);
  await reconciler.reconcileDue();
  expect([(await readRow(database, "1")).state, unknown, failures.length]).toEqual(["pending", [], 1]);
  down = false;
  await makeAllDue(database);
  await reconciler.reconcileDue();
  expect(await readRow(database, "1")).toMatchObject({ state: "settled", cost_nanodollars: 7 });
});

test("never gives up on a row because of failed lookups", async () => {
  const { database, reconciler, unknown } = await startReconciler(
    () => Promise.reject(new Error("invalid response")),
    {
      giveUpMs: 1,
      now: (
        (now) => () =>
          (now += 1_000_000)
      )(0),
    },
  );
  await writeRequests(database, [createPendingRow("1", { ended_at: Date.now() - 3 * DAY_MS })]);
  for (let round = 0; round < 50; round++) {
    await makeAllDue(database);
    await reconciler.reconcileDue();
  }
  expect(await readRow(database, "1")).toMatchObject({ state: "pending", settle_attempts: 0 });
  expect(unknown).toEqual([]);
});
