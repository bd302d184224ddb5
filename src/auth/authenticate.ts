import type { IncomingHttpHeaders } from "node:http";
import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { getLimitAddress } from "../limits/caller-id.ts";
import type { Limit } from "../limits/rate-limit.ts";
import type { CallerKey, KeyRole } from "./caller-key.ts";
import { digestSecret, hasIssuedPrefix, isMistyped } from "../key-secret.ts";
import type { KeyStore } from "./key-store.ts";
import type { KnownSecrets } from "./known-secrets.ts";
import type { LookUpQueue } from "./look-up-queue.ts";

/** The identity of an authenticated request. */
export interface Caller {
  /** The gateway key; undefined for an anonymous request and in own-key mode. */
  readonly key: CallerKey | undefined;
  /** Requests with the same `limitKey` share a rate limit. */
  readonly limitKey: string;
  /** The `Authorization` header for upstream: the account's key, or in own-key mode the client's. */
  readonly authorization: string;
}

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller;
  }
}

export interface AuthenticateOptions {
  /** The account's OpenRouter key; undefined in own-key mode, in which clients send their own. */
  readonly openrouterApiKey: string | undefined;
  readonly keys: KeyStore;
  /** Secrets that are looked up even for an address that has exceeded the limit of failed logins. */
  readonly knownSecrets: KnownSecrets;
  /** Limits concurrent look-ups of keys in the database. */
  readonly lookUps: LookUpQueue;
  readonly allowAnonymous: boolean;
  /** The role that a key must have. */
  readonly role: KeyRole;
  /** Counts failed attempts per address. */
  readonly failedLogins: Limit;
}

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;
const API_KEY = /^[\x21-\x7e]{1,512}$/;
/** Prefix of OpenRouter's own keys. */
const OPENROUTER_PREFIX = "sk-or-";

/**
 * Creates the hook that authenticates a request before its body is read, and sets `request.caller`.
 * Every key that is not accepted gets the same response, so that a client learns nothing about the key. An address that has
 * exceeded the limit of failed logins gets 429 for every unknown secret. Such a rejection costs only one checksum.
 */
export function authenticate(options: AuthenticateOptions): onRequestAsyncHookHandler {
  return async (request) => {
    const secrets = readSecrets(request.headers);
    const caller = findCallerInMemory(secrets, options) ?? (await logInWithAny(request, secrets, options));
    setCaller(request, caller, options.role);
  };
}

/**
 * Records the identity of an authenticated request.
 * @param role the role that the key must have. @throws GatewayError 403 if it has another role.
 */
export function setCaller(request: FastifyRequest, caller: Caller, role: KeyRole): void {
  const { key } = caller;
  request.caller = caller;
  request.context.keyId = key?.id;
  request.context.keyName = key?.name;
  request.context.groupId = key?.group?.id;
  // Requests without a gateway key have the role caller.
  if ((key?.role ?? "caller") !== role) throw createRoleError(role);
}

/**
 * Returns the secrets of a request, at most two: Claude Code sends different ones in `Authorization` and `x-api-key` if both
 * of its variables are set. A secret that looks like a gateway key comes first, and then one that looks like OpenRouter's:
 * in own-key mode, the key of another provider must not be forwarded to OpenRouter.
 */
function readSecrets(headers: IncomingHttpHeaders): readonly string[] {
  const bearer = BEARER.exec(headers.authorization ?? "")?.[1];
  const apiKey = headers["x-api-key"];
  if (typeof apiKey !== "string" || !API_KEY.test(apiKey) || apiKey === bearer)
    return bearer === undefined ? [] : [bearer];
  if (bearer === undefined) return [apiKey];
  return rankSecret(apiKey) < rankSecret(bearer) ? [apiKey, bearer] : [bearer, apiKey];
}

function rankSecret(secret: string): number {
  if (hasIssuedPrefix(secret)) return 0;
  return secret.startsWith(OPENROUTER_PREFIX) ? 1 : 2;
}

/** Finds a caller whose key is in memory. This fast path serves nearly every request and does not read the address. */
function findCallerInMemory(secrets: readonly string[], options: AuthenticateOptions): Caller | undefined {
  for (const secret of secrets) {
    const caller = findBySecretInMemory(secret, options);
    if (caller) return caller;
  }
  return undefined;
}

