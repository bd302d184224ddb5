import { expect, onTestFinished, test } from "vitest";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";

interface List {
  readonly data: readonly {
    readonly id: string;
    readonly pricing: { readonly prompt: string };
    readonly supported_parameters: readonly string[];
  }[];
  readonly total_count: number;
  readonly links: { readonly next: string | null };
}

async function start(): Promise<KeyedGateway> {
  return (await startWithSimulator()).gateway;
}

async function startWithSimulator(): Promise<{ gateway: KeyedGateway; simulator: Simulator }> {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return { gateway: await startKeyedGateway(simulator.baseUrl), simulator };
}

async function createKey(gateway: KeyedGateway, name: string, models: string[] | null): Promise<string> {
  return (await gateway.callAdmin("POST", "/keys", { name, models })).body.secret;
}

async function getList(gateway: KeyedGateway, secret: string, query = ""): Promise<List> {
  return (await getModels(gateway, secret, query)).json as List;
}

/** @param rest the part of the path after `/openai/v1/models`. */
async function getModels(
  gateway: KeyedGateway,
  secret: string,
  rest: string,
): Promise<{ status: number; json: unknown }> {
  const path = `/openai/v1/models${rest}`;
  const { status, body } = await gateway.call(secret, { method: "GET", path, body: "" });
  return { status, json: JSON.parse(body.toString()) as unknown };
}

test("the list of a key has only the models that the key may use, and their number", async () => {
  const gateway = await start();
  const whole = await getList(gateway, gateway.caller);
  expect(whole.data.length).toBe(whole.total_count);
  const patterns = { one: ["google/*"], other: ["openai/*", "*:free"], none: ["nobody/knows"], all: ["*"] };
  for (const [name, models] of Object.entries(patterns)) {
    const secret = await createKey(gateway, name, models);
    const data = whole.data.filter(({ id }) =>
      models.some((glob) => id.startsWith(glob.split("*")[0] ?? "") && id.endsWith(glob.split("*")[1] ?? "")),
    );
    expect(await getList(gateway, secret)).toEqual({ ...whole, data, total_count: data.length });
  }
  expect(await getList(gateway, gateway.caller)).toEqual(whole);
});

test("keys with the same patterns get the same list, and a key gets another list when its patterns change", async () => {
  const gateway = await start();
  const first = await createKey(gateway, "first", ["google/*"]);
  const second = await createKey(gateway, "second", ["google/*"]);
  expect(await getList(gateway, first)).toEqual(await getList(gateway, second));
  await gateway.callAdmin("PATCH", "/keys/second", { models: null });
  await expect
    .poll(async () => (await getList(gateway, second)).total_count, { timeout: 10_000 })
    .toBe((await getList(gateway, gateway.caller)).total_count);
});

test("a model that the key may not use is not found under any of its names", async () => {
  const gateway = await start();
  const secret = await createKey(gateway, "bob", ["google/*"]);
  const show = async (id: string) =>
    (await gateway.call(secret, { method: "GET", path: `/openai/v1/models/${id}`, body: "" })).status;
  expect(await show("google/gemini-3-flash-preview")).toBe(200);
  expect(await show("openrouter/google/gemini-3-flash-preview")).toBe(200);
  expect(await show("openai/gpt-4o")).toBe(404);
  expect(await show("openrouter/openai/gpt-4o")).toBe(404);
  expect(await show("openai%2Fgpt-4o")).toBe(404);
});

test("forwards filters upstream, caches one list for all orders of them, and applies the model policy to the list", async () => {
  const { gateway, simulator } = await startWithSimulator();
  const whole = await getList(gateway, gateway.caller);
  expect(await getList(gateway, gateway.caller, "?output_modalities=video")).toMatchObject({
    data: [],
    total_count: 0,
  });
  const reasoning = whole.data.filter((model) => model.supported_parameters.includes("reasoning"));
  expect(reasoning.length).toBeLessThan(whole.data.length);
  const queries = [
    "?supported_parameters=tools,reasoning&output_modalities=all",
    "?output_modalities=all&supported_parameters=tools%2Creasoning",
    "?zdr=&output_modalities=%61ll&user=bob&supported_parameters=tools,reasoning&",
  ];
  const secret = await createKey(gateway, "bob", ["openai/*"]);
  for (const query of queries) {
    expect((await getList(gateway, gateway.caller, query)).data).toEqual(reasoning);
    const data = reasoning.filter(({ id }) => id.startsWith("openai/"));
    expect(await getList(gateway, secret, query)).toMatchObject({ data, total_count: data.length });
  }
  expect(simulator.seen.map(({ url }) => url)).toEqual([
    "/api/v1/models",
    "/api/v1/models?output_modalities=video",
    "/api/v1/models?output_modalities=all&supported_parameters=tools%2Creasoning",
  ]);
});

