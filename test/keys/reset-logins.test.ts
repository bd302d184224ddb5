import { type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { buildApp } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { Drain } from "../../src/http/drain.ts";
import type { KeyStore } from "../../src/keys/key-store.ts";
import { createSecret } from "../../src/keys/secret.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { createLogger } from "../../src/logger.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { CHAT_PATH, chatBody } from "../support/chat.ts";
import { ask } from "../support/ask.ts";
import { ACCOUNT_KEY, CALLER_KEY, type LogRecord } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

const LOGINS_MAX = 5;

/** A gateway whose keys are looked up in a store that answers when the test lets it. */
async function startWithSlowKeys(env: Record<string, string>) {
  const waiting: (() => void)[] = [];
  const keys: KeyStore = { find: () => new Promise((resolve) => waiting.push(() => resolve(undefined))) };
  const logs: LogRecord[] = [];
  const logger = createLogger("debug", { write: (line: string) => void logs.push(JSON.parse(line)) });
  const config = loadConfig({
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    OPENROUTER_BASE_URL: "http://127.0.0.1:9/api/v1",
    RATE_LIMIT_MAX: String(LOGINS_MAX),
    ...env,
  });
  const upstream = connectUpstream(config.upstream);
  const parts = { books: undefined, redis: undefined, drain: new Drain(), inFlight: new InFlight(8) };
  const app = await buildApp({ config, keys, upstream, logger, ...parts });
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    await app.close();
    await upstream.close();
  });
  return { port: (app.server.address() as AddressInfo).port, logs, waiting };
}

test.each([
  ["directly", {}, {}],
  ["through a trusted proxy", { TRUST_PROXY: "loopback" }, { "x-forwarded-for": "198.51.100.7" }],
])(
  "a login that fails after its connection was reset is counted and logged as one that left (%s)",
  async (_, env, headers) => {
    const gateway = await startWithSlowKeys(env);
    const wrong = (): Record<string, string> => ({ ...headers, authorization: `Bearer ${createSecret()}` });
    for (let sent = 1; sent <= LOGINS_MAX; sent++) {
      const client = new RawClient(gateway.port);
      client.post(CHAT_PATH, chatBody(), wrong());
      const answer = await until(() => gateway.waiting.shift(), "the look-up");
      client.socket.resetAndDestroy();
      await until(() => gateway.logs.length === sent, "the request to end");
      answer();
    }
    const refused = await ask(gateway.port, { headers: { ...headers, authorization: undefined } });
    expect(refused.status).toBe(429);
    const gone: unknown[] = Array.from({ length: LOGINS_MAX }, () => "client_gone");
    expect(gateway.logs.map(({ msg }) => msg)).toEqual(gateway.logs.map(() => "request"));
    expect(gateway.logs.map(({ outcome }) => outcome)).toEqual([...gone, "rejected"]);
  },
);
