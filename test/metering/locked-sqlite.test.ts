import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { waitUntil } from "../support/wait.ts";

test("serves requests, rejects key changes and loses no row while another process locks SQLite", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  expect((await gateway.call(gateway.caller)).status).toBe(200);
  const other = new DatabaseSync(join(gateway.dataDir, "sluice.db"));
  onTestFinished(() => other.close());
  await waitUntil(
    async () => (await gateway.callAdmin("GET", "/usage")).body.total.requests === 1,
    "the row of the first request",
  );
  other.exec("begin immediate");
  for (let count = 0; count < 5; count++) expect((await gateway.call(gateway.caller)).status).toBe(200);
  expect(await gateway.callAdmin("POST", "/keys", { name: "bob" })).toMatchObject({
    status: 503,
    body: { error: { code: "store_unavailable" } },
  });
  await waitUntil(() => gateway.readLog().includes("ledger: writes failed"), "the logged error");
  expect((await gateway.call("", { method: "GET", path: "/readyz", body: "" })).status).toBe(503);
  other.exec("rollback");
  const total = await waitUntil(async () => {
    const report = await gateway.callAdmin("GET", "/usage");
    return report.body.total.requests === 6 && report.body.total;
  }, "all rows");
  expect(total.cost_nanodollars).toBe(simulator.readStats().billedNanodollars);
  await waitUntil(
    async () => (await gateway.call("", { method: "GET", path: "/readyz", body: "" })).status === 200,
    "the gateway to be ready again",
  );
});
