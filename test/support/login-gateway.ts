import { type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { buildApp } from "../../src/app.ts";
import { loadConfig } from "../../src/config/config.ts";
import { ShutdownState } from "../../src/http/shutdown.ts";
import { createStaticKeyStore, chainKeyStores, type KeyStore } from "../../src/auth/key-store.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { sendRequest } from "./send-request.ts";
import { ACCOUNT_KEY, CALLER_KEY, type LogRecord } from "./gateway.ts";
import { formatResponse, startScriptedUpstream } from "./scripted-upstream.ts";

/** Starts a gateway that looks up keys in its configuration and in a store that the test controls. */
export async function startLoginGateway(stored: KeyStore, env: Record<string, string | undefined>) {
  const logs: LogRecord[] = [];
  const logger = createLogger("debug", { write: (line: string) => void logs.push(JSON.parse(line)) });
  const { baseUrl } = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const config = loadConfig({
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    OPENROUTER_BASE_URL: baseUrl,
    ...env,
  });
  const upstream = connectUpstream(config.upstream);
  const parts = {
    persistence: undefined,
    account: undefined,
    redis: undefined,
    shutdown: new ShutdownState(),
    inFlight: new InFlight(512),
    metrics: undefined,
  };
  const keys = chainKeyStores(createStaticKeyStore(config.gatewayKeys), stored);
  const app = await buildApp({ config, keys, upstream, logger, ...parts });
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    await app.close();
    await upstream.close();
  });
  const { port } = app.server.address() as AddressInfo;
  return {
    port,
    logs,
    /**
     * Sends a chat completion with this key.
     * @param address the client's address, for a gateway that trusts loopback. @returns the status of the response.
     */
    requestStatus: async (secret: string, address?: string): Promise<number> =>
      (
        await sendRequest(port, {
          headers: { authorization: `Bearer ${secret}`, "x-forwarded-for": address },
        })
      ).status,
  };
}
