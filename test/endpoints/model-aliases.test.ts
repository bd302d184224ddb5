import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
type Json = any;

const FLASH = "google/gemini-3-flash-preview";
const MINI = "openai/gpt-4o-mini";
const ALIASES = `fast=${FLASH},mini=${MINI}:nitro,free=${MINI}:free,gone=nobody/knows,support=@preset/x`;

async function start() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl, { MODEL_ALIASES: ALIASES });
  const createKey = async (name: string, fields: object): Promise<string> =>
    (await gateway.callAdmin("POST", "/keys", { name, ...fields })).body.secret as string;
  const get = async (secret: string, rest = ""): Promise<{ status: number; json: Json }> => {
    const path = `/openai/v1/models${rest}`;
    const { status, body } = await gateway.call(secret, { method: "GET", path, body: "" });
    return { status, json: JSON.parse(body.toString()) };
  };
  const listIds = async (secret: string, rest = ""): Promise<string[]> =>
    (await get(secret, rest)).json.data.map(({ id }: Json) => id);
  const listNames = async (secret: string, rest = ""): Promise<string[]> =>
    (await listIds(secret, rest)).filter((id) => !id.includes("/"));
  return { simulator, gateway, createKey, get, listIds, listNames };
}

test("forwards the target of an alias, and the ledger has both names", async () => {
  const { simulator, gateway, createKey } = await start();
  const secret = await createKey("bob", { aliases: { fast: MINI, cheap: `openrouter/${FLASH}` } });
  const calls = [
    [gateway.caller, "fast", FLASH],
    [secret, "fast", MINI],
    [secret, "cheap", FLASH],
    [secret, "mini", `${MINI}:nitro`],
  ] as const;
  for (const [key, alias, target] of calls) {
    const { status } = await gateway.call(key, { body: buildChatBody({ model: alias }) });
    const sent = simulator.seen.findLast(({ url }) => url.endsWith("/chat/completions"));
    expect([alias, status, sent?.body.toString()]).toEqual([alias, 200, buildChatBody({ model: target })]);
  }
  const rows = await waitUntil(async () => {
    const found = await readRows(gateway);
    return found.length === calls.length && found.every(({ state }) => state === "settled")
      ? found
      : undefined;
  }, "settled rows");
  expect(rows.map((row) => [row.requested_model, row.forwarded_model])).toEqual(
    calls.map(([, alias, target]) => [alias, target]),
  );
});

test("a key may use an alias only if it may use the target, and an alias of its own does not fall back", async () => {
  const { simulator, gateway, createKey } = await start();
  const secret = await createKey("bob", { models: ["google/*", "fast"], aliases: { fast: "openai/gpt-4o" } });
  const other = await createKey("eve", { models: ["google/*"] });
  const call = async (key: string, model: string): Promise<number> =>
    (await gateway.call(key, { body: buildChatBody({ model }) })).status;
  expect([await call(secret, "fast"), await call(other, "mini"), await call(other, "fast")]).toEqual([
    403, 403, 200,
  ]);
  expect(simulator.seen.length).toBe(1);
});

test("a changed alias of a key takes effect within two seconds", async () => {
  const { simulator, gateway, createKey } = await start();
  const secret = await createKey("bob", { aliases: { fast: MINI } });
  await gateway.call(secret, { body: buildChatBody({ model: "fast" }) });
  await gateway.callAdmin("PATCH", "/keys/bob", { aliases: {} });
  const sendsToGemini = async (): Promise<boolean> => {
    await gateway.call(secret, { body: buildChatBody({ model: "fast" }) });
    return simulator.seen.at(-1)?.body.toString() === buildChatBody({ model: FLASH });
  };
  expect(simulator.seen.at(-1)?.body.toString()).toBe(buildChatBody({ model: MINI }));
  expect(await measureRunningMs(waitUntil(sendsToGemini, "the alias of the gateway"))).toBeLessThan(2_000);
});

