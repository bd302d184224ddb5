import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { findFreePort } from "./ports.ts";
import { waitUntil } from "./wait.ts";

/** A PostgreSQL server for tests. */
export interface Postgres {
  /** Creates an empty database. @returns its URL. */
  createDatabase(): Promise<string>;
  /** Stops the server at once, without a clean shutdown. `start` restarts it on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the installed PostgreSQL on a free port, with a new data directory. */
export async function startPostgres(): Promise<Postgres> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-postgres-"));
  const port = await findFreePort();
  const bin = findBinaries();
  const user = findUnprivilegedUser();
  if (user) chownSync(directory, user.uid, user.gid);
  const data = join(directory, "data");
  const options = { ...user, cwd: directory, stdio: "ignore" as const };
  execFileSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "sluice", "-A", "trust", "-E", "UTF8", "--no-sync"],
    options,
  );
  const settings = ["fsync=off", "listen_addresses=127.0.0.1", `unix_socket_directories=${directory}`];
  let server: ReturnType<typeof spawn> | undefined;
  let databases = 0;
  const buildUrl = (name: string): string => `postgres://sluice@127.0.0.1:${port}/${name}`;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = server;
    server = undefined;
    ending?.kill(signal);
    if (ending)
      await waitUntil(() => ending.exitCode !== null || ending.signalCode !== null, "PostgreSQL to exit");
  };
  const postgres: Postgres = {
    async createDatabase() {
      const name = `test_${++databases}`;
      await runStatement(buildUrl("postgres"), `create database ${name}`);
      return buildUrl(name);
    },
    kill: () => end("SIGQUIT"),
    async start() {
      server = spawn(
        join(bin, "postgres"),
        ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
        options,
      );
      await waitUntil(
        () => runStatement(buildUrl("postgres"), "select 1").catch(() => false),
        "PostgreSQL to accept queries",
        20_000,
      );
    },
    async close() {
      await end("SIGQUIT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await postgres.start();
  return postgres;
}

async function runStatement(connectionString: string, text: string): Promise<true> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 1_000 });
  try {
    await client.connect();
    await client.query(text);
    return true;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Finds the binaries. Debian keeps those of each version in a directory outside of PATH. */
function findBinaries(): string {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => join(debian, version, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
  if (found === undefined)
    throw new Error("PostgreSQL is not installed (Debian: apt-get install postgresql)");
  return found;
}

/** Finds a user for the server, because PostgreSQL refuses to run as root. */
function findUnprivilegedUser(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined;
  const [, , uid, gid] = execFileSync("getent", ["passwd", "postgres"], { encoding: "utf8" }).split(":");
  return { uid: Number(uid), gid: Number(gid) };
}
