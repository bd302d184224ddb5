import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { HOUR_MS } from "../../src/durations.ts";
import { startOrphanRecovery } from "../support/orphan-recovery.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { waitForPort, runNode } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { measureRunningMs, waitUntil } from "../support/wait.ts";

const REQUESTS_PER_MODEL = 20;
const STREAM = "sim/ok:gapMs=50,events=400";
/** A model that never sends a response head. */
const HANGING = "sim/hang";
/**
 * Deadline for writing open rows. It must be below 1 s, because even a gateway with a persistent journal writes these rows
 * after 1 s. It must be above 250 ms, because a busy machine may need more time than that.
 */
const DEADLINE_MS = 900;

let postgres: Postgres;
let simulator: Simulator;

beforeAll(async () => {
  postgres = await startPostgres();
  simulator = await startSimulator();
}, 60_000);

afterAll(async () => {
  await simulator.close();
  await postgres.close();
});

/** Starts a gateway process whose data directory is not declared persistent. */
async function start(databaseUrl: string) {
  const dataDir = createTemporaryDirectory();
  const gateway = runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: simulator.baseUrl,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
  });
  return { gateway, dataDir, port: await waitForPort(gateway) };
}

const rowsIn = ({ kysely }: Database): Promise<RequestRow[]> =>
  kysely.selectFrom("requests").selectAll().orderBy("id").execute();

function post(port: number, model: string): RawClient {
  const client = new RawClient(port);
  client.post(CHAT_PATH, buildChatBody({ model, stream: true }), AUTHORIZATION);
  onTestFinished(() => void client.socket.destroy());
  return client;
}

/** Makes all requests, and the last heartbeat of the lost replica, older by `ms`. */
async function age({ kysely }: Database, ms: number): Promise<void> {
  await kysely
    .updateTable("instances")
    .set((eb) => ({ seen_at: eb("seen_at", "-", ms) }))
    .where("id", "<>", "me")
    .execute();
  await kysely
    .updateTable("requests")
    .set((eb) => ({ started_at: eb("started_at", "-", ms) }))
    .execute();
}

test("the ledger loses no request in flight when a replica is killed and its disk is lost", async () => {
  const url = await postgres.createDatabase();
  const database = await openTestDatabase(url);
  const { gateway, dataDir, port } = await start(url);
  const clients = Array.from({ length: 2 * REQUESTS_PER_MODEL }, (_, index) =>
    post(port, index % 2 ? HANGING : STREAM),
  );
  await waitUntil(
    () => simulator.readStats().requests === 2 * REQUESTS_PER_MODEL,
    "all requests at upstream",
  );
  const written = waitUntil(async () => {
    const rows = await rowsIn(database);
    const known = rows.filter((row) => row.generation_id !== null);
    return rows.length === 2 * REQUESTS_PER_MODEL && known.length === REQUESTS_PER_MODEL ? rows : undefined;
  }, "all open rows, half of them with a generation id");
  expect(await measureRunningMs(written)).toBeLessThan(DEADLINE_MS);
  for (const row of await written) {
    expect(row).toMatchObject({ state: "open", key_id: "env:team" });
    expect([STREAM, HANGING]).toContain(row.forwarded_model);
    expect(row.generation_id === null).toBe(row.forwarded_model === HANGING);
  }
  gateway.child.kill("SIGKILL");
  await gateway.waitForExit("the killed gateway");
  rmSync(dataDir, { recursive: true });
  await waitUntil(() => clients.every((client) => client.isClosed), "the connections to close");

  const { orphanRecovery, clock, unknown } = await startOrphanRecovery({ database });
  await waitUntil(
    async () =>
      (await database.kysely.selectFrom("instances").select("id").execute()).some(({ id }) => id === "me"),
    "the survivor's heartbeat",
  );
  clock.now += 60_000;
  await age(database, 2 * 60_000);
  await orphanRecovery.runOnce();
  const byState = async (state: RequestRow["state"]): Promise<RequestRow[]> =>
    (await rowsIn(database)).filter((row) => row.state === state);
  expect(await byState("pending")).toHaveLength(REQUESTS_PER_MODEL);
  await age(database, 2 * HOUR_MS);
  await orphanRecovery.runOnce();
  expect(await byState("unknown")).toHaveLength(REQUESTS_PER_MODEL);
  expect(unknown).toHaveLength(REQUESTS_PER_MODEL);
  const billed = simulator.seen.flatMap(({ generationId }) => generationId ?? []);
  const pending = (await byState("pending")).map((row) => row.generation_id);
  expect(new Set(pending)).toEqual(new Set(billed));
}, 60_000);