test("the list of a key has the aliases whose targets it contains, each after its target", async () => {
  const { gateway, createKey, get, listIds, listNames } = await start();
  const { json } = await get(gateway.caller);
  const ids = json.data.map(({ id }: Json) => id) as string[];
  expect(json.total_count).toBe(ids.length);
  expect(ids.slice(ids.indexOf(FLASH), ids.indexOf(FLASH) + 2)).toEqual([FLASH, "fast"]);
  expect(ids.slice(ids.indexOf(MINI), ids.indexOf(MINI) + 3)).toEqual([MINI, "mini", "free"]);
  const find = (id: string): Json => json.data.find((model: Json) => model.id === id);
  expect(find("fast")).toEqual({ ...find(FLASH), id: "fast" });
  expect(find("free").pricing).toEqual({ prompt: "0", completion: "0" });
  expect(await listNames(gateway.caller, "?sort=newest&supported_parameters=reasoning")).toEqual(["fast"]);

  const google = await createKey("google", {
    models: ["google/*"],
    aliases: { best: "google/gemini-3-flash-preview-20251217" },
  });
  expect((await listNames(google)).toSorted()).toEqual(["best", "fast"]);
  const nitro = await createKey("nitro", { models: [`${MINI}:nitro`] });
  expect(await get(nitro)).toMatchObject({ json: { data: [{ id: "mini" }], total_count: 1 } });
  const own = await createKey("own", { aliases: { fast: MINI, best: `${FLASH}-20251217` } });
  const listed = await listIds(own);
  expect(listed.slice(listed.indexOf(FLASH), listed.indexOf(FLASH) + 2)).toEqual([FLASH, "best"]);
  expect((await listNames(own)).toSorted()).toEqual(["best", "fast", "free", "mini"]);
});

test("pages count and contain aliases", async () => {
  const { gateway, get, listIds } = await start();
  const whole = await listIds(gateway.caller);
  const ids: string[] = [];
  for (let offset = 0; offset < whole.length; offset += 3) {
    const { json } = await get(gateway.caller, `?limit=3&offset=${offset}`);
    expect(json.total_count).toBe(whole.length);
    ids.push(...json.data.map(({ id }: Json) => id));
  }
  expect(ids).toEqual(whole);
});

test("an alias is found as a single model if the key may use its target", async () => {
  const { gateway, createKey, get } = await start();
  const target = (await get(gateway.caller, `/${FLASH}`)).json;
  expect(await get(gateway.caller, "/fast")).toEqual({ status: 200, json: { ...target, id: "fast" } });
  expect((await get(gateway.caller, "/free")).json).toMatchObject({ id: "free", pricing: { prompt: "0" } });
  const secret = await createKey("bob", { models: ["openai/*"], aliases: { best: MINI } });
  expect((await get(secret, "/best")).json).toMatchObject({
    id: "best",
    object: "model",
    owned_by: "openai",
  });
  const missing = ["/gone", "/support", "/Fast", "/fast:nitro", "/openrouter/fast", "/best", "/constructor"];
  for (const path of missing) expect([path, (await get(gateway.caller, path)).status]).toEqual([path, 404]);
  expect((await get(secret, "/fast")).status).toBe(404);
});

test("a dry run estimates the cost of the target", async () => {
  const { gateway } = await start();
  const estimate = async (model: string): Promise<Json> => {
    const path = "/openai/v1/chat/completions?dryRun=true";
    const body = buildChatBody({ model, max_tokens: 5 });
    const { prices_as_of: _, ...rest } = JSON.parse(
      (await gateway.call(gateway.caller, { path, body })).body.toString(),
    );
    return rest;
  };
  expect(await estimate("fast")).toEqual(await estimate(FLASH));
  expect(await estimate("fast")).toMatchObject({
    model: FLASH,
    highest: { nanodollars: expect.any(Number) },
  });
  await gateway.callAdmin("PATCH", "/keys/first-caller", { aliases: { web: `${FLASH}:online` } });
  await waitUntil(async () => (await estimate("web")).model === `${FLASH}:online`, "the alias");
  expect(await estimate("web")).toEqual(await estimate(`${FLASH}:online`));
  expect(await estimate("web")).toMatchObject({ highest: null });
});
