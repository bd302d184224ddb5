import { expect, test } from "vitest";
import type { KeyStore } from "../../src/auth/key-store.ts";
import { createSecret } from "../../src/key-secret.ts";
import { sendRequest } from "../support/send-request.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";
import { startLoginGateway } from "../support/login-gateway.ts";

const LOGINS_MAX = 5;

/** Creates a key store whose look-ups find no key, and end when the test resolves them. */
function createSlowStore() {
  const waiting: (() => void)[] = [];
  const lookUp = (): Promise<undefined> => new Promise((resolve) => waiting.push(() => resolve(undefined)));
  const keys: KeyStore = { find: (_digest, scheduleLookUp = (start) => start()) => scheduleLookUp(lookUp) };
  return { keys, waiting };
}

test.each([
  ["directly", {}, {}],
  ["through a trusted proxy", { TRUST_PROXY: "loopback" }, { "x-forwarded-for": "198.51.100.7" }],
])(
  "counts a login that fails after its connection was reset, and logs it as client_gone (%s)",
  async (_, env, headers) => {
    const { keys, waiting } = createSlowStore();
    const gateway = await startLoginGateway(keys, { RATE_LIMIT_MAX: String(LOGINS_MAX), ...env });
    const createHeaders = (): Record<string, string> => ({
      ...headers,
      authorization: `Bearer ${createSecret()}`,
    });
    for (let sent = 1; sent <= LOGINS_MAX; sent++) {
      const client = new RawClient(gateway.port);
      client.post(CHAT_PATH, buildChatBody(), createHeaders());
      const endLookUp = await waitUntil(() => waiting.shift(), "the look-up");
      client.socket.resetAndDestroy();
      await waitUntil(() => gateway.logs.length === sent, "the request to end");
      endLookUp();
    }
    const refused = await sendRequest(gateway.port, { headers: { ...headers, authorization: undefined } });
    expect(refused.status).toBe(429);
    const gone: unknown[] = Array.from({ length: LOGINS_MAX }, () => "client_gone");
    expect(gateway.logs.map(({ msg }) => msg)).toEqual(gateway.logs.map(() => "request"));
    expect(gateway.logs.map(({ outcome }) => outcome)).toEqual([...gone, "rejected"]);
  },
);
