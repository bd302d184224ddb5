import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  API_HEADERS,
  sendChat,
  readError,
  getJson,
  sendRawChat,
  startTestSimulator,
} from "../support/simulator.ts";
import { measureRunningMs, waitFor } from "../support/wait.ts";

interface Models {
  readonly data: { id: string; pricing: { prompt: string; completion: string } }[];
  readonly total_count: number;
}

test("rejects a request without a known key with 401", async () => {
  const simulator = await startTestSimulator({ apiKeys: ["sk-or-v1-test"] });
  const missing = await readError(await sendChat(simulator, {}, { headers: {} }));
  expect(missing).toEqual({
    status: 401,
    body: { error: { message: "Missing Authentication header", code: 401 } },
  });
  const unknown = await readError(
    await sendChat(simulator, {}, { headers: { authorization: "Bearer other" } }),
  );
  expect(unknown.status).toBe(401);
  expect((await sendChat(simulator, {})).status).toBe(200);
});

test("lists models with prices as decimal strings in USD per token", async () => {
  const models = (await getJson(await startTestSimulator(), "/models")).json as Models;
  expect(models.total_count).toBe(models.data.length);
  const priceOf = (id: string) => models.data.find((model) => model.id === id)?.pricing;
  expect(priceOf("openai/gpt-4o-mini")).toEqual({ prompt: "0.00000015", completion: "0.0000006" });
  expect(priceOf("meta-llama/llama-3.3-70b-instruct:free")).toEqual({ prompt: "0", completion: "0" });
  expect(priceOf("openrouter/auto")).toEqual({ prompt: "-1", completion: "-1" });
});

test("filters models by output_modalities and supported_parameters", async () => {
  const simulator = await startTestSimulator();
  const idsOf = async (query: string) =>
    ((await getJson(simulator, `/models${query}`)).json as Models).data.map(({ id }) => id);
  const all = await idsOf("");
  const everything = await idsOf("?output_modalities=all");
  expect(everything).toEqual(expect.arrayContaining(all));
  const vectors = await idsOf("?output_modalities=embeddings");
  expect(vectors).toContain("openai/text-embedding-3-small");
  expect(everything).toEqual(expect.arrayContaining(vectors));
  expect(all.filter((id) => vectors.includes(id))).toEqual([]);
  expect(await idsOf("?supported_parameters=tools")).toEqual(all);
  const reasoning = await idsOf("?supported_parameters=tools,reasoning");
  expect([reasoning.includes("deepseek/deepseek-r1"), reasoning.includes("openai/gpt-4o")]).toEqual([
    true,
    false,
  ]);
});

test("returns a 404 in OpenRouter's format for an unknown path", async () => {
  const { status, json } = await getJson(await startTestSimulator(), "/nothing");
  expect({ status, json }).toMatchObject({ status: 404, json: { error: { code: 404 } } });
});

test("keeps the last keepSeen requests with their bodies", async () => {
  const simulator = await startTestSimulator({ keepSeen: 2 });
  for (const user of ["a", "b", "c"]) await (await sendChat(simulator, { user })).text();
  expect(simulator.seen.map((seen) => (JSON.parse(seen.body.toString()) as { user: string }).user)).toEqual([
    "b",
    "c",
  ]);
  expect(simulator.seen[1]).toMatchObject({ method: "POST", model: "openai/gpt-4o-mini", aborted: false });
  expect(simulator.seen[1]?.rawHeaders).toContain("Bearer sk-or-v1-test");
});

test("keeps only the counters with keepSeen 0", async () => {
  const simulator = await startTestSimulator({ keepSeen: 0 });
  const text = await (await sendChat(simulator, {})).text();
  expect(simulator.seen).toEqual([]);
  expect(simulator.readStats()).toMatchObject({
    requests: 1,
    active: 0,
    completed: 1,
    bytesOut: Buffer.byteLength(text),
  });
});

test("returns and resets the counters over HTTP without a key", async () => {
  const simulator = await startTestSimulator();
  await (await sendChat(simulator, {})).text();
  const stats = async (): Promise<unknown> =>
    (await waitFor(fetch(`${simulator.origin}/__simulator/stats`), "stats")).json();
  expect(await stats()).toMatchObject({ requests: 1, completed: 1 });
  await waitFor(fetch(`${simulator.origin}/__simulator/reset`, { method: "POST" }), "reset");
  expect(await stats()).toMatchObject({ requests: 0, billedNanodollars: 0 });
});

test("close destroys open connections", async () => {
  const simulator = await startTestSimulator();
  const hung = sendRawChat(simulator, { model: "sim/stall", stream: true });
  while (simulator.readStats().bytesOut === 0) await new Promise((resolve) => void setImmediate(resolve));
  expect(await measureRunningMs(waitFor(simulator.close(), "close"))).toBeLessThan(500);
  expect((await hung).text).toContain("200 OK");
});

test("the process prints how to use it, serves requests, and exits on a signal", async () => {
  const child = spawn(process.execPath, ["tools/simulator/main.ts", "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [line] = (await waitFor(once(child.stdout, "data"), "the first line")) as [Buffer];
    const baseUrl = /OPENROUTER_BASE_URL=(http:\S+\/api\/v1),/.exec(line.toString())?.[1];
    expect((await waitFor(fetch(`${baseUrl}/models`, { headers: API_HEADERS }), "models")).status).toBe(200);
    child.kill("SIGTERM");
    expect(await waitFor(once(child, "exit"), "the exit")).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("an invalid flag exits with 78", async () => {
  const child = spawn(process.execPath, ["tools/simulator/main.ts", "--port", "x"], { stdio: "ignore" });
  expect(await waitFor(once(child, "exit"), "the exit")).toEqual([78, null]);
});
