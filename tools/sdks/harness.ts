// What the probes for Node share: the questions, the answers they must bring, and one JSON line per scenario.
import assert from "node:assert/strict";

function requireVariable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const BASE_URL: string = requireVariable("BASE_URL");
export const API_KEY: string = requireVariable("API_KEY");
/** Tells this run's requests from those of other probes. */
export const RUN_ID: string = requireVariable("RUN_ID");
export const WRONG_KEY = "sk-not-a-key-of-this-gateway";

export const PLAIN = "openai/gpt-4o-mini";
/** Streams in writes of 7 bytes, which end in the middle of events and of characters. */
export const STREAMED = "sim/ok:events=12,split=7";
/** Streams for 20 seconds. */
export const SLOW = "sim/ok:events=400,gapMs=50";
/** Never answers. */
export const SILENT = "sim/hang";
/** Answers 429 once, with a second to wait, and then as usual. */
export const BUSY_ONCE = `sim/flaky:times=1,status=429,retryAfter=1,id=${RUN_ID}`;
/** Lets a client give up long before `SILENT` answers. */
export const TIMEOUT_MS = 700;

/** The model that answers with OpenRouter's error of a status. */
export function failing(status: number): string {
  return `sim/error:status=${status}`;
}

/** What a scenario asks; the matrix finds the request upstream by it. */
export function buildPrompt(scenario: string): string {
  return `Ahoj from ${RUN_ID}: ${scenario}.`;
}

/** The whole response to `buildPrompt(scenario)`. */
export function buildReply(scenario: string): string {
  return `Echo: ${buildPrompt(scenario)} — ¡olé! 👋🏽 你好`;
}

/** A picture of one pixel. */
export const PICTURE_URL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Any text of the simulator's. */
export const CITY = "Zürich 🗼";
/** Parameters of a tool that takes a city, and what it is called with. */
export const TOOL_NAME = "get_weather";
export const TOOL_SCHEMA = {
  type: "object" as const,
  properties: { city: { type: "string" as const } },
  required: ["city"],
  additionalProperties: false,
};
/** What every response of `{ city: string, celsius: integer }` is. */
export const REPORT = { city: CITY, celsius: 1 };

interface Class<T> {
  readonly name: string;
  new (...args: never[]): T;
}

/** Waits for a failure of the given class. @returns it, for a closer look. */
export async function expectFailure<T extends Error>(
  action: PromiseLike<unknown>,
  expected: Class<T>,
): Promise<T> {
  let response: unknown;
  try {
    response = await action;
  } catch (error) {
    if (error instanceof expected) return error;
    throw new Error(`expected ${expected.name}, came ${describe(error)}`, { cause: error });
  }
  throw new Error(`expected ${expected.name}, came a response: ${JSON.stringify(response)}`);
}

/** Checks some of a value's fields. */
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
  const timer = setTimeout(() => reject(new Error(`no end after ${DEADLINE_MS} ms`)), DEADLINE_MS);
  try {
    await Promise.race([scenario(), promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs scenarios one after the other and says how each went. */
export async function runProbe(scenarios: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
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
