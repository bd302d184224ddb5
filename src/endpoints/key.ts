import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "../auth/caller-key.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import { type KeyUsage, readKeyUsage, NO_USAGE } from "../metering/sql/key-usage.ts";
import { toUsd } from "../metering/money.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

const URL = "/openai/v1/key";

export interface KeyRouteOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  /** If undefined, there is no database, and every usage field is 0. */
  readonly persistence: { readonly database: Database; readonly keys: KeyService } | undefined;
}

/** Registers `GET /openai/v1/key`, which describes the gateway key of the request like OpenRouter's `/key`, with its usage. */
export function registerKey(app: FastifyInstance, { accessHooks, persistence }: KeyRouteOptions): void {
  rejectOtherMethods(app, URL, ["GET"]);
  app.get(URL, { onRequest: accessHooks }, async (request, reply) => {
    const { key: own } = request.caller;
    if (!own) {
      throw new GatewayError(
        "unknown_url",
        "This endpoint describes gateway keys, and the request has none. For an OpenRouter key, call OpenRouter's own /key endpoint.",
      );
    }
    const { usage, expiresAt } = persistence
      ? await lookUp(own, persistence)
      : { usage: NO_USAGE, expiresAt: null };
    return reply.send({ data: describe(own, usage, expiresAt) });
  });
}

async function lookUp(
  { id }: CallerKey,
  { database, keys }: NonNullable<KeyRouteOptions["persistence"]>,
): Promise<{ usage: KeyUsage; expiresAt: number | null }> {
  try {
    const usage = await readKeyUsage(database, id, Date.now());
    return { usage, expiresAt: id.startsWith("env:") ? null : (await keys.get(id)).expiresAt };
  } catch (cause) {
    throw new GatewayError("store_unavailable", "The usage of the key is unavailable; try again shortly.", {
      cause,
    });
  }
}

function describe(
  { name }: CallerKey,
  { cost, byok }: KeyUsage,
  expiresAt: number | null,
): Record<string, unknown> {
  return {
    label: name,
    creator_user_id: null,
    limit: null,
    limit_remaining: null,
    limit_reset: null,
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
