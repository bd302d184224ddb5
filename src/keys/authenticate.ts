import type { onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { addressOf, type Limit } from "../limits/rate-limit.ts";
import type { CallerKey, KeyRole } from "./gateway-key.ts";
import { digestOf } from "./key-list.ts";
import type { KeyStore } from "./key-store.ts";
import { isIssued, isMistyped } from "./secret.ts";

/** Who is calling. */
export interface Caller {
  /** The gateway key; undefined for an anonymous caller or one with a key of its own. */
  readonly key: CallerKey | undefined;
  /** Which requests count as the same caller's. */
  readonly limitKey: string;
  /** What to send upstream as `Authorization`; the gateway's own when it owns the account. */
  readonly authorization: string;
}

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller;
  }
}

export interface AuthenticateOptions {
  /** The account's OpenRouter key; undefined when callers bring their own. */
  readonly openrouterApiKey: string | undefined;
  readonly keys: KeyStore;
  readonly allowAnonymous: boolean;
  /** What a key has to be for. */
  readonly role: KeyRole;
  /** Counts failed attempts per address. */
  readonly failedLogins: Limit;
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;

/**
 * Makes the hook that finds out who is calling, before a byte of the body is read, and sets `request.caller`.
 * Every key that is not accepted gets the same answer, so that nothing can be learned about it.
 */
export function authenticate(options: AuthenticateOptions): onRequestAsyncHookHandler {
  return async (request) => {
    const secret = BEARER.exec(request.headers.authorization ?? "")?.[1];
    const mistyped = secret !== undefined && isMistyped(secret);
    // Before the first await: a connection that was reset has no address.
    const address = addressOf(request);
    const caller = mistyped ? undefined : await identify(address, secret, options);
    if (caller === undefined) {
      await options.failedLogins.consume(address);
      if (options.openrouterApiKey === undefined && secret !== undefined) throw notForwarded();
      throw unauthorized(options.openrouterApiKey !== undefined, secret !== undefined, mistyped);
    }
    request.caller = caller;
    request.exchange.keyId = caller.key?.id;
    request.exchange.keyName = caller.key?.name;
    // Without a key of the gateway one is a caller at most.
    if ((caller.key?.role ?? "caller") !== options.role) throw wrongRole(options.role);
  };
}

async function identify(
  address: string,
  secret: string | undefined,
  options: AuthenticateOptions,
): Promise<Caller | undefined> {
  const digest = secret === undefined ? undefined : digestOf(secret);
  if (options.openrouterApiKey === undefined) {
    // A key of a gateway's would be shown to OpenRouter.
    if (digest === undefined || isIssued(secret ?? "")) return undefined;
    return {
      key: undefined,
      limitKey: `own:${digest.toString("base64url")}`,
      authorization: `Bearer ${secret}`,
    };
  }
  const authorization = `Bearer ${options.openrouterApiKey}`;
  const found = digest && options.keys.find(digest);
  const key = found instanceof Promise ? await found : found;
  if (key) return { key, limitKey: `key:${key.id}`, authorization };
  // A key that was revoked must not open more than it did.
  return options.allowAnonymous && !(secret !== undefined && isIssued(secret))
    ? { key: undefined, limitKey: `address:${address}`, authorization }
    : undefined;
}

function wrongRole(role: KeyRole): GatewayError {
  return new GatewayError(
    "key_role_not_allowed",
    role === "admin"
      ? "This key is for models; the admin API takes a key whose role is admin."
      : "This key is for the admin API; models take a key whose role is caller.",
  );
}

/** In own-key mode only keys of the form that gateways make are refused. */
function notForwarded(): GatewayError {
  return new GatewayError(
    "invalid_api_key",
    "This is a key of a Sluice gateway, but this gateway forwards its callers' own OpenRouter keys; send one of those, or have its operator set OPENROUTER_API_KEY.",
    { headers: { "www-authenticate": "Bearer" } },
  );
}

function unauthorized(gatewayKeys: boolean, given: boolean, mistyped: boolean): GatewayError {
  const whose = gatewayKeys ? "a key of this gateway" : "your OpenRouter key";
  const wrong = given
    ? "No valid API key was given: the one in Authorization is unknown, expired, disabled or revoked"
    : "No API key was given";
  return new GatewayError("invalid_api_key", `${wrong}; send ${whose} as Authorization: Bearer.`, {
    headers: { "www-authenticate": "Bearer" },
    // For the log alone: a checksum tells it without a look-up.
    cause: mistyped ? Object.assign(new Error("mistyped key"), { code: "MISTYPED_KEY" }) : undefined,
  });
}
