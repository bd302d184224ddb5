// Shared by the probes for Node. A probe is a program that sends requests to a gateway with one SDK. This module has the models,
// the prompts, the expected responses, and a runner that prints one JSON line per scenario.
import assert from "node:assert/strict";

function requireVariable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const BASE_URL: string = requireVariable("BASE_URL");
export const API_KEY: string = requireVariable("API_KEY");
/** Identifies the requests of this run: every prompt contains it. */
export const RUN_ID: string = requireVariable("RUN_ID");
export const WRONG_KEY = "sk-not-a-key-of-this-gateway";

export const PLAIN = "openai/gpt-4o-mini";
export const EMBEDDER = "openai/text-embedding-3-small";
/** Responds in writes of 7 bytes, so that writes end in the middle of events and of characters. */
export const STREAMED = "sim/ok:events=12,split=7";
/** Responds with a stream that takes 20 s. */
export const SLOW = "sim/ok:events=400,gapMs=50";
/** Aborts the stream after its first two events. */
export const CUT = "sim/cut";
/** The message in the last event of a stream from `CUT`. The gateway adds this event. */
export const WHY_CUT = "OpenRouter closed the connection before its response was complete";
/** Never responds. */
export const SILENT = "sim/hang";
/** Responds with 429 and `Retry-After: 1` to the first request, and normally to later ones. */
export const BUSY_ONCE = `sim/flaky:times=1,status=429,retryAfter=1,id=${RUN_ID}`;
/** A length that exceeds the gateway's limit of request bodies. */
export const TOO_MANY_BYTES = 4_000_000;
/** Client timeout for requests to `SILENT`. */
export const TIMEOUT_MS = 700;

/** Returns the model that responds with this status and OpenRouter's error for it. */
export function failing(status: number): string {
  return `sim/error:status=${status}`;
}

/** Returns the prompt of a scenario. `test/sdk/matrix` finds the scenario's requests at upstream by this text. */
export function buildPrompt(scenario: string): string {
  return `Ahoj from ${RUN_ID}: ${scenario}.`;
}

/** Returns the complete text with which the simulator responds to `buildPrompt(scenario)`. */
export function buildReply(scenario: string): string {
  return buildEcho(buildPrompt(scenario));
}

/** Returns the complete text with which the simulator responds to `text`. */
export function buildEcho(text: string): string {
  return `Echo: ${text} — ¡olé! 👋🏽 你好`;
}

/** An image of one pixel. */
export const PICTURE_BASE64 =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const PICTURE_URL = `data:image/png;base64,${PICTURE_BASE64}`;

/** The text that the simulator uses for every string of a JSON schema. */
export const CITY = "Zürich 🗼";
/** A tool that has a city as its only parameter. The simulator calls it with `CITY`. */
export const TOOL_NAME = "get_weather";
export const TOOL_SCHEMA = {
  type: "object" as const,
  properties: { city: { type: "string" as const } },
  required: ["city"],
  additionalProperties: false,
};
/** The result that a probe returns for a call of the tool. */
export const TOOL_RESULT = "21 °C, sunny, no wind at all";
/** The simulator's structured output for the schema `{ city: string, celsius: integer }`. */
export const REPORT = { city: CITY, celsius: 1 };

interface Class<T> {
  readonly name: string;
  new (...args: never[]): T;
}

/** Expects `action` to fail with an error of the given class. @returns the error. @throws Error if that does not happen. */
export async function expectFailure<T extends Error>(
  action: PromiseLike<unknown>,
  expected: Class<T>,
): Promise<T> {
  let response: unknown;
  try {
    response = await action;
  } catch (error) {
    if (error instanceof expected) return error;
    throw new Error(`expected ${expected.name}, got ${describe(error)}`, { cause: error });
  }
  throw new Error(`expected ${expected.name}, got a response: ${JSON.stringify(response)}`);
}

/** Checks that `value` has these values in these fields. Ignores its other fields. */
export function expectFields(value: object, fields: Readonly<Record<string, unknown>>): void {
  const found = Object.fromEntries(Object.keys(fields).map((key) => [key, Reflect.get(value, key)]));
  assert.deepEqual(found, fields);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.constructor.name}: ${error.message}` : JSON.stringify(error);
}

const DEADLINE_MS = 20_000;

async function runWithDeadline(scenario: () => Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not finished after ${DEADLINE_MS} ms`)), DEADLINE_MS);
  try {
    await Promise.race([scenario(), promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The check of each scenario, by the name of the scenario. If a check fails, it rejects with the reason. */
export type Scenarios = Readonly<Record<string, () => Promise<void>>>;

/** Runs scenarios one after another and prints the result of each as a JSON line. */
export async function runProbe(scenarios: Scenarios): Promise<void> {
  for (const [scenario, run] of Object.entries(scenarios)) {
    let result: { ok: boolean; detail: string };
    try {
      await runWithDeadline(run);
      result = { ok: true, detail: "" };
    } catch (error) {
      result = { ok: false, detail: describe(error) };
    }
    process.stdout.write(`${JSON.stringify({ scenario, ...result })}\n`);
  }
}
