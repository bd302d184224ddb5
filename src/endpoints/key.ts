import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "../auth/caller-key.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import { type KeyUsage, readKeyUsage, NO_USAGE } from "../metering/sql/key-usage.ts";
import { type BudgetStatus, findTightest } from "../budgets/sql/read-budgets.ts";
import type { BudgetPeriod } from "../limits/limit-settings.ts";
import { readGroupBudgets, readKeyBudgets } from "../metering/sql/budget-status.ts";
import { toUsd } from "../money.ts";
import { BASE_PATHS } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

export const KEY_PATH = "key";
export const CREDITS_PATH = "credits";

/** OpenRouter's names of the periods after which a limit resets; null: never. */
const RESETS: Readonly<Record<BudgetPeriod, string | null>> = {
  day: "daily",
  week: "weekly",
  month: "monthly",
  total: null,
};

export interface KeyRouteOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  /** If undefined, there is no database, and every usage field is 0. */
  readonly persistence: { readonly database: Database; readonly keys: KeyService } | undefined;
}

/** The state of a key that both endpoints show. */
interface KeyState {
  readonly usage: KeyUsage;
  /** The budget of the key or its group of which the least money remains. */
  readonly budget: BudgetStatus | undefined;
  readonly expiresAt: number | null;
}

const NO_STATE: KeyState = { usage: NO_USAGE, budget: undefined, expiresAt: null };

/**
 * Registers `GET /key` and `GET /credits` below every base path. They describe the gateway key of the request as OpenRouter
 * describes its own keys and accounts, so that clients can show the limit, the usage and the rest.
 */
export function registerKey(app: FastifyInstance, { accessHooks, persistence }: KeyRouteOptions): void {
  const register = (path: string, describe: (key: CallerKey, state: KeyState) => object): void => {
    const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const { key } = request.caller;
      if (!key) throw createNoKeyError(path);
      const state = persistence ? await readState(key, persistence) : NO_STATE;
      return reply.send({ data: describe(key, state) });
    };
    for (const basePath of BASE_PATHS) {
      const url = `${basePath}/${path}`;
      rejectOtherMethods(app, url, ["GET"]);
      app.get(url, { onRequest: accessHooks }, handler);
    }
  };
  register(KEY_PATH, describeKey);
  register(CREDITS_PATH, describeCredits);
}

async function readState(
  key: CallerKey,
  { database, keys }: NonNullable<KeyRouteOptions["persistence"]>,
): Promise<KeyState> {
  try {
    const now = Date.now();
    const usage = await readKeyUsage(database, key.id, now);
    const budgets = await readKeyBudgets(database, key, now);
    if (key.group) budgets.push(...(await readGroupBudgets(database, key.group, now)));
    const expiresAt = key.id.startsWith("env:") ? null : (await keys.get(key.id)).expiresAt;
    return { usage, budget: findTightest(budgets), expiresAt };
  } catch (cause) {
    throw new GatewayError("store_unavailable", "The usage of the key is unavailable; try again shortly.", {
      cause,
    });
  }
}

function createNoKeyError(path: string): GatewayError {
  return new GatewayError(
    "unknown_url",
    `This endpoint describes gateway keys, and the request has none. For an OpenRouter key, call OpenRouter's own /${path} endpoint.`,
  );
}

function describeKey(
  { name }: CallerKey,
  { usage: { cost, byok }, budget, expiresAt }: KeyState,
): Record<string, unknown> {
  return {
    label: name,
    creator_user_id: null,
    limit: budget ? toUsd(budget.limit) : null,
    limit_remaining: budget ? toUsd(budget.remaining) : null,
    limit_reset: budget ? RESETS[budget.period] : null,
    include_byok_in_limit: false,
    usage: toUsd(cost.total),
    usage_daily: toUsd(cost.daily),
    usage_weekly: toUsd(cost.weekly),
    usage_monthly: toUsd(cost.monthly),
    byok_usage: toUsd(byok.total),
    byok_usage_daily: toUsd(byok.daily),
    byok_usage_weekly: toUsd(byok.weekly),
    byok_usage_monthly: toUsd(byok.monthly),
    is_free_tier: false,
    is_management_key: false,
    is_provisioning_key: false,
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    rate_limit: { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
  };
}

/**
 * Describes the key like an account whose credits are what the key has used, and what remains of its tightest budget.
 * @throws GatewayError 404 without a budget. OpenRouter itself refuses `/credits` to keys that are not management keys, so
 * clients handle an error. Null would be no number, which clients and OpenRouter's SDK expect.
 */
function describeCredits(_key: CallerKey, { usage: { cost }, budget }: KeyState): Record<string, unknown> {
  if (!budget)
    throw new GatewayError(
      "unknown_url",
      "This endpoint shows the credits of keys with a budget, and this key has none. Ask the operator to set one, or call GET /key for its usage.",
    );
  return {
    total_credits: toUsd(cost.total + BigInt(budget.remaining)),
    total_usage: toUsd(cost.total),
  };
}
