// Runs `doctor` against real servers that are configured badly: Redis, PostgreSQL, nginx and HAProxy.
import { spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Client } from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { listFindings, listWithoutRemedy, runDoctor } from "../support/doctor.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { findFreePort, isListening } from "../support/ports.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

const NOWHERE = "http://127.0.0.1:9/api/v1";
let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

async function migrate(url: string): Promise<void> {
  const database = openDatabase({ dataDir: "", databaseUrl: url }, () => {});
  await database.migrate();
  await database.close();
}

async function checkDatabase(env: Record<string, string>) {
  const findings = await runDoctor({ DATA_DIR: createTemporaryDirectory(), ...env });
  expect(listWithoutRemedy(findings)).toEqual([]);
  return listFindings(findings, "database");
}

test("a new PostgreSQL database is ok, and stays empty", async () => {
  const url = await postgres.createDatabase();
  expect(await checkDatabase({ DATABASE_URL: url })).toEqual([
    expect.stringMatching(/^ok: PostgreSQL responds to a query in/),
    "ok: This machine's clock agrees with that of the database.",
    expect.stringMatching(/^ok: The schema lacks \d+ migration/),
    expect.stringMatching(/^ok: PostgreSQL has the version \d+/),
    expect.stringMatching(/^ok: PostgreSQL allows 97 connections/),
    expect.stringMatching(/^ok: The database accepts writes/),
  ]);
  expect(await query(url, "select * from pg_tables where schemaname = 'public'")).toEqual([]);
}, 30_000);

test("PostgreSQL: several gateways without Redis, too many gateways, unknown costs and overdue costs", async () => {
  const url = await postgres.createDatabase();
  await migrate(url);
  const now = Date.now();
  for (let id = 0; id < 8; id++)
    await query(url, `insert into instances (id, started_at, seen_at) values ('i${id}', ${now}, ${now})`);
  const insert = (id: string, state: string) =>
    query(
      url,
      `insert into requests (id, request_id, instance, key_id, key_name, stream, status, state, bytes_in, bytes_out, started_at, ended_at, endpoint)
       values ('${id}', '${id}', 'i0', 'k', 'k', 0, 200, '${state}', 0, 0, 0, 1, 'chat/completions')`,
    );
  await insert("a", "pending");
  await insert("b", "unknown");
  const found = (await checkDatabase({ DATABASE_URL: url })).filter((text) => !text.startsWith("ok"));
  expect(found).toEqual([
    expect.stringMatching(/^warning: PostgreSQL allows 97 connections.* 8 gateway\(s\) open up to 112/),
    expect.stringMatching(/^warning: 8 gateway\(s\) sent a heartbeat.*REDIS_URL is not set.*8 times/),
    expect.stringMatching(/^warning: A request has waited for its cost for \d{5} days,/),
    expect.stringMatching(/^warning: The cost of 1 request\(s\) is unknown/),
  ]);
}, 30_000);

test("PostgreSQL: a read-only database, a newer schema, a wrong password, and a database that does not exist", async () => {
  const url = await postgres.createDatabase();
  await query(url, `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`);
  const readOnly = await checkDatabase({ DATABASE_URL: url });
  expect(readOnly).toContain("failed: Transactions on this PostgreSQL server are read-only.");
  expect(readOnly.join()).toMatch(/failed: The database does not accept writes/);
  const newer = await postgres.createDatabase();
  await migrate(newer);
  await query(newer, "insert into sluice_migrations (name, timestamp) values ('9999-future', 'x')");
  expect((await checkDatabase({ DATABASE_URL: newer })).at(-1)).toMatch(
    /failed: A newer version .*9999-future/,
  );
  const missing = new URL(url);
  missing.pathname = "/nothing";
  missing.password = "secret-word";
  const [failed] = await checkDatabase({ DATABASE_URL: missing.href });
  expect(failed).toMatch(/^failed: The database is unusable: 3D000/);
  expect(failed).not.toContain("secret-word");
}, 30_000);