test("offset and limit divide the models of a key into pages, and each page links to the next", async () => {
  const { gateway, simulator } = await startWithSimulator();
  const secret = await createKey(gateway, "bob", ["openai/*", "sim/*"]);
  const whole = await getList(gateway, secret);
  const ids: string[] = [];
  let next: string | null = "/openai/v1/models?supported_parameters=tools&limit=4";
  while (next !== null && ids.length <= whole.data.length) {
    const page: List = await getList(gateway, secret, next.slice("/openai/v1/models".length));
    expect([page.data.length <= 4, page.total_count]).toEqual([true, whole.data.length]);
    ids.push(...page.data.map(({ id }) => id));
    ({ next } = page.links);
  }
  expect(ids).toEqual(whole.data.map(({ id }) => id));
  expect(await getList(gateway, secret, "?offset=1000")).toMatchObject({ data: [], links: { next: null } });
  expect((await getList(gateway, secret, "?limit=1000")).data).toEqual(whole.data);
  expect(simulator.seen.length).toBe(2);
});

test("rejects an unknown query parameter by name without a request upstream", async () => {
  const { gateway, simulator } = await startWithSimulator();
  const { status, json } = await getModels(gateway, gateway.caller, "?zdr=true&colour=red");
  expect([status, json]).toMatchObject([400, { error: { code: "invalid_value", param: "colour" } }]);
  expect(simulator.seen).toEqual([]);
});

test("a model is found with each variant that a request may use, and its id then includes the variant", async () => {
  const gateway = await start();
  const { data } = await getList(gateway, gateway.caller);
  const model = data.find(({ id }) => id === "openai/gpt-4o-mini");
  const paid = ["nitro", "floor", "online", "thinking", "extended", "exacto", "beta", "thinking:online"];
  const free = ["free", "free:online"];
  for (const variant of [...paid, ...free]) {
    const id = `openai/gpt-4o-mini:${variant}`;
    const pricing = free.includes(variant) ? { prompt: "0", completion: "0" } : model?.pricing;
    for (const path of [id, encodeURIComponent(id), `openrouter/${id}`])
      expect(await getModels(gateway, gateway.caller, `/${path}`)).toEqual({
        status: 200,
        json: { ...model, pricing, id },
      });
  }
});

test("a model is found by its dated name, and a listed variant is found with its own entry", async () => {
  const gateway = await start();
  const show = async (id: string) =>
    (await getModels(gateway, gateway.caller, `/${id}`)).json as List["data"][0];
  const { data } = await getList(gateway, gateway.caller);
  const findEntry = (id: string) => data.find((model) => model.id === id);
  const dated = "openai/gpt-5-mini-2025-08-07";
  expect(await show(dated)).toEqual({ ...findEntry("openai/gpt-5-mini"), id: dated });
  expect((await show(`${dated}:nitro`)).id).toBe(`${dated}:nitro`);
  const free = "meta-llama/llama-3.3-70b-instruct:free";
  expect(await show(free)).toEqual(findEntry(free));
  expect(await show(`${free}:online`)).toEqual({ ...findEntry(free), id: `${free}:online` });
});

test("a model name with an invalid variant or an unknown model is not found", async () => {
  const gateway = await start();
  const variants = ["unknown", "", "nitro:nitro", "__proto__", "Nitro"].map(
    (name) => `openai/gpt-4o-mini:${name}`,
  );
  for (const id of [...variants, "nobody/knows:nitro", ":nitro"])
    expect([id, (await getModels(gateway, gateway.caller, `/${encodeURIComponent(id)}`)).status]).toEqual([
      id,
      404,
    ]);
});

test("a key finds only the variants and dated names that it may use", async () => {
  const gateway = await start();
  const secret = await createKey(gateway, "bob", ["openai/gpt-4o-mini:nitro", "openai/gpt-5-mini"]);
  const show = async (id: string) => (await getModels(gateway, secret, `/${id}`)).status;
  expect(await show("openai/gpt-4o-mini:nitro")).toBe(200);
  expect(await show("openai/gpt-4o-mini")).toBe(404);
  expect(await show("openai/gpt-4o-mini:floor")).toBe(404);
  expect(await show("openai/gpt-5-mini")).toBe(200);
  expect(await show("openai/gpt-5-mini-2025-08-07")).toBe(404);
});
