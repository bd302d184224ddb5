import type { z } from "zod";
import type { newGroupSchema } from "../keys/group-input.ts";
import type { newKeySchema } from "../keys/key-input.ts";

/** Hours (UTC) in which a caller is active. `night`: batches from 1 to 4 o'clock. */
export type Rhythm = "office" | "day" | "night";

/** A fictional application with a key of its own. */
export interface Caller {
  /** The settings of its key, as the admin API accepts them. */
  readonly key: z.input<typeof newKeySchema>;
  /** The models it uses, with weights. */
  readonly models: Readonly<Record<string, number>>;
  /** Endpoint below the base URL, such as `chat/completions`. */
  readonly endpoint: string;
  /** Medians for one request. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Share of the requests that are streamed, from 0 to 1. */
  readonly streamShare: number;
  /** Requests in the busiest hour of a working day. */
  readonly hourlyRequests: number;
  readonly rhythm: Rhythm;
  /** Number of different end users; 0: its requests name none. */
  readonly endUsers: number;
  /** Whether the key was disabled two days ago, so that newer requests do not exist. */
  readonly isDisabled?: boolean;
}

/** The groups of the demo's keys, as the admin API accepts them. */
export const GROUPS: readonly z.input<typeof newGroupSchema>[] = [
  { name: "product", limits: { budgets: { month: { limit_usd: 120 } } } },
  { name: "engineering", limits: { budgets: { week: { limit_usd: 90, mode: "soft" } } } },
  { name: "research" },
];

const CHAT = "chat/completions";

/** The applications of the demo. */
export const CALLERS: readonly Caller[] = [
  {
    key: {
      name: "web-assistant",
      owner: "Mira Novak",
      group: "product",
      metadata: { environment: "production" },
      limits: { budgets: { day: { limit_usd: 4 } }, requests_per_minute: 600 },
      endUsers: { source: "user" },
    },
    models: { "openai/gpt-4o-mini": 5, "google/gemini-3-flash-preview": 3, "openai/gpt-5-mini": 2 },
    endpoint: CHAT,
    promptTokens: 1_400,
    completionTokens: 320,
    streamShare: 0.95,
    hourlyRequests: 92,
    rhythm: "day",
    endUsers: 60,
  },
  {
    key: {
      name: "support-bot",
      owner: "Tomás Rey",
      group: "product",
      metadata: { environment: "production" },
      limits: { budgets: { day: { limit_usd: 12 }, month: { limit_usd: 100 } } },
      endUsers: { source: "user", budgets: { day: { limit_usd: 1 } } },
    },
    models: { "anthropic/claude-haiku-4.5": 6, "anthropic/claude-sonnet-4.5": 2 },
    endpoint: CHAT,
    promptTokens: 3_800,
    completionTokens: 420,
    streamShare: 0.8,
    hourlyRequests: 40,
    rhythm: "day",
    endUsers: 35,
  },
  {
    key: { name: "code-review", owner: "Ines Falk", group: "engineering", onDisconnect: "drain" },
    models: { "anthropic/claude-sonnet-4.5": 5, "anthropic/claude-opus-5": 1 },
    endpoint: "messages",
    promptTokens: 9_500,
    completionTokens: 700,
    streamShare: 1,
    hourlyRequests: 24,
    rhythm: "office",
    endUsers: 0,
  },
  {
    key: {
      name: "research-notebook",
      owner: "Jonas Weber",
      group: "research",
      models: ["deepseek/*", "qwen/*", "openai/*"],
    },
    models: { "deepseek/deepseek-r1": 4, "qwen/qwen3-32b": 3, "openai/gpt-4o": 2 },
    endpoint: "responses",
    promptTokens: 2_600,
    completionTokens: 1_500,
    streamShare: 0.5,
    hourlyRequests: 16,
    rhythm: "office",
    endUsers: 0,
  },
  {
    key: { name: "search-index", owner: "Aiko Tanaka", group: "engineering", models: ["*embedding*"] },
    models: { "openai/text-embedding-3-small": 4, "qwen/qwen3-embedding-8b": 1 },
    endpoint: "embeddings",
    promptTokens: 6_200,
    completionTokens: 0,
    streamShare: 0,
    hourlyRequests: 140,
    rhythm: "night",
    endUsers: 0,
  },
  {
    key: { name: "nightly-reports", owner: "Lena Brandt", limits: { budgets: { week: { limit_usd: 25 } } } },
    models: { "meta-llama/llama-3.3-70b-instruct": 3, "openai/gpt-4o": 1 },
    endpoint: CHAT,
    promptTokens: 7_000,
    completionTokens: 1_100,
    streamShare: 0,
    hourlyRequests: 32,
    rhythm: "night",
    endUsers: 0,
  },
  {
    key: { name: "contractor-2025", owner: "Nils Aho", metadata: { ticket: "OPS-311" } },
    models: { "openai/gpt-4o": 1 },
    endpoint: CHAT,
    promptTokens: 900,
    completionTokens: 260,
    streamShare: 1,
    hourlyRequests: 10,
    rhythm: "office",
    endUsers: 0,
    isDisabled: true,
  },
];

/** The key whose total budget is nearly exhausted, and the share that is used. */
export const NEARLY_EXHAUSTED = { name: "research-notebook", share: 0.97 };
/** The key that is refused until its budget renews. */
export const BLOCKED = "nightly-reports";

/** Returns the name of one of the end users of a caller. @param number from 0. */
export function nameEndUser(number: number): string {
  return `customer-${1_000 + number * 37}`;
}

const OFFICE_HOURS: readonly [from: number, to: number] = [8, 18];
const NIGHT_HOURS: readonly [from: number, to: number] = [1, 4];

/**
 * Computes how busy a caller is at a time, from 0 to 1.
 * @param ms since 1970.
 */
export function computeActivity(rhythm: Rhythm, ms: number): number {
  const date = new Date(ms);
  const hour = date.getUTCHours() + date.getUTCMinutes() / 60;
  const isWeekend = date.getUTCDay() % 6 === 0;
  const isWithin = ([from, to]: readonly [number, number]): boolean => hour >= from && hour < to;
  if (rhythm === "night") return isWithin(NIGHT_HOURS) ? 1 : 0;
  if (rhythm === "office") return isWithin(OFFICE_HOURS) ? (isWeekend ? 0.05 : 1) : 0.06;
  // A wave with its peak at 15:00 and its low at 03:00.
  const wave = (1 + Math.cos(((hour - 15) / 24) * 2 * Math.PI)) / 2;
  return (0.08 + 0.92 * wave ** 1.5) * (isWeekend ? 0.45 : 1);
}
