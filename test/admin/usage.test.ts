import { expect, onTestFinished, test } from "vitest";
import { formatExport } from "../../src/admin/request-formats.ts";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { formatUsd } from "../../src/money.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { waitUntil } from "../support/wait.ts";

async function start() {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  return { simulator, gateway: await startKeyedGateway(simulator.baseUrl) };
}

test("the usage of all keys, models and days adds up to the cost that upstream charged", async () => {
  const { simulator, gateway } = await start();
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  for (const model of ["openai/gpt-4o-mini", "google/gemini-3-flash-preview"])
    for (const key of [secret, gateway.caller])
      expect((await gateway.call(key, { body: buildChatBody({ model }) })).status).toBe(200);
  const usage = () => gateway.callAdmin("GET", "/usage?by=key,model,day");
  const { body } = await waitUntil(async () => {
    const report = await usage();
    return report.body.total.requests === 4 ? report : undefined;
  }, "four requests in the report");
  expect(body.total.cost_nanodollars).toBe(simulator.readStats().billedNanodollars);
  expect(body.data).toHaveLength(4);
  expect(new Set(body.data.map((line: { key_name: string }) => line.key_name))).toEqual(
    new Set(["bob", "first-caller"]),
  );
  const ofBob = await gateway.callAdmin("GET", "/usage?by=model&key=bob");
  expect(ofBob.body.total.requests).toBe(2);
  const ofModel = await gateway.callAdmin(
    "GET",
    "/usage?by=key,%20model&model=openrouter/openai/gpt-4o-mini",
  );
  expect([ofModel.body.total.requests, ofModel.body.data[0].model]).toEqual([2, "openai/gpt-4o-mini"]);
  const csv = (await gateway.callAdmin("GET", "/usage?by=provider&format=csv")).body as string;
  expect(csv.split("\r\n")[0]).toMatch(/^provider,requests,/);
});

test("a client reads the usage of its own key in OpenRouter's format", async () => {
  const { simulator, gateway } = await start();
  await gateway.call(gateway.caller);
  const getUsage = async () =>
    JSON.parse(
      (
        await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" })
      ).body.toString(),
    );
  const { data } = await waitUntil(async () => {
    const usage = await getUsage();
    return usage.data.usage > 0 && usage;
  }, "usage of the key");
  expect(Math.round(data.usage * 1e9)).toBe(simulator.readStats().billedNanodollars);
  expect(data).toMatchObject({
    label: "first-caller",
    limit: null,
    limit_remaining: null,
    usage_daily: data.usage,
  });
});

test("reports the provider's charge for BYOK requests separately from OpenRouter's, for streams, plain responses and aborted responses", async () => {
  const { simulator, gateway } = await start();
  await gateway.call(gateway.caller);
  for (const stream of [false, true])
    await gateway.call(gateway.caller, { body: buildChatBody({ model: "sim/ok:byok=1", stream }) });
  // This response ends without its usage, so the provider's charge comes from OpenRouter's generation record.
  await gateway
    .call(gateway.caller, { body: buildChatBody({ model: "sim/cut:byok=1", stream: true }) })
    .catch(() => {});
  const { body } = await waitUntil(async () => {
    const report = await gateway.callAdmin("GET", "/usage?by=key,model");
    return report.body.total.requests === 4 ? report : undefined;
  }, "four requests in the report");
  const { billedNanodollars, byokNanodollars } = simulator.readStats();
  expect(byokNanodollars).toBeGreaterThan(0);
  expect(body.total).toMatchObject({
    cost_nanodollars: billedNanodollars,
    byok_nanodollars: byokNanodollars,
    byok_usd: formatUsd(byokNanodollars),
  });
  const csv = (await gateway.callAdmin("GET", "/usage?format=csv")).body as string;
  expect(csv).toContain(`,${billedNanodollars},${formatUsd(billedNanodollars)},${byokNanodollars},`);
  const { data } = (await gateway.callAdmin("GET", "/requests")).body;
  expect(data.map((row: { is_byok: boolean }) => row.is_byok)).toEqual([false, true, true, true]);
  const byok = data.filter((row: { is_byok: boolean }) => row.is_byok);
  const charged = byok.map(
    (row: { upstream_inference_nanodollars: number }) => row.upstream_inference_nanodollars,
  );
  expect(charged.reduce((sum: number, nanodollars: number) => sum + nanodollars, 0)).toBe(byokNanodollars);
  const key = await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" });
  const amount = byokNanodollars / 1e9;
  expect(JSON.parse(key.body.toString()).data).toMatchObject({
    usage: billedNanodollars / 1e9,
    byok_usage: amount,
    byok_usage_daily: amount,
    byok_usage_weekly: amount,
    byok_usage_monthly: amount,
  });
});

test("exports the ledger as JSON, NDJSON and CSV, with one row for each request", async () => {
  const { gateway } = await start();
  for (let count = 0; count < 3; count++) await gateway.call(gateway.caller);
  const ledger = (query: string) => gateway.callAdmin("GET", `/requests${query}`);
  await waitUntil(async () => (await ledger("?state=settled")).body.data.length === 3, "three rows");
  const { data } = (await ledger("")).body;
  expect(data[0]).toMatchObject({
    key_name: "first-caller",
    state: "settled",
    cost_source: "body",
    stream: false,
  });
  expect((await ledger("?format=ndjson")).body.trim().split("\n")).toHaveLength(3);
  expect((await ledger("?format=csv")).body.trim().split("\r\n")).toHaveLength(4);
  expect((await ledger("?to=2020-01-01")).body.data).toEqual([]);
});

test("an export reads no page before its consumer requests it", async () => {
  let read = 0;
  async function* pages(): AsyncGenerator<RequestRow[]> {
    for (;;) {
      read++;
      yield [{ id: String(read), started_at: 0, ended_at: null } as RequestRow];
    }
  }
  const text = formatExport(pages(), "ndjson");
  await text.next();
  await text.next();
  expect(read).toBe(2);
  await text.return(undefined);
});

test("the API description lists the routes, and requires no key", async () => {
  const { gateway } = await start();
  const { body } = await gateway.call("none", { method: "GET", path: "/openapi.json", body: "" });
  const paths = Object.keys((JSON.parse(body.toString()) as { paths: object }).paths);
  expect(paths).toEqual(
    expect.arrayContaining([
      "/openai/v1/chat/completions",
      "/admin/v1/keys",
      "/admin/v1/keys/{key}",
      "/admin/v1/usage",
    ]),
  );
  const page = await gateway.call("none", { method: "GET", path: "/docs/", body: "" });
  expect([page.status, page.headers["content-security-policy"]]).toEqual([
    200,
    expect.stringContaining("'self'"),
  ]);
});
