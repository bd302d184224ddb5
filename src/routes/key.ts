import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "../keys/gateway-key.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import { type KeyUsage, keyUsage } from "../store/key-usage.ts";
import { usdNumber } from "../usage/money.ts";
import { allowOnly } from "./allow-only.ts";

const URL = "/openai/v1/key";
const NOTHING: KeyUsage = { total: 0, daily: 0, weekly: 0, monthly: 0 };

export interface KeyRouteOptions {
  readonly admit: onRequestAsyncHookHandler[];
  /** Undefined where nothing is kept: then usage is 0. */
  readonly books: { readonly database: Database; readonly keys: KeyService } | undefined;
}

/** `GET /openai/v1/key`: what a caller's own key is and has cost, in the shape of OpenRouter's `/key`. */
export function key(app: FastifyInstance, { admit, books }: KeyRouteOptions): void {
  allowOnly(app, URL, ["GET"]);
  app.get(URL, { onRequest: admit }, async (request, reply) => {
    const { key: own } = request.caller;
    if (!own) {
      throw new GatewayError(
        "unknown_url",
        "This is about keys of this gateway, and the request came without one. Ask OpenRouter about a key of its own.",
      );
    }
    const { usage, expiresAt } = books ? await lookUp(own, books) : { usage: NOTHING, expiresAt: null };
    return reply.send({ data: describe(own, usage, expiresAt) });
  });
}

async function lookUp(
  { id }: CallerKey,
  { database, keys }: NonNullable<KeyRouteOptions["books"]>,
): Promise<{ usage: KeyUsage; expiresAt: number | null }> {
  try {
    const usage = await keyUsage(database, id, Date.now());
    return { usage, expiresAt: id.startsWith("env:") ? null : (await keys.show(id)).expiresAt };
  } catch (cause) {
    throw new GatewayError("store_unavailable", "Usage cannot be looked up now; try again shortly.", {
      headers: { "retry-after": "2" },
      cause,
    });
  }
}

function describe({ name }: CallerKey, usage: KeyUsage, expiresAt: number | null): Record<string, unknown> {
  return {
    label: name,
    creator_user_id: null,
    limit: null,
    limit_remaining: null,
    limit_reset: null,
    include_byok_in_limit: false,
    usage: usdNumber(usage.total),
    usage_daily: usdNumber(usage.daily),
    usage_weekly: usdNumber(usage.weekly),
    usage_monthly: usdNumber(usage.monthly),
    byok_usage: 0,
    byok_usage_daily: 0,
    byok_usage_weekly: 0,
    byok_usage_monthly: 0,
    is_free_tier: false,
    is_management_key: false,
    is_provisioning_key: false,
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    rate_limit: { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
  };
}
