import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import type { IssuedKey } from "../../src/keys/managed-key.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { findFreePort } from "../support/ports.ts";
import { waitUntil } from "../support/wait.ts";
import { runClients } from "./clients.ts";
import { KEY_NAMES, makePlan } from "./plan.ts";
import { Replica } from "../support/replica.ts";
import { type Verdict, verifyLedger } from "./verify.ts";

const ACCOUNT_KEY = "sk-or-simulation-account-0123456789";
const KILLS = 3;
/** Generation records appear this late, so that the first look-ups find none. */
const RECORD_AFTER_MS = 700;
const SETTLE_AFTER_MS = 200;
const SETTLED_DEADLINE_MS = 120_000;

interface Simulation {
  readonly requests: number;
  readonly seed: number;
  /** An empty database for two replicas; undefined: one replica with SQLite. */
  readonly databaseUrl: string | undefined;
}

/** Sends requests through gateways, kills the gateways meanwhile, and compares their ledger with upstream's costs. */
export async function runSimulation({ requests, seed, databaseUrl }: Simulation): Promise<Verdict> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-simulation-"));
  const simulator = await startSimulator({ generationDelayMs: RECORD_AFTER_MS, keepSeen: 10 * requests });
  const dataDirs = (databaseUrl === undefined ? [0] : [0, 1]).map((index) => join(directory, String(index)));
  const database = openDatabase({ dataDir: dataDirs[0] ?? "", databaseUrl }, () => {});
  await database.migrate();
  const keys = await createKeys(new KeyService(database));
  const secrets = keys.map(({ secret }) => secret);
  const replicas = await Promise.all(
    dataDirs.map(
      async (dataDir) =>
        new Replica(await findFreePort(), environment(simulator.baseUrl, dataDir, databaseUrl)),
    ),
  );
  try {
    await Promise.all(replicas.map((replica) => replica.start()));
    const restarts: Promise<void>[] = [];
    const killAt = Array.from({ length: KILLS }, (_, kill) =>
      Math.floor(((kill + 1) * requests) / (KILLS + 1)),
    );
    const outcomes = await runClients(makePlan(requests, seed), replicas, secrets, (number) => {
      const kill = killAt.indexOf(number);
      const replica = kill === -1 ? undefined : replicas[kill % replicas.length];
      if (replica) restarts.push(replica.restart());
    });
    await Promise.all(restarts);
    await waitUntil(() => areAllFinal(database), "every row to be final", SETTLED_DEADLINE_MS);
    const codes = await Promise.all(replicas.map((replica) => replica.stop()));
    const verdict = await verifyLedger(database, simulator, {
      outcomes,
      keyIds: keys.map(({ key }) => key.id),
    });
    const texts = [...replicas.map(({ output }) => output), ...filesBelow(directory)];
    const leaks = [ACCOUNT_KEY, ...secrets].filter((secret) => texts.some((text) => text.includes(secret)));
    return {
      ...verdict,
      differences: [
        ...verdict.differences,
        ...codes.filter((code) => code !== 0).map((code) => `a replica exited with ${code}`),
        ...leaks.map((secret) => `${secret.slice(0, 16)}… was written to a file or a log`),
      ],
    };
  } finally {
    await database.close();
    await Promise.all(replicas.map((replica) => replica.kill()));
    await simulator.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Creates a key for each name. The last key drains responses of disconnected clients. */
export async function createKeys(service: KeyService): Promise<IssuedKey[]> {
  const keys: IssuedKey[] = [];
  for (const name of KEY_NAMES) {
    const onDisconnect = name === KEY_NAMES.at(-1) ? "drain" : "cancel";
    const by = { actor: "cli", source: "simulation" };
    keys.push(await service.create(newKeySchema.parse({ name, onDisconnect }), by));
  }
  return keys;
}

async function areAllFinal({ kysely }: Database): Promise<boolean> {
  const unfinished = kysely.selectFrom("requests").select("id").where("state", "in", ["open", "pending"]);
  return (await unfinished.limit(1).execute()).length === 0;
}

function environment(
  baseUrl: string,
  dataDir: string,
  databaseUrl: string | undefined,
): Record<string, string> {
  return {
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: baseUrl,
    SETTLE_AFTER_MS: String(SETTLE_AFTER_MS),
    DRAIN_MS: "0",
    DATA_DIR: dataDir,
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
  };
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"));
}
