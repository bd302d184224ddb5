// Runs the unchanged commands of docs/operations/backup.md while gateways serve requests.
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readCodeBlocks } from "../support/documentation.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { measureRunningMs, waitFor, waitUntil } from "../support/wait.ts";

const NOTICED = '"keys: database was restored or replaced, reloading all keys"';
/** The page states two seconds. The test allows half a second more for a busy machine. */
const NOTICED_WITHIN_MS = 2_500;
/** Longer than the time between two polls of the key cache, so that each cache has read the changes before the restore. */
const FOLLOWED_MS = 1_500;
const CLIENTS = 4;

const MARK = "run by test/service/backup.test.ts";
const [
  sqliteBackup = "",
  sqliteRestore = "",
  sqliteCopy = "",
  postgresBackup = "",
  postgresRestore = "",
  postgresCopy = "",
] = readCodeBlocks("docs/operations/backup.md")
  .filter(({ note }) => note === MARK)
  .map(({ text }) => text);
/** The commands of the page. `copy` restores a backup for a gateway that has not started. */
const DATABASES = [
  {
    database: "SQLite",
    commands: { backUp: sqliteBackup, restore: sqliteRestore, copy: sqliteCopy },
    file: "sluice-backup.db",
  },
  {
    database: "PostgreSQL",
    commands: { backUp: postgresBackup, restore: postgresRestore, copy: postgresCopy },
    file: "sluice-backup.dump",
  },
] as const;

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

type DatabaseKind = (typeof DATABASES)[number]["database"];

interface Fleet {
  readonly gateways: readonly KeyedGateway[];
  /** The first gateway, which created the first keys. */
  readonly gateway: KeyedGateway;
  /** The working directory of the commands, and the parent of the data directory. */
  readonly directory: string;
  readonly upstreamUrl: string;
  readonly run: (commands: string) => Promise<void>;
}

/** Starts one gateway with SQLite, or two gateways with PostgreSQL. */
async function startFleet(database: DatabaseKind): Promise<Fleet> {
  const directory = createTemporaryDirectory();
  const { baseUrl: upstreamUrl } = await startTestSimulator();
  const store = await createStore(database, directory);
  const gateway = await startKeyedGateway(upstreamUrl, store);
  const gateways = [gateway];
  if (database === "PostgreSQL") gateways.push(await startKeyedGateway(upstreamUrl, store));
  return { gateways, gateway, directory, upstreamUrl, run: (commands) => run(commands, directory, store) };
}

/** @returns the settings of a gateway with an empty database. */
async function createStore(database: DatabaseKind, directory: string): Promise<Record<string, string>> {
  return database === "SQLite"
    ? { DATA_DIR: join(directory, "data") }
    : { DATABASE_URL: await postgres.createDatabase() };
}

/**
 * Runs commands of the page. `spawnSync` would block the gateways, which run in this process.
 * @throws if a command fails or prints anything.
 */
async function run(commands: string, cwd: string, store: Record<string, string>): Promise<void> {
  const shell = spawn("sh", ["-e"], { cwd, env: { PATH: process.env["PATH"] ?? "", ...store } });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  shell.stdin.end(commands);
  const code = await waitFor(new Promise((resolve) => void shell.on("close", resolve)), commands, 30_000);
  expect({ commands, code, output }).toEqual({ commands, code: 0, output: "" });
}

async function createKey(gateway: KeyedGateway, name: string): Promise<string> {
  const { status, body } = await gateway.callAdmin("POST", "/keys", { name });
  expect(status).toBe(201);
  return body.secret as string;
}

type Row = Readonly<Record<string, unknown>>;

/** Reads a list from the admin API. */
type ReadList = (path: string) => Promise<readonly Row[]>;

function createReader(gateway: KeyedGateway, admin: string): ReadList {
  return async (path) => {
    const { body } = await gateway.call(admin, { method: "GET", path: `/admin/v1${path}`, body: "" });
    return (JSON.parse(body.toString()) as { data: Row[] }).data;
  };
}

/** Waits until the ledger has this number of rows of a key, all with their costs. @returns the rows. */
function waitForRows(read: ReadList, key: string, count: number): Promise<readonly Row[]> {
  return waitUntil(async () => {
    const rows = await read(`/requests?key=${key}`);
    return rows.length === count && rows.every(({ state }) => state === "settled") ? rows : undefined;
  }, `${count} rows of ${key}`);
}

/** Reads the audit, the usage of one key, and all keys. Omits the keys' times of last use, which every request changes. */
async function readState(read: ReadList, key: string): Promise<unknown> {
  const keys = await read("/keys");
  return {
    keys: keys.map((row) => ({ ...row, last_used_at: undefined })),
    audit: await read("/audit"),
    usage: await read(`/usage?key=${key}&by=key`),
  };
}

