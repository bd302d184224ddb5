import { expect, test } from "vitest";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { createBudgetedKey } from "../support/budgeted-key.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { buildModelBody, MODEL_ENDPOINTS } from "../support/model-bodies.ts";
import { startTestSimulator } from "../support/simulator.ts";

/** Less than any request may cost. */
const TINY_USD = 0.000001;

const buildBody = (path: string): string => {
  const endpoint = MODEL_ENDPOINTS.find((one) => one.path === path);
  if (!endpoint) throw new Error(`no request for ${path}`);
  return buildModelBody(endpoint);
};

async function start() {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl, { BUDGET_WAIT_MS: "100" });
  /** Returns the requests that could have been billed. */
  const listSent = () => simulator.seen.filter(({ method }) => method !== "GET");
  return { simulator, gateway, listSent };
}

const ALL = RELAYED_ENDPOINTS.flatMap(({ path, basePaths }) =>
  basePaths.map((base) => [base, path] as const),
);

/** Ways to write the path of an endpoint that a router could take for another path. */
const VARIANTS: readonly ((base: string, path: string) => string)[] = [
  (base, path) => `${base}/${path}?x=1`,
  (base, path) => `${base}/${path}?beta=true`,
  (base, path) => `${base}/${path}/`,
  (base, path) => `${base}//${path}`,
  (base, path) => `/${base}/${path}`,
  (base, path) => `${base}/./${path}`,
  (base, path) => `${base}/x/../${path}`,
  (base, path) => `${base}/${path.toUpperCase()}`,
  (base, path) => `${base}/${path.replace("/", "%2f")}`,
  (base, path) => `${base}/%${path.charCodeAt(0).toString(16)}${path.slice(1)}`,
  (base, path) => `${base}/${path};x=1`,
  (base, path) => `${base}/${path}%00`,
  (base, path) => `http://openrouter.ai${base}/${path}`,
];

test("every endpoint reserves below every base path, however its path is written", async () => {
  const { gateway, listSent } = await start();
  const key = await createBudgetedKey(gateway, TINY_USD);
  for (const [base, path] of ALL) {
    const { status, body } = await gateway.call(key.secret, {
      path: `${base}/${path}`,
      body: buildBody(path),
    });
    expect([base, path, status]).toEqual([base, path, 402]);
    expect(body.toString()).toContain("budget_exceeded");
  }
  for (const [base, path] of ALL)
    for (const write of VARIANTS) {
      const url = write(base, path);
      const { status } = await gateway.call(key.secret, { path: url, body: buildBody(path) });
      expect([url, status >= 400]).toEqual([url, true]);
    }
  expect(listSent()).toEqual([]);
});

/** Endpoints of OpenRouter and OpenAI that the gateway does not relay, and methods that it does not allow. */
const OTHERS: readonly (readonly [method: string, path: string])[] = [
  ["POST", "images/generations"],
  ["POST", "audio/speech"],
  ["POST", "audio/transcriptions"],
  ["POST", "moderations"],
  ["POST", "batches"],
  ["POST", "files"],
  ["POST", "fine_tuning/jobs"],
  ["POST", "messages/count_tokens"],
  ["POST", "messages/batches"],
  ["POST", "responses/compact"],
  ["POST", "videos"],
  ["POST", "credits/coinbase"],
  ["POST", "keys"],
  ["POST", "models/openai/gpt-4o-mini"],
  ["PUT", "chat/completions"],
  ["PATCH", "responses"],
  ["DELETE", "messages"],
  ["QUERY", "chat/completions"],
];

test("no other path relays a request", async () => {
  const { gateway, listSent } = await start();
  const key = await createBudgetedKey(gateway, 100);
  const body = buildBody("chat/completions");
  for (const [method, path] of OTHERS)
    for (const base of ["/openai/v1", "/v1", "/api/v1", "/anthropic/v1", "/openai", "/anthropic", ""]) {
      const headers = { "x-http-method-override": "POST" };
      const { status } = await gateway.call(key.secret, { method, path: `${base}/${path}`, headers, body });
      expect([method, base, path, status >= 400]).toEqual([method, base, path, true]);
    }
  expect(listSent()).toEqual([]);
});

test("a budget applies however the key is sent, and the account's key is not accepted", async () => {
  const { gateway, listSent } = await start();
  const { secret } = await createBudgetedKey(gateway, TINY_USD);
  const body = buildBody("chat/completions");
  const send = async (headers: Record<string, string | undefined>) => {
    const response = await gateway.call("", { body, headers });
    return response.status;
  };
  // `call` sets the header Authorization, so the key is sent by the others in addition to an invalid one.
  for (const name of ["x-api-key", "api-key", "x-goog-api-key"])
    expect([401, 402, 400]).toContain(await send({ [name]: secret }));
  for (const authorization of [
    secret,
    secret.toUpperCase(),
    ` ${secret} `,
    `${secret},${secret}`,
    ACCOUNT_KEY,
  ]) {
    const { status } = await gateway.call(authorization, { body });
    expect([400, 401, 402]).toContain(status);
  }
  expect(listSent()).toEqual([]);
});

test("a dry run reserves nothing, and a misspelled one is not sent", async () => {
  const { gateway, listSent } = await start();
  const key = await createBudgetedKey(gateway, TINY_USD);
  for (const [base, path] of ALL) {
    const dry = await gateway.call(key.secret, {
      path: `${base}/${path}?dryRun=true`,
      body: buildBody(path),
    });
    expect([path, dry.status]).toEqual([path, path === "chat/completions" ? 200 : 400]);
    for (const query of [
      "dryRun=false",
      "dryrun=true",
      "dryRun=1",
      "dryRun=true&dryRun=false",
      "dryRun=TRUE",
    ]) {
      const { status } = await gateway.call(key.secret, {
        path: `${base}/${path}?${query}`,
        body: buildBody(path),
      });
      expect([query, status]).toEqual([query, query === "dryRun=false" ? 402 : 400]);
    }
  }
  expect(await key.readBudget()).toEqual({ spent: 0, presumed: 0, reserved: 0 });
  expect(listSent()).toEqual([]);
});