function findBySecretInMemory(secret: string, options: AuthenticateOptions): Caller | undefined {
  const { openrouterApiKey, keys, knownSecrets } = options;
  // Never forward a gateway key to OpenRouter.
  if (openrouterApiKey === undefined) return hasIssuedPrefix(secret) ? undefined : createOwnKeyCaller(secret);
  if (!knownSecrets.has(secret)) return undefined;
  const key = keys.find(digestSecret(secret), skipLookUp);
  return key === undefined || key instanceof Promise ? undefined : createKeyCaller(key, openrouterApiKey);
}

/**
 * Authenticates a request that has no key, or none that is in memory.
 * @throws GatewayError 401, 429 if its address has exceeded the limit of failed logins, 503 if the look-up fails.
 */
async function logInWithAny(
  request: FastifyRequest,
  [secret, other]: readonly string[],
  options: AuthenticateOptions,
): Promise<Caller> {
  // Reads the address before the first await, because a connection that has been reset has none.
  const address = getLimitAddress(request);
  if (secret === undefined || other === undefined) return logIn(secret, address, options);
  // If the first secret does not look like a gateway key, the other does not either, and neither is a failed login.
  if (options.allowAnonymous && !hasIssuedPrefix(secret)) {
    const caller = await logIn(secret, address, options);
    return caller.key ? caller : logIn(other, address, options);
  }
  try {
    return await logIn(secret, address, { ...options, allowAnonymous: false });
  } catch (error) {
    // Over the limit of failed logins, the other secret can still be that of a known key. Its own look-up checks the limit.
    const isRefusal =
      error instanceof GatewayError && ["invalid_api_key", "rate_limit_exceeded"].includes(error.code);
    if (!isRefusal) throw error;
  }
  return logIn(other, address, { ...options, allowAnonymous: false });
}

/**
 * Authenticates one secret.
 * @param address of the client, from `getLimitAddress`; failed logins are counted for it.
 * @throws GatewayError 401, 429 if the address has exceeded the limit of failed logins, 503 if the look-up fails.
 */
export async function logIn(
  secret: string | undefined,
  address: string,
  options: AuthenticateOptions,
): Promise<Caller> {
  const { openrouterApiKey, knownSecrets, failedLogins } = options;
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
  // A request with an invalid gateway key must not become anonymous: a revoked key could then use more models than before.
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

/**
 * Finds the key of a secret.
 * @throws GatewayError from `refuse` if a look-up finds no key: the failure must count before the next look-up begins.
 */
async function findKey(
  secret: string,
  { keys, knownSecrets, lookUps, mayLookUp, refuse }: Attempt,
): Promise<CallerKey | undefined> {
  if (!mayLookUp() && !knownSecrets.hasUnseen) return undefined;
  if (isMistyped(secret)) return undefined;
  // The database contains only keys with the issued prefix.
  if (!hasIssuedPrefix(secret)) return keys.find(digestSecret(secret), skipLookUp);
  return keys.find(digestSecret(secret), (lookUp) =>
    // Checked again: the address may have exceeded the limit while this request was queued.
    lookUps.run(async () => (mayLookUp() ? ((await lookUp()) ?? refuse()) : refuse())),
  );
}

async function skipLookUp(): Promise<undefined> {}

/** Returns the identity of a request with a gateway key. @param openrouterApiKey the key of the account. */
export function createKeyCaller(key: CallerKey, openrouterApiKey: string): Caller {
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
      ? "This key has the role caller; the admin API requires a key with the role admin."
      : "This key has the role admin; models require a key with the role caller.",
  );
}

function createLoginError(secret: string | undefined, ownsAccount: boolean): GatewayError {
  // In own-key mode the gateway rejects only secrets with the prefix of gateway keys.
  if (!ownsAccount && secret !== undefined) {
    return new GatewayError(
      "invalid_api_key",
      "This is a key of a Sluice gateway, but this gateway forwards the OpenRouter keys of its clients. Send your OpenRouter key, or ask the operator to set OPENROUTER_API_KEY.",
      { headers: { "www-authenticate": "Bearer" } },
    );
  }
  const expected = ownsAccount ? "a key of this gateway" : "your OpenRouter key";
  const problem =
    secret === undefined
      ? "No API key was given"
      : "The API key of the request is unknown, expired, disabled or revoked";
  return new GatewayError("invalid_api_key", `${problem}; send ${expected} as Authorization: Bearer.`, {
    headers: { "www-authenticate": "Bearer" },
    // Appears only in the log. The checksum in a secret shows that it is mistyped, without a look-up.
    cause:
      secret !== undefined && isMistyped(secret)
        ? Object.assign(new Error("mistyped key"), { code: "MISTYPED_KEY" })
        : undefined,
  });
}
