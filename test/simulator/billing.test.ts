import { expect, test } from "vitest";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import {
  sendChat,
  completeChat,
  parseEvents,
  getJson,
  sendRawChat,
  startTestSimulator,
  streamChat,
} from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

async function readData(simulator: Simulator, path: string): Promise<Record<string, unknown>> {
  const { json } = await getJson(simulator, path);
  return (json as { data: Record<string, unknown> }).data;
}

function lastSeen(simulator: Simulator) {
  const seen = simulator.seen.at(-1);
  if (seen === undefined) throw new Error("no request seen");
  return seen;
}

test("bills a complete response by its usage, to the nanodollar", async () => {
  const simulator = await startTestSimulator();
  const { id, usage } = await completeChat(simulator, {});
  const nanodollars = usage.prompt_tokens * 150 + usage.completion_tokens * 600;
  expect(simulator.findBilledNanodollars(id)).toBe(nanodollars);
  expect(Math.round(usage.cost * 1e9)).toBe(nanodollars);
  expect(simulator.readStats()).toMatchObject({
    billedNanodollars: nanodollars,
    billedByModel: { "openai/gpt-4o-mini": nanodollars },
  });
});

test("bills only the fee of a BYOK request, and states the provider's charge", async () => {
  const simulator = await startTestSimulator();
  const { id, usage } = await completeChat(simulator, { model: "sim/ok:byok=1" });
  const provider = usage.prompt_tokens * 1_000 + usage.completion_tokens * 2_000;
  const fee = Math.round(provider / 20);
  expect(usage).toMatchObject({
    cost: fee / 1e9,
    is_byok: true,
    cost_details: { upstream_inference_cost: provider / 1e9 },
  });
  expect(simulator.readStats()).toMatchObject({ billedNanodollars: fee, byokNanodollars: provider });
  expect(await readData(simulator, `/generation?id=${id}`)).toMatchObject({
    is_byok: true,
    total_cost: fee / 1e9,
    upstream_inference_cost: provider / 1e9,
  });
  expect(await readData(simulator, "/key")).toMatchObject({ usage: fee / 1e9, byok_usage: provider / 1e9 });
});

test("the free variant costs nothing", async () => {
  const simulator = await startTestSimulator();
  const { id, usage } = await completeChat(simulator, { model: "openai/gpt-4o:free" });
  expect([usage.cost, simulator.findBilledNanodollars(id)]).toEqual([0, 0]);
});

test("bills an aborted stream for its prompt and the sent tokens", async () => {
  const simulator = await startTestSimulator();
  const model = "sim/stall:after=2,padBytes=400";
  await sendRawChat(simulator, { model, stream: true }, (text) => parseEvents(text).length === 2);
  await waitUntil(() => lastSeen(simulator).aborted, "the abort");
  const { generationId = "", abortedAtMs } = lastSeen(simulator);
  const data = await readData(simulator, `/generation?id=${generationId}`);
  const tokens = Number(data["tokens_completion"]);
  expect(tokens).toBeGreaterThan(200);
  expect(tokens).toBeLessThan(220);
  expect(simulator.findBilledNanodollars(generationId)).toBe(3 * 1000 + tokens * 2000);
  expect(data).toMatchObject({ cancelled: true, streamed: true, finish_reason: null });
  expect(abortedAtMs).toBeTypeOf("number");
});

test("completes and bills an aborted plain request", async () => {
  const simulator = await startTestSimulator();
  const plain = await completeChat(simulator, { model: "sim/ok" });
  await sendRawChat(simulator, { model: "sim/ok:gapMs=1000" }, (text) => text.includes("200 OK"));
  await waitUntil(() => simulator.readStats().aborted === 1, "the abort");
  const { generationId = "" } = lastSeen(simulator);
  expect(simulator.findBilledNanodollars(generationId)).toBe(simulator.findBilledNanodollars(plain.id));
});

test("returns a record with no tokens and no cost for a response that contains only an error", async () => {
  const simulator = await startTestSimulator();
  await (await sendChat(simulator, { model: "sim/error-midstream" })).text();
  const { generationId = "" } = lastSeen(simulator);
  expect(simulator.findBilledNanodollars(generationId)).toBe(0);
  expect(await readData(simulator, `/generation?id=${generationId}`)).toMatchObject({
    total_cost: 0,
    tokens_prompt: 0,
    native_tokens_prompt: 0,
    native_tokens_completion: 0,
    native_tokens_reasoning: 0,
  });
});

test("returns a generation record only after the time in recordMs", async () => {
  const simulator = await startTestSimulator();
  const slow = await completeChat(simulator, { model: "sim/ok:recordMs=60" });
  const early = await getJson(simulator, `/generation?id=${slow.id}`);
  expect(early.status).toBe(404);
  await waitUntil(
    async () => (await getJson(simulator, `/generation?id=${slow.id}`)).status === 200,
    "the record",
  );
});

test("does not bill errors", async () => {
  const simulator = await startTestSimulator();
  for (const model of ["sim/error", "sim/html", "x/y", "sim/error-midstream"]) {
    const response = await sendChat(simulator, { model });
    await response.text();
  }
  expect(simulator.readStats().billedNanodollars).toBe(0);
});

test("bills a stream that fails midway by its last usage", async () => {
  const simulator = await startTestSimulator();
  const failed = parseEvents(await streamChat(simulator, { model: "sim/error-midstream" })).at(-1);
  expect(failed?.error?.code).toBe(502);
  expect(simulator.findBilledNanodollars(failed?.id ?? "")).toBe(
    Math.round((failed?.usage?.cost ?? Number.NaN) * 1e9),
  );
});

test("returns a generation record only generationDelayMs after its request ended", async () => {
  const simulator = await startTestSimulator({ generationDelayMs: 60 });
  const { id, usage } = await completeChat(simulator, {});
  const early = await getJson(simulator, `/generation?id=${id}`);
  expect(early).toMatchObject({ status: 404, json: { error: { code: 404 } } });
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 70);
  await promise;
  expect(await readData(simulator, `/generation?id=${id}`)).toMatchObject({
    id,
    model: "openai/gpt-4o-mini",
    provider_name: "OpenAI",
    total_cost: usage.cost,
    tokens_prompt: usage.prompt_tokens,
    native_tokens_completion: usage.completion_tokens,
    cancelled: false,
    finish_reason: "stop",
  });
});

test("the usage of a key is the sum of the costs of its requests", async () => {
  const simulator = await startTestSimulator();
  const { usage } = await completeChat(simulator, {});
  expect(await readData(simulator, "/key")).toMatchObject({
    usage: usage.cost,
    limit: 100,
    is_free_tier: false,
  });
});
