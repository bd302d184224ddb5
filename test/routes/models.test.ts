import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../src/mock/simulator.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";

interface List {
  readonly data: readonly { readonly id: string }[];
  readonly total_count: number;
}

async function start(): Promise<KeyedGateway> {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return startKeyedGateway(simulator.baseUrl);
}

async function keyFor(gateway: KeyedGateway, name: string, models: string[] | null): Promise<string> {
  return (await gateway.manage("POST", "/keys", { name, models })).body.secret;
}

async function listOf(gateway: KeyedGateway, secret: string): Promise<List> {
  const answer = await gateway.call(secret, { method: "GET", path: "/openai/v1/models", body: "" });
  return JSON.parse(answer.body.toString()) as List;
}

test("each key's list is the whole list without what it may not use, and counts what it has", async () => {
  const gateway = await start();
  const whole = await listOf(gateway, gateway.caller);
  expect(whole.data.length).toBe(whole.total_count);
  const patterns = { one: ["google/*"], other: ["openai/*", "*:free"], none: ["nobody/knows"], all: ["*"] };
  for (const [name, models] of Object.entries(patterns)) {
    const secret = await keyFor(gateway, name, models);
    const data = whole.data.filter(({ id }) =>
      models.some((glob) => id.startsWith(glob.split("*")[0] ?? "") && id.endsWith(glob.split("*")[1] ?? "")),
    );
    // The second answer is one that was made before.
    for (let count = 0; count < 2; count++)
      expect(await listOf(gateway, secret)).toEqual({ ...whole, data, total_count: data.length });
  }
  expect(await listOf(gateway, gateway.caller)).toEqual(whole);
});

test("keys with the same patterns share a list, and one whose patterns change gets another", async () => {
  const gateway = await start();
  const first = await keyFor(gateway, "first", ["google/*"]);
  const second = await keyFor(gateway, "second", ["google/*"]);
  expect(await listOf(gateway, first)).toEqual(await listOf(gateway, second));
  await gateway.manage("PATCH", "/keys/second", { models: null });
  await expect
    .poll(async () => (await listOf(gateway, second)).total_count, { timeout: 2_000 })
    .toBe((await listOf(gateway, gateway.caller)).total_count);
});

test("a model outside of what a key may use is not found, under any of its names", async () => {
  const gateway = await start();
  const secret = await keyFor(gateway, "bob", ["google/*"]);
  const show = async (id: string) =>
    (await gateway.call(secret, { method: "GET", path: `/openai/v1/models/${id}`, body: "" })).status;
  expect(await show("google/gemini-3-flash-preview")).toBe(200);
  expect(await show("openrouter/google/gemini-3-flash-preview")).toBe(200);
  expect(await show("openai/gpt-4o")).toBe(404);
  expect(await show("openrouter/openai/gpt-4o")).toBe(404);
  expect(await show("openai%2Fgpt-4o")).toBe(404);
});
