import { APIConnectionTimeoutError, APIUserAbortError, RateLimitError } from "openai";
import { expect, test } from "vitest";
import { measureRunningMs, waitUntil } from "../support/wait.ts";
import { HELLO, MODEL, catchRejection, setUpClient, type Setup } from "./client.ts";

/** OpenRouter must see a disconnect within this time, because it bills until it sees the disconnect. */
const ABORT_DEADLINE_MS = 250;

const ONE_ABORTED = { requests: 1, active: 0, completed: 0, aborted: 1 };

async function waitForAbort({ simulator }: Setup): Promise<object> {
  const aborted = waitUntil(() => simulator.readStats().aborted > 0, "upstream to see the abort");
  expect(await measureRunningMs(aborted)).toBeLessThan(ABORT_DEADLINE_MS);
  return simulator.readStats();
}

const endless = { model: "sim/ok:events=100000,gapMs=5", messages: HELLO, stream: true } as const;

test("aborts the upstream request when the client leaves the loop over a stream", async () => {
  const setup = await setUpClient();
  const stream = await setup.client.chat.completions.create(endless);
  let pieces = 0;
  for await (const chunk of stream) {
    pieces += chunk.choices.length;
    if (pieces === 3) break;
  }
  expect(await waitForAbort(setup)).toMatchObject(ONE_ABORTED);
});

test("aborts the upstream request when the client aborts a stream by its controller or a signal", async () => {
  for (const how of ["controller", "signal"] as const) {
    const setup = await setUpClient();
    const own = new AbortController();
    const stream = await setup.client.chat.completions.create(endless, { signal: own.signal });
    const { controller } = how === "controller" ? stream : { controller: own };
    const first = stream[Symbol.asyncIterator]();
    expect((await first.next()).done).toBe(false);
    controller.abort();
    expect(await waitForAbort(setup)).toMatchObject(ONE_ABORTED);
  }
});

test("aborts the upstream request when the client aborts a plain request", async () => {
  const setup = await setUpClient();
  const own = new AbortController();
  const params = { model: "sim/hang", messages: HELLO };
  const failed = catchRejection(setup.client.chat.completions.create(params, { signal: own.signal }));
  await waitUntil(() => setup.simulator.seen[0]?.model, "the request to reach upstream");
  own.abort();
  expect(await failed).toBeInstanceOf(APIUserAbortError);
  expect(await waitForAbort(setup)).toMatchObject(ONE_ABORTED);
});

test("raises a timeout error, and aborts the upstream request, when the client times out", async () => {
  const setup = await setUpClient();
  const params = { model: "sim/hang", messages: HELLO };
  const error = await catchRejection(setup.client.chat.completions.create(params, { timeout: 200 }));
  expect(error).toBeInstanceOf(APIConnectionTimeoutError);
  expect(await waitForAbort(setup)).toMatchObject(ONE_ABORTED);
});

test("relays keep-alive white space to a client that waits for JSON", async () => {
  const { client } = await setUpClient();
  const params = { model: "sim/ok:whitespace=20,gapMs=5", messages: HELLO };
  expect((await client.chat.completions.create(params)).choices).toHaveLength(1);
});

test("the client retries a 429 after upstream's Retry-After, and succeeds", async () => {
  const { client, simulator } = await setUpClient({ maxRetries: 2 });
  const startedAt = performance.now();
  const params = { model: "sim/flaky:times=1,status=429,retryAfter=1", messages: HELLO };
  const response = await client.chat.completions.create(params);
  expect(response.choices).toHaveLength(1);
  expect(simulator.readStats().requests).toBe(2);
  // Without `retry-after`, the client waits 0.5 s at most.
  expect(performance.now() - startedAt).toBeGreaterThan(950);
});

test.each([408, 500, 503, 529])("the client retries a temporary %i, and succeeds", async (status) => {
  const { client, simulator } = await setUpClient({ maxRetries: 1 });
  const params = { model: `sim/flaky:times=1,status=${status}`, messages: HELLO };
  expect((await client.chat.completions.create(params)).choices).toHaveLength(1);
  expect(simulator.readStats().requests).toBe(2);
});

test("the client retries the gateway's own 429 after its Retry-After, and succeeds", async () => {
  const { client, simulator } = await setUpClient(
    { maxRetries: 2 },
    { RATE_LIMIT_MAX: "1", RATE_LIMIT_WINDOW_MS: "1000" },
  );
  const create = () => client.chat.completions.create({ model: MODEL, messages: HELLO });
  await create();
  const error = await catchRejection(client.withOptions({ maxRetries: 0 }).models.list());
  expect(error).toBeInstanceOf(RateLimitError);
  expect(error).toMatchObject({ code: "rate_limit_exceeded", type: "rate_limit_error" });
  expect((await create()).choices).toHaveLength(1);
  expect(simulator.readStats().requests).toBe(2);
});
