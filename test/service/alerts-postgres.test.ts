import { afterAll, beforeAll, expect, test } from "vitest";
import { enqueueAlert } from "../../src/alerts/sql/enqueue-alert.ts";
import { createUnknownCostAlert } from "../../src/alerts/alert.ts";
import { enqueueAlertContract } from "../alerts/sql/enqueue-alert-contract.ts";
import { listAlertsContract } from "../alerts/sql/list-alerts-contract.ts";
import { costAlertsContract } from "../metering/sql/cost-alerts-contract.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";
import { startWebhookReceiver, WEBHOOK_SECRET } from "../support/webhook-receiver.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());
enqueueAlertContract(open);
listAlertsContract(open);
costAlertsContract(open);

const ALERTS = 40;

test("two gateways on one database log and send each alert once, and retry a failed one", async () => {
  const databaseUrl = await postgres.createDatabase();
  const failed = new Set<unknown>();
  const { url, received } = await startWebhookReceiver((response, { headers }) => {
    const id = headers["webhook-id"];
    const fails = String(id).endsWith("7") && !failed.has(id);
    failed.add(id);
    response.writeHead(fails ? 500 : 200).end();
  });
  const simulator = await startTestSimulator();
  const env = {
    DATABASE_URL: databaseUrl,
    ALERT_WEBHOOK_URL: url,
    ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET,
  };
  const gateways = [
    await startKeyedGateway(simulator.baseUrl, env),
    await startKeyedGateway(simulator.baseUrl, env),
  ];
  const database = await openTestDatabase(databaseUrl);
  const record = { id: "0abc", request_id: "r-1", key_id: "key_1", key_name: "team" };
  const raise = async (hour: number) =>
    enqueueAlert(database, database.kysely, createUnknownCostAlert(record, hour));
  const hours = Array.from({ length: ALERTS }, (_, hour) => hour);
  // Both replicas raise each alert.
  const raised = await Promise.all([...hours, ...hours].map(raise));
  expect(raised.filter(Boolean)).toHaveLength(ALERTS);
  await waitUntil(
    async () =>
      (await database.kysely.selectFrom("alerts").select("id").where("delivered_at", "is", null).execute())
        .length === 0,
    "all alerts to be delivered",
    14_000,
  );
  const failures = ALERTS / 10;
  expect(received).toHaveLength(ALERTS + failures);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(ALERTS);
  const logged = gateways.flatMap(({ readLog }) => readLog().match(/"msg":"alert: unknown cost"/g) ?? []);
  expect(logged).toHaveLength(ALERTS);
}, 60_000);
