import { expect, onTestFinished, test } from "vitest";
import { buildChatBody } from "../support/chat-request.ts";
import { type MonitoredGateways, startMonitoredGateways } from "../support/monitored-gateways.ts";
import { startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { waitUntil } from "../support/wait.ts";

const TIMEOUT_MS = 120_000;

/** Returns the names of the alerts that are pending or firing. */
const listNames = async ({ prometheus }: MonitoredGateways): Promise<string[]> =>
  (await prometheus.listAlerts()).map(({ name }) => name).toSorted();

/** Waits until the rules have been evaluated after several scrapes. */
async function waitForEvaluation({ prometheus }: MonitoredGateways): Promise<void> {
  await prometheus.waitForResult("max(count_over_time(sluice_build_info[5m])) >= 4", "several scrapes");
  await waitUntil(async () => (await prometheus.listFailedRules()).length === 0, "the rules to be evaluated");
}

test(
  "SluiceDown and SluiceHalfDown are pending when the only gateway was killed, and no alert before",
  async () => {
    const monitored = await startMonitoredGateways(1);
    const { gateways, prometheus } = monitored;
    const [gateway] = gateways;
    await waitForEvaluation(monitored);
    expect(await listNames(monitored)).toEqual([]);
    await gateway!.replica.kill();
    const alert = await prometheus.waitForAlert("SluiceDown");
    expect(alert.labels).toMatchObject({ instance: gateway!.instance, severity: "warning" });
    expect(alert.annotations["summary"]).toBe(`Sluice ${gateway!.instance} does not respond to scrapes`);
    expect((await prometheus.waitForAlert("SluiceHalfDown")).labels).toMatchObject({ severity: "critical" });
  },
  TIMEOUT_MS,
);

test(
  "SluiceDatabaseDown and SluiceRedisDown are pending when PostgreSQL and Redis have stopped",
  async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.close());
    const redis = await startRedis();
    const monitored = await startMonitoredGateways(2, {
      DATABASE_URL: await postgres.createDatabase(),
      REDIS_URL: redis.url,
    });
    await waitForEvaluation(monitored);
    expect(await listNames(monitored)).toEqual([]);
    await postgres.kill();
    redis.process.kill("SIGKILL");
    for (const name of ["SluiceDatabaseDown", "SluiceRedisDown"])
      await monitored.prometheus.waitForAlert(name);
    const down = await monitored.prometheus.query('sluice_component_up{component="database"} == 0');
    expect(new Set(down.map(({ metric }) => metric["instance"]))).toEqual(
      new Set(monitored.gateways.map(({ instance }) => instance)),
    );
  },
  TIMEOUT_MS,
);

test(
  "SluiceUpstreamFailing is pending and SluiceInternalErrors is not when OpenRouter fails",
  async () => {
    const monitored = await startMonitoredGateways(1);
    const { gateways, prometheus } = monitored;
    const call = gateways[0]!.call;
    const body = buildChatBody({ model: "sim/error:status=500" });
    await call({ body });
    await waitForEvaluation(monitored);
    for (let count = 0; count < 60; count++) expect((await call({ body })).status).toBe(500);
    const alert = await prometheus.waitForAlert("SluiceUpstreamFailing");
    expect(alert.annotations["description"]).toMatch(/^100% of the requests of sluice have failed/);
    expect(await listNames(monitored)).toEqual(["SluiceUpstreamErrors", "SluiceUpstreamFailing"]);
  },
  TIMEOUT_MS,
);

test(
  "SluiceJournalFilling is pending when the database takes no rows and the journal grows",
  async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.close());
    const monitored = await startMonitoredGateways(1, {
      DATABASE_URL: await postgres.createDatabase(),
      JOURNAL_MAX_BYTES: "1048576",
    });
    const { gateways, prometheus } = monitored;
    await gateways[0]!.call();
    await waitForEvaluation(monitored);
    await postgres.kill();
    const filling = await waitUntil(
      async () => {
        await Promise.all(Array.from({ length: 20 }, () => gateways[0]!.call()));
        return (await prometheus.listAlerts()).find(({ name }) => name === "SluiceJournalFilling");
      },
      "SluiceJournalFilling",
      60_000,
    );
    expect(filling.labels).toMatchObject({ instance: gateways[0]!.instance });
  },
  TIMEOUT_MS,
);
