import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { getLimitAddress } from "../limits/caller-id.ts";
import type { Limit } from "../limits/rate-limit.ts";
import type { CallerKey, KeyRole } from "./caller-key.ts";
import { digestSecret, hasIssuedPrefix, isMistyped } from "../key-secret.ts";
import type { KeyStore } from "./key-store.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import type { LookUpQueue } from "./look-up-queue.ts";

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
  /** Secrets that are looked up even for an address that exceeds the limit of failed logins. */
  readonly knownSecrets: KnownSecrets;
  /** Bounds how many keys are looked up in a database at once. */
  readonly lookUps: LookUpQueue;
  readonly allowAnonymous: boolean;
  /** What a key has to be for. */
  readonly role: KeyRole;
  /** Counts failed attempts per address. */
  readonly failedLogins: Limit;
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;

/**
 * Makes the hook that finds out who is calling, before a byte of the body is read, and sets `request.caller`.
 * Every key that is not accepted gets the same answer, so that nothing can be learned about it. An address that exceeds the
 * limit of failed logins gets 429 for every secret that is not known, at the cost of a checksum.
 */
export function authenticate(options: AuthenticateOptions): onRequestAsyncHookHandler {
  return async (request) => {
    const secret = BEARER.exec(request.headers.authorization ?? "")?.[1];
    const caller = findCallerInMemory(secret, options) ?? (await logIn(request, secret, options));
    request.caller = caller;
    request.context.keyId = caller.key?.id;
    request.context.keyName = caller.key?.name;
    // Without a key of the gateway one is a caller at most.
    if ((caller.key?.role ?? "caller") !== options.role) throw createRoleError(options.role);
  };
}

/** The caller of nearly every request: one whose key is in memory. It is cheap because it does not read the address. */
function findCallerInMemory(secret: string | undefined, options: AuthenticateOptions): Caller | undefined {
  const { openrouterApiKey, keys, knownSecrets } = options;
  if (secret === undefined) return undefined;
  // A key of a gateway's would be shown to OpenRouter.
  if (openrouterApiKey === undefined) return hasIssuedPrefix(secret) ? undefined : createOwnKeyCaller(secret);
  if (!knownSecrets.has(secret)) return undefined;
  const key = keys.find(digestSecret(secret), skipLookUp);
  return key === undefined || key instanceof Promise ? undefined : createKeyCaller(key, openrouterApiKey);
}

/**
 * Identifies a caller that has no key, or one that is not in memory.
 * @throws GatewayError 401, 429 when its address keeps failing, 503 when the key cannot be looked up.
 */
async function logIn(
  request: FastifyRequest,
  secret: string | undefined,
  options: AuthenticateOptions,
): Promise<Caller> {
  const { openrouterApiKey, knownSecrets, failedLogins } = options;
  // Before the first await: a connection that was reset has no address.
  const address = getLimitAddress(request);
  const isKnown = secret !== undefined && knownSecrets.has(secret);
  const refuse = async (): Promise<never> => {
    if (isKnown) knownSecrets.delete(secret);
    await failedLogins.consume(address);
    throw createLoginError(secret, openrouterApiKey !== undefined);
  };
  if (openrouterApiKey === undefined) return refuse();
  if (secret !== undefined) {
    const mayLookUp = (): boolean => isKnown || !failedLogins.isExceededBy(address);
    const key = await findKey(secret, { ...options, mayLookUp, refuse });
    if (key) {
      knownSecrets.add(secret, key.id);
      return createKeyCaller(key, openrouterApiKey);
    }
  }
  // A key that was revoked must not open more than it did.
  return options.allowAnonymous && (secret === undefined || !hasIssuedPrefix(secret))
    ? {
        key: undefined,
        limitKey: `address:${address}`,
        authorization: `Bearer ${openrouterApiKey}`,
      }
    : refuse();
}

interface Attempt extends AuthenticateOptions {
  readonly mayLookUp: () => boolean;
  readonly refuse: () => Promise<never>;
}

/** @throws as `refuse` when a look-up finds nothing: it is counted before the next look-up of the address begins. */
async function findKey(
  secret: string,
  { keys, knownSecrets, lookUps, mayLookUp, refuse }: Attempt,
): Promise<CallerKey | undefined> {
  if (!mayLookUp() && !knownSecrets.hasUnseen) return undefined;
  if (isMistyped(secret)) return undefined;
  // Others are not in a database, whatever it answers now.
  if (!hasIssuedPrefix(secret)) return keys.find(digestSecret(secret), skipLookUp);
  return keys.find(digestSecret(secret), (lookUp) =>
    // The address may have exceeded the limit while this request waited.
    lookUps.run(async () => (mayLookUp() ? ((await lookUp()) ?? refuse()) : refuse())),
  );
}

async function skipLookUp(): Promise<undefined> {}

function createKeyCaller(key: CallerKey, openrouterApiKey: string): Caller {
  return { key, limitKey: `key:${key.id}`, authorization: `Bearer ${openrouterApiKey}` };
}

function createOwnKeyCaller(secret: string): Caller {
  return {
    key: undefined,
    limitKey: `own:${digestSecret(secret).toString("base64url")}`,
    authorization: `Bearer ${secret}`,
  };
}

function createRoleError(role: KeyRole): GatewayError {
  return new GatewayError(
    "key_role_not_allowed",
    role === "admin"
      ? "This key is for models; the admin API takes a key whose role is admin."
      : "This key is for the admin API; models take a key whose role is caller.",
  );
}

function createLoginError(secret: string | undefined, ownsAccount: boolean): GatewayError {
  // In own-key mode only keys of the form that gateways make are refused.
  if (!ownsAccount && secret !== undefined) {
    return new GatewayError(
      "invalid_api_key",
      "This is a key of a Sluice gateway, but this gateway forwards its callers' own OpenRouter keys; send one of those, or have its operator set OPENROUTER_API_KEY.",
      { headers: { "www-authenticate": "Bearer" } },
    );
  }
  const whose = ownsAccount ? "a key of this gateway" : "your OpenRouter key";
  const wrong =
    secret === undefined
      ? "No API key was given"
      : "No valid API key was given: the one in Authorization is unknown, expired, disabled or revoked";
  return new GatewayError("invalid_api_key", `${wrong}; send ${whose} as Authorization: Bearer.`, {
    headers: { "www-authenticate": "Bearer" },
    // For the log alone: a checksum tells it without a look-up.
    cause:
      secret !== undefined && isMistyped(secret)
        ? Object.assign(new Error("mistyped key"), { code: "MISTYPED_KEY" })
        : undefined,
  });
}
