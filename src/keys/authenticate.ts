import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { addressOf, type Limit } from "../limits/rate-limit.ts";
import { digestOf } from "./key-list.ts";
import type { KeyStore } from "./key-store.ts";

/** Who is calling. */
export interface Caller {
  /** Name of the gateway key; undefined for an anonymous caller or one with a key of its own. */
  readonly keyName: string | undefined;
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
  /** Counts failed attempts per address. */
  readonly failedLogins: Limit;
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;

/**
 * Makes the hook that finds out who is calling, before a byte of the body is read, and sets `request.caller`.
 * Every failure gets the same answer, so that nothing can be learned from it.
 */
export function authenticate(options: AuthenticateOptions): onRequestAsyncHookHandler {
  return async (request) => {
    const caller = await identify(request, options);
    if (caller === undefined) {
      await options.failedLogins.consume(request);
      throw unauthorized(options.openrouterApiKey !== undefined);
    }
    request.caller = caller;
    request.exchange.keyName = caller.keyName;
  };
}

async function identify(request: FastifyRequest, options: AuthenticateOptions): Promise<Caller | undefined> {
  const secret = BEARER.exec(request.headers.authorization ?? "")?.[1];
  const digest = secret === undefined ? undefined : digestOf(secret);
  if (options.openrouterApiKey === undefined) {
    if (digest === undefined) return undefined;
    return {
      keyName: undefined,
      limitKey: `own:${digest.toString("base64url")}`,
      authorization: `Bearer ${secret}`,
    };
  }
  const authorization = `Bearer ${options.openrouterApiKey}`;
  const key = digest && (await options.keys.find(digest));
  if (key) return { keyName: key.name, limitKey: `key:${key.name}`, authorization };
  return options.allowAnonymous
    ? { keyName: undefined, limitKey: `address:${addressOf(request)}`, authorization }
    : undefined;
}

function unauthorized(gatewayKeys: boolean): GatewayError {
  const whose = gatewayKeys ? "a key of this gateway" : "your OpenRouter key";
  return new GatewayError(
    "invalid_api_key",
    `No valid API key was given; send ${whose} as Authorization: Bearer.`,
    {
      headers: { "www-authenticate": "Bearer" },
    },
  );
}
