import { expect, test } from "vitest";
import { createSecret, digestSecret } from "../../src/key-secret.ts";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { sendRequest } from "../support/send-request.ts";
import { waitUntil } from "../support/wait.ts";

const FOREIGN = "sk-ant-foreign-0123456789";
const OWN_KEYS = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };

const startUpstream = () =>
  startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );

/** Sends a chat completion with these secrets; undefined omits the header. @returns the status. */
async function requestStatus(
  port: number,
  { bearer, apiKey }: { bearer?: string | undefined; apiKey?: string | undefined },
): Promise<number> {
  const headers = {
    authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
    "x-api-key": apiKey,
  };
  return (await sendRequest(port, { headers })).status;
}

test.each([
  ["x-api-key alone", { apiKey: CALLER_KEY }, 200],
  ["the same key in both headers", { bearer: CALLER_KEY, apiKey: CALLER_KEY }, 200],
  ["a foreign x-api-key", { bearer: CALLER_KEY, apiKey: FOREIGN }, 200],
  ["a foreign bearer", { bearer: FOREIGN, apiKey: CALLER_KEY }, 200],
  ["an invented gateway key as x-api-key", { bearer: CALLER_KEY, apiKey: createSecret() }, 200],
  ["an invented gateway key as bearer", { bearer: createSecret(), apiKey: CALLER_KEY }, 200],
  ["an x-api-key that cannot be a key", { bearer: CALLER_KEY, apiKey: "two words" }, 200],
  ["two foreign keys", { bearer: FOREIGN, apiKey: `${FOREIGN}2` }, 401],
  ["a foreign x-api-key alone", { apiKey: FOREIGN }, 401],
  ["the account's key in both headers", { bearer: ACCOUNT_KEY, apiKey: ACCOUNT_KEY }, 401],
  ["no key", {}, 401],
])(
  "responds to %s with the right status, and forwards only the account's key",
  async (_, secrets, status) => {
    const upstream = await startUpstream();
    const gateway = await startTestGateway(upstream.baseUrl);
    expect(await requestStatus(gateway.port, secrets)).toBe(status);
    expect(upstream.seen.length).toBe(status === 200 ? 1 : 0);
    for (const { headers } of upstream.seen) {
      expect(headers["authorization"]).toBe(`Bearer ${ACCOUNT_KEY}`);
      expect(headers).not.toHaveProperty("x-api-key");
      expect(JSON.stringify(headers)).not.toMatch(/sk-ant|sk-caller|sk-slc/);
    }
  },
);

test("a stored key is accepted in either header, and a revoked one in neither, whatever the other header has", async () => {
  const upstream = await startUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl);
  const { secret } = (await gateway.callAdmin("POST", "/keys", { name: "bob" })).body;
  const pairs = [
    { apiKey: secret },
    { bearer: secret, apiKey: FOREIGN },
    { bearer: FOREIGN, apiKey: secret },
  ];
  for (const pair of pairs) expect(await requestStatus(gateway.port, pair)).toBe(200);
  await gateway.callAdmin("DELETE", "/keys/bob");
  await waitUntil(
    async () => (await requestStatus(gateway.port, { apiKey: secret })) === 401,
    "the revocation",
  );
  for (const pair of pairs) expect(await requestStatus(gateway.port, pair)).toBe(401);
  for (const pair of [
    { bearer: secret, apiKey: gateway.caller },
    { bearer: gateway.caller, apiKey: secret },
  ])
    expect(await requestStatus(gateway.port, pair)).toBe(200);
});

test("with ALLOW_ANONYMOUS, foreign keys are anonymous, and an invalid gateway key in either header is refused", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { ALLOW_ANONYMOUS: "true" });
  const invented = createSecret();
  const cases: [{ bearer?: string; apiKey?: string }, number][] = [
    [{ apiKey: FOREIGN }, 200],
    [{ bearer: FOREIGN, apiKey: `${FOREIGN}2` }, 200],
    [{ apiKey: invented }, 401],
    [{ bearer: FOREIGN, apiKey: invented }, 401],
    [{ bearer: invented, apiKey: FOREIGN }, 401],
    [{ bearer: invented, apiKey: CALLER_KEY }, 200],
  ];
  for (const [secrets, status] of cases)
    expect([secrets, await requestStatus(gateway.port, secrets)]).toEqual([secrets, status]);
});

test("without an account, the OpenRouter key of either header is forwarded, and no other secret", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, OWN_KEYS);
  const own = "sk-or-v1-own";
  const accepted = [
    { apiKey: own },
    { bearer: own, apiKey: FOREIGN },
    { bearer: FOREIGN, apiKey: own },
    { bearer: createSecret(), apiKey: own },
    { bearer: own, apiKey: createSecret() },
  ];
  for (const secrets of accepted) expect(await requestStatus(gateway.port, secrets)).toBe(200);
  expect(await requestStatus(gateway.port, { bearer: createSecret(), apiKey: createSecret() })).toBe(401);
  expect(upstream.seen.map(({ headers }) => headers["authorization"])).toEqual(
    accepted.map(() => `Bearer ${own}`),
  );
  expect(upstream.seen.some(({ headers }) => "x-api-key" in headers)).toBe(false);
});

test("over the login limit, two unknown secrets get 429, and a valid key is accepted next to a foreign one", async () => {
  const upstream = await startUpstream();
  const digest = digestSecret("sk-by-digest").toString("hex");
  const gateway = await startTestGateway(upstream.baseUrl, {
    RATE_LIMIT_MAX: "2",
    GATEWAY_API_KEYS: `team:${CALLER_KEY},other:sha256=${digest}`,
  });
  const foreign = { bearer: FOREIGN, apiKey: `${FOREIGN}2` };
  const statuses = [];
  for (let sent = 0; sent < 4; sent++) statuses.push(await requestStatus(gateway.port, foreign));
  expect(statuses).toEqual([401, 429, 429, 429]);
  expect(await requestStatus(gateway.port, { bearer: FOREIGN, apiKey: CALLER_KEY })).toBe(200);
  expect(await requestStatus(gateway.port, { bearer: FOREIGN, apiKey: "sk-by-digest" })).toBe(200);
});

test("with ALLOW_ANONYMOUS, requests with two foreign keys are no failed logins of their address", async () => {
  const upstream = await startUpstream();
  const first = await startKeyedGateway(upstream.baseUrl);
  await first.stop();
  const gateway = await startKeyedGateway(upstream.baseUrl, {
    DATA_DIR: first.dataDir,
    ALLOW_ANONYMOUS: "true",
    RATE_LIMIT_MAX: "3",
  });
  const statuses: number[] = [];
  for (let count = 0; count < 4; count++)
    statuses.push(await requestStatus(gateway.port, { bearer: FOREIGN, apiKey: `${FOREIGN}2` }));
  expect(statuses).toEqual([200, 200, 200, 429]);
  expect(await requestStatus(gateway.port, { apiKey: first.caller })).toBe(200);
});