/** Gives the caller hard budgets, and one to each of its end users, so that its requests open, draw and settle budgets. */
async function setBudgets({ gateway }: Fleet): Promise<void> {
  const budgets = { month: { limit_usd: 1_000_000 } };
  const settings = { limits: { budgets }, end_users: { source: "header:x-user", budgets } };
  const { status } = await gateway.callAdmin("PATCH", "/keys/first-caller", settings);
  expect(status).toBe(200);
}

let endUsers = 0;

/** Sends requests to all gateways, each for another end user. @returns a function that stops the requests and returns the statuses of the responses. */
function sendRequests({ gateways, gateway: { caller } }: Fleet): () => Promise<readonly (number | string)[]> {
  const statuses = new Set<number | string>();
  const ending = new AbortController();
  const clients = gateways.flatMap((each) =>
    Array.from({ length: CLIENTS }, async () => {
      while (!ending.signal.aborted)
        statuses.add(
          await each
            .call(caller, { headers: { connection: "close", "x-user": String(endUsers++) } })
            .then(({ status }) => status, String),
        );
    }),
  );
  return async () => {
    ending.abort();
    await Promise.all(clients);
    return [...statuses];
  };
}

test.each(DATABASES)(
  "$database: a restore while gateways run brings back the keys and the ledger of the backup",
  async ({ database, commands }) => {
    const fleet = await startFleet(database);
    const { gateways, gateway } = fleet;
    await setBudgets(fleet);
    const read = createReader(gateway, gateway.admin);
    const [kept, revoked] = [await createKey(gateway, "kept"), await createKey(gateway, "revoked")];
    for (const each of gateways) expect((await each.call(kept)).status).toBe(200);
    const rows = await waitForRows(read, "kept", gateways.length);
    const state = await readState(read, "kept");
    const endBackUp = sendRequests(fleet);
    await fleet.run(commands.backUp);
    expect(await endBackUp()).toEqual([200]);

    await gateway.callAdmin("DELETE", "/keys/revoked");
    const lost = await createKey(gateway, "lost");
    for (const each of gateways) {
      expect((await each.call(kept)).status).toBe(200);
      expect((await each.call(lost)).status).toBe(200);
      await waitUntil(async () => (await each.call(revoked)).status === 401, "the revocation");
    }
    await waitForRows(read, "kept", 2 * gateways.length);
    await waitForRows(read, "lost", gateways.length);
    await sleep(FOLLOWED_MS);

    const endRestore = sendRequests(fleet);
    await fleet.run(commands.restore);
    for (const { readLog } of gateways) {
      const noticed = waitUntil(() => readLog().includes(NOTICED), "the gateway to notice");
      expect(await measureRunningMs(noticed)).toBeLessThan(NOTICED_WITHIN_MS);
    }
    expect(await endRestore()).toEqual([200]);
    expect(await readState(read, "kept")).toEqual(state);
    expect(await waitForRows(read, "kept", gateways.length)).toEqual(rows);
    for (const each of gateways) {
      expect((await each.call(lost)).status).toBe(401);
      expect((await each.call(revoked)).status).toBe(200);
      expect((await each.call(kept)).status).toBe(200);
    }
    const more = await waitForRows(read, "kept", 2 * gateways.length);
    expect(more.slice(0, gateways.length)).toEqual(rows);
    expect((await gateway.call(await createKey(gateway, "new"))).status).toBe(200);
  },
  60_000,
);

test.each(DATABASES)(
  "$database: a gateway that starts with a copy of a backup has the keys and the ledger of the backup",
  async ({ database, commands, file }) => {
    const { gateways, gateway, directory, upstreamUrl, run: runHere } = await startFleet(database);
    const kept = await createKey(gateway, "kept");
    expect((await gateway.call(kept)).status).toBe(200);
    const rows = await waitForRows(createReader(gateway, gateway.admin), "kept", 1);
    await runHere(commands.backUp);
    expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
    const lost = await createKey(gateway, "lost");
    for (const each of gateways) await each.stop();

    const store = await createStore(database, directory);
    await run(commands.copy, directory, store);
    const next = await startKeyedGateway(upstreamUrl, store);
    expect((await next.call(lost)).status).toBe(401);
    expect((await next.call(kept)).status).toBe(200);
    expect((await waitForRows(createReader(next, gateway.admin), "kept", 2))[0]).toEqual(rows[0]);
  },
  60_000,
);
