import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "../auth/caller-key.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { Database } from "../store/database.ts";
import { type KeyUsage, readKeyUsage, NO_USAGE } from "../metering/sql/key-usage.ts";
import { toUsd } from "../money.ts";
import { BASE_PATHS } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";

export const KEY_PATH = "key";

export interface KeyRouteOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  /** If undefined, there is no database, and every usage field is 0. */
  readonly persistence: { readonly database: Database; readonly keys: KeyService } | undefined;
}

/** Registers `GET /key` below every base path. It describes the gateway key like OpenRouter's `/key`, with its usage. */
export function registerKey(app: FastifyInstance, { accessHooks, persistence }: KeyRouteOptions): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
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
  };
  for (const basePath of BASE_PATHS) {
    const url = `${basePath}/${KEY_PATH}`;
    rejectOtherMethods(app, url, ["GET"]);
    app.get(url, { onRequest: accessHooks }, handler);
  }
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
