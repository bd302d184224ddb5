import { expect, test } from "vitest";
import { createSecret } from "../../src/key-secret.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { waitForPort, runNode } from "../support/run-node.ts";

const OWN_KEYS = { OPENROUTER_API_KEY: undefined, GATEWAY_API_KEYS: undefined };

test("a gateway without an account forwards OpenRouter keys, and never forwards a gateway key", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, OWN_KEYS);
  const call = (key: string) => sendRequest(gateway.port, { headers: { authorization: `Bearer ${key}` } });
  expect((await call("sk-or-v1-own")).status).toBe(200);
  const issued = createSecret();
  for (const key of [issued, `${issued.slice(0, -1)}!`, "sk-slc-mistyped"]) {
    const response = await call(key);
    expect([response.status, response.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    const { error } = JSON.parse(response.body.toString());
    expect(error.code).toBe("invalid_api_key");
    expect(error.message).toMatch(/key of a Sluice gateway.*OPENROUTER_API_KEY/);
  }
  expect(upstream.seen.map(({ headers }) => headers["authorization"])).toEqual(["Bearer sk-or-v1-own"]);
});

test("logs the authentication mode at start", async () => {
  const own = runNode("src/server.ts", { PORT: "0" });
  await waitForPort(own);
  expect(own.stdout()).toContain('"mode":"own keys: clients send their own OpenRouter keys');
  const account = runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: "sk-or-x",
    GATEWAY_API_KEYS: "a:b",
  });
  await waitForPort(account);
  expect(account.stdout()).toContain('"mode":"account: ');
});
