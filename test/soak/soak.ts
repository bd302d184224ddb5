import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { openDatabase } from "../../src/store/database.ts";
import { Replica } from "../support/replica.ts";
import { createKeys } from "../simulation/simulate.ts";
import { findFreePort } from "../support/ports.ts";
import { waitUntil } from "../support/wait.ts";
import { Audit, KEPT_REQUESTS } from "./audit.ts";
import { Inspector } from "./inspector.ts";
import { LogWatch } from "./log-watch.ts";
import { MAX_IN_FLIGHT, SoakRun, type SoakOptions } from "./run.ts";

/** Results of a soak. */
interface SoakVerdict {
  /** Descriptions of the violations, up to a limit; empty if there are none. */
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, unknown>>;
}

const RECORD_AFTER_MS = 700;
const KEPT_VIOLATIONS = 100;

/** Puts one gateway under mixed load, 1 % of it each fault, and compares its ledger with the simulator's charges. */
export async function runSoak(options: SoakOptions): Promise<SoakVerdict> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-soak-"));
  const violations: string[] = [];
  const report = (difference: string): void => {
    if (violations.length < KEPT_VIOLATIONS) violations.push(difference);
  };
  const simulator = await startSimulator({ generationDelayMs: RECORD_AFTER_MS, keepSeen: KEPT_REQUESTS });
  const database = openDatabase({ dataDir: directory, databaseUrl: undefined }, () => {});
  await database.migrate();
  const keys = await createKeys(new KeyService(database));
  const log = new LogWatch(report);
  const gateway = new Replica(await findFreePort(), environment(simulator.baseUrl, directory), {
    nodeArgs: ["--inspect=127.0.0.1:0"],
    onLine: log.add,
  });
  try {
    await gateway.start();
    const inspector = await Inspector.connect(
      await waitUntil(() => log.inspectorUrl, "the URL of the inspector"),
    );
    const run = new SoakRun(
      { gateway, inspector, report, audit: new Audit(database, simulator, report) },
      options,
    );
    const figures = await run.run(keys.map(({ secret }) => secret));
    inspector.close();
    const code = await gateway.stop();
    if (code !== 0) report(`the gateway exited with ${code}`);
    return { violations, figures: { ...figures, log: Object.fromEntries(log.counts) } };
  } finally {
    await database.close();
    await gateway.kill();
    await simulator.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function environment(baseUrl: string, dataDir: string): Record<string, string> {
  return {
    OPENROUTER_API_KEY: "sk-or-soak-account-0123456789",
    OPENROUTER_BASE_URL: baseUrl,
    DATA_DIR: dataDir,
    SETTLE_AFTER_MS: "200",
    DRAIN_MS: "0",
    MAX_IN_FLIGHT: String(MAX_IN_FLIGHT),
    // To check the capacity, a single key must be able to send MAX_IN_FLIGHT requests at once.
    MAX_IN_FLIGHT_PER_KEY: String(MAX_IN_FLIGHT),
    UPSTREAM_HEADERS_TIMEOUT_MS: "3000",
    UPSTREAM_IDLE_TIMEOUT_MS: "3000",
    CLIENT_STALL_TIMEOUT_MS: "2000",
  };
}
