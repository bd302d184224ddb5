// Compares the CPU times of two requests from an address that has exceeded its limit of failed logins: one with an invented
// key, and one without a key. The result is their ratio.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import { createSecret } from "../../src/key-secret.ts";
import { GATEWAY_KEY } from "./load.ts";
import { type ServerProcess, startServer, stopServers } from "./server-process.ts";

const GATEWAY = new URL("../../src/server.ts", import.meta.url);
const ROUNDS = 9;
const REQUESTS = 2_000;
const CONCURRENCY = 32;
/** Maximum CPU time of a request with an invented key, as a multiple of a request without a key. */
const BUDGET = 1.15;

const KINDS: Readonly<Record<string, () => Record<string, string>>> = {
  "without a key": () => ({}),
  "without a key, again (noise)": () => ({}),
  "invented key": () => ({ authorization: `Bearer ${secrets[next++ % secrets.length]}` }),
  "invented key in another format than the gateway's": () => ({
    authorization: `Bearer sk-invented-${next++}`,
  }),
};
/** Created before the measurement, because their creation takes CPU time. */
const secrets = Array.from({ length: REQUESTS }, createSecret);
let next = 0;

async function send(pool: Pool, headers: Record<string, string>): Promise<number> {
  const { statusCode, body } = await pool.request({ method: "GET", path: "/openai/v1/models", headers });
  await body.dump();
  return statusCode;
}

/** @returns CPU time of the gateway per request, in µs. */
async function measure(gateway: ServerProcess, pool: Pool, createHeaders: () => Record<string, string>) {
  const before = await gateway.readCpuUs();
  let left = REQUESTS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const status = await send(pool, createHeaders());
      if (status !== 429) throw new Error(`status ${status} instead of 429`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return ((await gateway.readCpuUs()) - before) / REQUESTS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

async function main(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const gateway = await startServer(GATEWAY, {
    PORT: "0",
    OPENROUTER_API_KEY: "sk-or-bench",
    GATEWAY_API_KEYS: GATEWAY_KEY,
    RATE_LIMIT_MAX: "1",
    RATE_LIMIT_WINDOW_MS: "3600000",
    DATA_DIR: dataDir,
  });
  const pool = new Pool(new URL(gateway.url).origin, { connections: CONCURRENCY });
  for (let sent = 0; sent < 3; sent++) await send(pool, {});
  const costs = new Map<string, number[]>(Object.keys(KINDS).map((kind) => [kind, []]));
  // The first round warms up the gateway and is not counted.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [kind, createHeaders] of Object.entries(KINDS)) {
      const cost = await measure(gateway, pool, createHeaders);
      if (round > 0) costs.get(kind)?.push(cost);
    }
  }
  await pool.destroy();
  stopServers();
  await rm(dataDir, { recursive: true, force: true });
  const withoutKey = costs.get("without a key") ?? [];
  let passed = true;
  for (const [kind, values] of costs) {
    const ratio = median(values.map((value, round) => value / (withoutKey[round] ?? NaN)));
    process.stdout.write(`${kind}: ${median(values).toFixed(1)} µs CPU, ratio ${ratio.toFixed(3)}\n`);
    passed &&= ratio <= BUDGET;
  }
  process.exit(passed ? 0 : 1);
}

await main();