test("Redis: latency and version, eviction, a replica, a password, and refused scripts", async () => {
  const redis = await startRedis();
  const check = async (url: string, env: Record<string, string> = {}) =>
    listFindings(await runDoctor({ DATA_DIR: "/nonexistent/x", REDIS_URL: url, ...env }), "redis");
  expect(await check(redis.url)).toEqual([
    expect.stringMatching(/^ok: Redis \d+\.\d+\.\d+ responds in .*REDIS_TIMEOUT_MS is 50\.$/),
    "ok: Redis runs scripts (EVAL).",
  ]);
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  await client.config("SET", "maxmemory-policy", "allkeys-lru");
  expect((await check(redis.url)).at(-1)).toMatch(/^warning: Redis has the maxmemory-policy allkeys-lru/);
  await client.call("ACL", "SETUSER", "bob", "on", ">secret-word", "~*", "+@all", "-eval");
  const asBob = new URL(redis.url);
  asBob.username = "bob";
  asBob.password = "secret-word";
  expect(await check(asBob.href)).toContain("failed: Redis refuses scripts: NOPERM.");
  asBob.password = "wrong-word";
  expect(await check(asBob.href)).toEqual([expect.stringMatching(/^failed: Redis is unusable: .*WRONGPASS/)]);
  expect(JSON.stringify(await check(asBob.href))).not.toMatch(/wrong-word|bob/);
  await client.call("REPLICAOF", "127.0.0.1", "1");
  expect(await check(redis.url)).toContain("failed: This Redis is a read-only replica.");
  expect(await client.dbsize()).toBe(0);
}, 30_000);

test("Redis that does not respond fails within the deadline", async () => {
  const redis = await startRedis();
  redis.process.kill("SIGSTOP");
  const findings = await runDoctor({ DATA_DIR: "/nonexistent/x", REDIS_URL: redis.url });
  expect(listFindings(findings, "redis")).toEqual([expect.stringMatching(/^failed: Redis is unusable/)]);
  redis.process.kill("SIGCONT");
}, 30_000);

/** Starts a proxy program with a configuration, until the test ends. @returns the base URL of clients. */
async function startProgram(
  command: (config: string, directory: string) => readonly [string, ...string[]],
  createConfig: (port: number, directory: string) => string,
): Promise<string> {
  const port = await findFreePort();
  const directory = createTemporaryDirectory();
  chmodSync(directory, 0o777);
  const path = join(directory, "config");
  writeFileSync(path, createConfig(port, directory));
  const [program, ...args] = command(path, directory);
  const child = spawn(program, args, { cwd: directory, stdio: "ignore" });
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await waitUntil(() => child.exitCode !== null || child.signalCode !== null, `${program} to exit`);
  });
  await waitUntil(() => isListening(port), `${program} to listen`, 10_000);
  return `http://127.0.0.1:${port}/openai/v1`;
}

function startNginx(gatewayPort: number, location: string): Promise<string> {
  return startProgram(
    (config, directory) => ["nginx", "-p", directory, "-c", config],
    (port) => `daemon off; error_log stderr; pid nginx.pid; events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${gatewayPort}; ${location} }
  }
}`,
  );
}

async function checkUrl(url: string, idleMs = 0): Promise<string[]> {
  const findings = await runDoctor({ DATA_DIR: "/nonexistent/x", SLUICE_KEY: CALLER_KEY }, { url, idleMs });
  expect(listWithoutRemedy(findings)).toEqual([]);
  return listFindings(findings, "public url").filter((text) => !text.includes("(--idle 0)"));
}

test("nginx with its defaults buffers streams if it ignores the gateway's header, and refuses long bodies", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const url = await startNginx(
    gateway.port,
    "proxy_ignore_headers X-Accel-Buffering; proxy_set_header X-Forwarded-For $remote_addr;",
  );
  const results = await checkUrl(url);
  expect(results.filter((text) => !text.startsWith("ok"))).toEqual([
    expect.stringMatching(/^failed: Something in front of the gateway buffers streams/),
    expect.stringMatching(/^warning: .*X-Forwarded-For/),
    expect.stringMatching(/^failed: .* refuses a request body of 4 MiB \(413\)/),
  ]);
}, 40_000);

test("nginx with buffering off and a larger limit has no fault, and its read timeout is found", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const url = await startNginx(
    gateway.port,
    "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; client_max_body_size 64m; proxy_read_timeout 1s;",
  );
  expect((await checkUrl(url)).filter((text) => !text.startsWith("ok"))).toEqual([]);
  expect((await checkUrl(url, 4_000)).at(-1)).toMatch(/^failed: .* of silence.*has an idle timeout/);
}, 40_000);

test("HAProxy with a server timeout of one second cuts silent streams", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const url = await startProgram(
    (config) => ["haproxy", "-db", "-f", config],
    (port) => `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 1s
frontend clients
  bind 127.0.0.1:${port}
  default_backend gateways
backend gateways
  server a 127.0.0.1:${gateway.port}
`,
  );
  const results = await checkUrl(url, 3_000);
  expect(results.filter((text) => !text.startsWith("ok"))).toEqual([
    expect.stringMatching(/^failed: A stream was cut off after \d+ ms of silence.*has an idle timeout/),
  ]);
}, 40_000);
