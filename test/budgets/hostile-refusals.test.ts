import OpenAI, { APIError } from "openai";
import { expect, test } from "vitest";
import { type BilledSimulator, startBilledSimulator } from "../support/billed-simulator.ts";
import { type BudgetedKey, createBudgetedKey } from "../support/budgeted-key.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { waitUntil } from "../support/wait.ts";
import { catchRejection } from "../sdk/client.ts";

const MESSAGES: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const CHAT = { model: "openai/gpt-4o-mini", messages: MESSAGES, max_tokens: 2_000 };
/** Enough for one such request, and not for two. */
const ONE_USD = 0.0016;

interface Setup {
  readonly upstream: BilledSimulator;
  readonly gateway: KeyedGateway;
  readonly key: BudgetedKey;
  readonly client: OpenAI;
  /** Counts the requests with an id that a gateway has answered. */
  readonly countAnswered: (requestId: string) => number;
}

async function start(limitUsd: number): Promise<Setup> {
  const upstream = await startBilledSimulator();
  const gateway = await startKeyedGateway(upstream.simulator.baseUrl, { BUDGET_WAIT_MS: "50" });
  const key = await createBudgetedKey(gateway, limitUsd, { name: "name-of-the-key" });
  const baseURL = `http://127.0.0.1:${gateway.port}/openai/v1`;
  // The client has its default number of retries.
  const client = new OpenAI({ baseURL, apiKey: key.secret, timeout: 20_000 });
  const countAnswered = (requestId: string): number =>
    gateway
      .readLog()
      .split("\n")
      .filter((line) => line.includes(`"${requestId}"`) && line.includes('"msg":"request"')).length;
  return { upstream, gateway, key, client, countAnswered };
}

/** Expects that a message states the amounts and the renewal, and no secret. */
function expectHelpful(message: string, { key, gateway }: Setup): void {
  expect(message).toMatch(
    /^The request may cost up to \$\d+(\.\d+)?, and \$\d+(\.\d+)? of the daily budget of \$\d/,
  );
  expect(message).toMatch(/budget of \$0\.\d+ of the key is left; it renews at \d{4}-\d\d-\d\dT00:00:00Z\./);
  for (const secret of [key.secret, key.id, "name-of-the-key", ACCOUNT_KEY, gateway.admin, gateway.dataDir])
    expect(message).not.toContain(secret);
}

test("the OpenAI SDK sends a request that exceeds the budget once", async () => {
  const setup = await start(0.0001);
  const { client, countAnswered, upstream } = setup;
  const endpoints = [
    async (options: object) => client.chat.completions.create(CHAT, options),
    async (options: object) => client.chat.completions.create({ ...CHAT, stream: true }, options),
    async (options: object) => client.responses.create({ model: CHAT.model, input: "Hello" }, options),
    async (options: object) =>
      client.embeddings.create({ model: "openai/text-embedding-3-large", input: "Hello" }, options),
  ];
  for (const [index, create] of endpoints.entries()) {
    const id = `once-${index}`;
    const error = (await catchRejection(create({ headers: { "x-request-id": id } }))) as APIError;
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({
      status: 402,
      code: "budget_exceeded",
      type: "insufficient_quota",
      param: null,
    });
    expectHelpful(error.message.replace(/^402 /, ""), setup);
    await waitUntil(() => countAnswered(id) > 0, "the log line");
    expect(countAnswered(id)).toBe(1);
  }
  expect(upstream.highest).toBe(0);
});

test("the refusal has the status and the shape that each client handles best", async () => {
  const setup = await start(0.0001);
  const { gateway, key } = setup;
  const send = async (path: string, fields: object, headers: Record<string, string> = {}) => {
    const body = JSON.stringify({ model: CHAT.model, ...fields });
    const response = await gateway.call(key.secret, { path, headers, body });
    return { ...response, json: JSON.parse(response.body.toString()) };
  };
  for (const base of ["/anthropic/v1", "/openai/v1", "/v1", "/api/v1"]) {
    const message = await send(`${base}/messages`, { messages: MESSAGES, max_tokens: 2_000 });
    expect([message.status, message.headers["x-should-retry"]]).toEqual([402, "false"]);
    expect(message.json).toMatchObject({
      type: "error",
      error: { type: "billing_error", code: "budget_exceeded" },
    });
    expectHelpful(message.json.error.message, setup);
  }
  for (const originator of ["codex_exec", "codex_cli_rs", "codex-tui"]) {
    const codex = await send("/openai/v1/responses", { input: "Hello" }, { originator });
    expect([codex.status, codex.headers["x-should-retry"]]).toEqual([429, "false"]);
    expect(codex.json.error).toMatchObject({ code: "insufficient_quota", type: "insufficient_quota" });
    // Codex waits and repeats the request if it is given a time.
    expect(codex.headers["retry-after"]).toBeUndefined();
    expectHelpful(codex.json.error.message, setup);
  }
  const other = await send("/openai/v1/responses", { input: "Hello" }, { originator: "other" });
  expect([other.status, other.json.error.code]).toEqual([402, "budget_exceeded"]);
  expect(other.headers["retry-after"]).toBeUndefined();
});

test("a request that only waits for money in flight gets a 429 with retry-after", async () => {
  const setup = await start(ONE_USD);
  const { gateway, key, upstream } = setup;
  const body = JSON.stringify(CHAT);
  const path = "/openai/v1/chat/completions";
  const first = gateway.call(key.secret, { path, body, headers: { "x-session-id": "ok:delayMs=800" } });
  await waitUntil(() => upstream.highest > 0, "the first request to be sent");
  const shapes = await Promise.all([
    gateway.call(key.secret, { path, body }),
    gateway.call(key.secret, { path: "/anthropic/v1/messages", body }),
    gateway.call(key.secret, {
      path: "/openai/v1/responses",
      headers: { originator: "codex_exec" },
      body: JSON.stringify({ model: CHAT.model, input: "Hello", max_output_tokens: 2_000 }),
    }),
  ]);
  for (const { status, headers, body: text } of shapes) {
    expect([status, headers["retry-after"], headers["x-should-retry"]]).toEqual([429, "1", undefined]);
    const { error } = JSON.parse(text.toString());
    expect(error).toMatchObject({ type: "rate_limit_error", code: "budget_reserved" });
    expectHelpful(error.message, setup);
    expect(error.message).toContain("Requests in flight hold the rest of it");
  }
  expect((await first).status).toBe(200);
  // The rest of the reservation is available again.
  const later = await gateway.call(key.secret, { path, body });
  expect(later.status).toBe(200);
});
