import { expect, onTestFinished, test } from "vitest";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import type { GenerationRecord } from "../../src/metering/cost-lookup.ts";
import { createGenerationFinder } from "../../src/upstream/generation.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { waitUntil } from "../support/wait.ts";
import { createPendingRow, GENERATION_RECORD, readRow, startReconciler } from "../support/cost-reconciler.ts";

async function requestCompletion(simulator: Simulator): Promise<string> {
  const response = await fetch(`${simulator.baseUrl}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${ACCOUNT_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] }),
  });
  await response.arrayBuffer();
  return response.headers.get("x-generation-id") ?? "";
}

test("two replicas settle each request once, with the cost that upstream billed", async () => {
  const simulator = await startSimulator({ generationDelayMs: 150 });
  onTestFinished(() => simulator.close());
  const timeouts = { connectTimeoutMs: 1_000, headersTimeoutMs: 1_000, idleTimeoutMs: 1_000 };
  const upstream = connectUpstream({
    baseUrl: simulator.baseUrl,
    ...timeouts,
    appUrl: undefined,
    appTitle: undefined,
  });
  onTestFinished(() => upstream.close());
  const findGeneration = createGenerationFinder(upstream, `Bearer ${ACCOUNT_KEY}`);
  const first = await startReconciler(findGeneration, { settleAfterMs: 50 });
  const { database } = first;
  const second = await startReconciler(findGeneration, { settleAfterMs: 50, database });
  const ids = await Promise.all(Array.from({ length: 100 }, () => requestCompletion(simulator)));
  await writeRequests(
    database,
    ids.map((generation_id, index) => createPendingRow(String(index), { generation_id })),
  );
  first.reconciler.start();
  second.reconciler.start();
  await waitUntil(
    async () =>
      (await database.kysely.selectFrom("requests").select("id").where("state", "=", "settled").execute())
        .length === 100,
    "all requests to be settled",
  );
  const rows = await database.kysely.selectFrom("requests").selectAll().execute();
  for (const row of rows) {
    expect(row.cost_nanodollars).toBe(simulator.findBilledNanodollars(row.generation_id ?? ""));
    expect(row).toMatchObject({ cost_source: "generation", settle_at: null });
  }
  const sums = await database.kysely
    .selectFrom("rollups")
    .select((eb) => eb.fn.sum<number>("cost_nanodollars").as("cost"))
    .select((eb) => eb.fn.sum<number>("requests").as("requests"))
    .executeTakeFirstOrThrow();
  expect(sums).toEqual({ cost: simulator.readStats().billedNanodollars, requests: 100 });
  expect([...first.failures, ...second.failures, ...first.unknown, ...second.unknown]).toEqual([]);
}, 60_000);

test("a generation record fills in missing fields and overwrites none with null", async () => {
  const { database, reconciler } = await startReconciler(() => Promise.resolve(GENERATION_RECORD));
  const known = { provider: "Known", response_model: null, cached_tokens: 4, reasoning_tokens: 5 };
  await writeRequests(database, [createPendingRow("1", known)]);
  await reconciler.reconcileDue();
  expect(await readRow(database, "1")).toMatchObject({
    provider: "Known",
    response_model: "a/b-2026",
    prompt_tokens: 1,
    cached_tokens: 4,
    reasoning_tokens: 0,
  });
});

test("settles a BYOK request with its provider's charge, and sums only the charges of BYOK requests", async () => {
  const { database, reconciler } = await startReconciler((id) =>
    Promise.resolve({ ...GENERATION_RECORD, isByok: id === "gen-1", upstreamInferenceNanodollars: 250 }),
  );
  await writeRequests(database, [
    createPendingRow("1", { cache_write_tokens: 3 }),
    createPendingRow("2", { is_byok: 1 }),
  ]);
  await reconciler.reconcileDue();
  expect(await readRow(database, "1")).toMatchObject({
    is_byok: 1,
    upstream_inference_nanodollars: 250,
    cache_write_tokens: 3,
  });
  expect(await readRow(database, "2")).toMatchObject({ is_byok: 0, upstream_inference_nanodollars: 250 });
  for (const table of ["rollups", "rollups_daily"] as const)
    expect(await database.kysely.selectFrom(table).selectAll().execute()).toMatchObject([
      { requests: 2, cost_nanodollars: 14, byok_nanodollars: 250, cache_write_tokens: 3 },
    ]);
});

test("settles the other rows of a round when one row fails", async () => {
  const { database, reconciler, failures } = await startReconciler((id) =>
    Promise.resolve(
      id === "gen-7" ? { ...GENERATION_RECORD, provider: {} as unknown as string } : GENERATION_RECORD,
    ),
  );
  await writeRequests(
    database,
    Array.from({ length: 20 }, (_, index) => createPendingRow(String(index))),
  );
  await expect(reconciler.reconcileDue()).rejects.toThrow(/bound|bind|support/i);
  const rows = await database.kysely.selectFrom("requests").select(["id", "state"]).execute();
  expect(rows.filter(({ state }) => state !== "settled")).toEqual([{ id: "7", state: "pending" }]);
  expect(failures).toEqual([]);
});

test("settles in one round more rows than one claim returns", async () => {
  const { database, reconciler } = await startReconciler(() => Promise.resolve(GENERATION_RECORD));
  await writeRequests(
    database,
    Array.from({ length: 150 }, (_, index) => createPendingRow(String(index))),
  );
  await reconciler.reconcileDue();
  const { requests } = await database.kysely
    .selectFrom("rollups")
    .select("requests")
    .executeTakeFirstOrThrow();
  expect(requests).toBe(150);
});

test("the reconciler reports a failed round, starts another, and waits for the current round before it stops", async () => {
  let lookups = 0;
  const { promise: slowLookup, resolve: endLookup } = Promise.withResolvers<GenerationRecord>();
  const { database, reconciler, failures } = await startReconciler(
    () => (++lookups === 1 ? Promise.reject(new Error("502")) : slowLookup),
    { settleAfterMs: 50 },
  );
  await writeRequests(database, [createPendingRow("1")]);
  reconciler.start();
  await waitUntil(() => lookups === 2, "the second lookup");
  let stopped = false;
  const stopping = reconciler.stop().then(() => (stopped = true));
  expect([stopped, failures.length]).toEqual([false, 1]);
  endLookup(GENERATION_RECORD);
  await stopping;
  expect((await readRow(database, "1")).state).toBe("settled");
});
