import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { Logger } from "pino";
import { type AuthenticateOptions, createKeyCaller, logIn, setCaller } from "../auth/authenticate.ts";
import type { CallerKey } from "../auth/caller-key.ts";
import { KnownSecrets } from "../auth/known-secrets.ts";
import { GatewayError } from "../errors.ts";
import { digestSecret } from "../key-secret.ts";
import { getLimitAddress } from "../limits/caller-id.ts";
import type { Database } from "../store/database.ts";
import { requireSameOrigin } from "./same-origin.ts";
import { formatExpiredCookie, formatSessionCookie, readSessionToken } from "./session-cookie.ts";
import { isToken, SessionStore, type StoredSession } from "./session-store.ts";

/** `Authorization` with a key, valid or not. */
const BEARER = /^Bearer(?: |$)/i;

/** A session of the dashboard, which acts with the rights of one admin key. */
export interface DashboardSession extends StoredSession {
  readonly key: CallerKey;
}

declare module "fastify" {
  interface FastifyRequest {
    /** The session of the cookie that authenticated the request; undefined for a request with a key. */
    dashboardSession: DashboardSession | undefined;
  }
}

export interface SessionOptions extends Pick<
  AuthenticateOptions,
  "keys" | "knownSecrets" | "lookUps" | "failedLogins"
> {
  readonly openrouterApiKey: string;
  readonly database: Database;
  /** How long a session is valid. */
  readonly lifetimeMs: number;
  readonly logger: Logger;
}

/** The result of a sign-in. */
interface SignedIn {
  readonly session: DashboardSession;
  /** The value of `Set-Cookie`. */
  readonly cookie: string;
}

/**
 * Exchanges admin keys for sessions of the dashboard, and authenticates the requests of these sessions. A session refers to
 * its key by the digest of the secret. Every request looks up both, so a session ends when its secret is no longer valid.
 */
export class SessionAuthentication {
  readonly #options: SessionOptions;
  readonly #store: SessionStore;
  /** Tokens that were valid when they were last used. They are looked up even if the address has exceeded its limit. */
  readonly #knownTokens = new KnownSecrets([]);

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#store = new SessionStore(options.database, options.lifetimeMs);
  }

  /**
   * Creates the hook that authenticates a request by its session cookie, or by its key. A request that sends a key, valid or
   * not, is never authenticated by its cookie. Other schemes of `Authorization`, such as Basic, are those of a proxy in front.
   * @param authenticateKey authenticates the requests with a key, and those with neither.
   */
  createHook(authenticateKey: onRequestAsyncHookHandler): onRequestAsyncHookHandler {
    const authenticateCookie = this.#authenticate.bind(this);
    return async function (request, reply) {
      const { authorization = "", "x-api-key": apiKey } = request.headers;
      const token = readSessionToken(request.headers);
      const sendsKey = apiKey !== undefined || BEARER.test(authorization);
      if (sendsKey || token === undefined) await authenticateKey.call(this, request, reply);
      else await authenticateCookie(request, token);
    };
  }

  /**
   * Signs in with the secret of an admin key.
   * @param address of the client, for the log.
   * @throws GatewayError 401 for any secret that is not valid, 403 for the key of a caller and for a page of another origin,
   *   429 if the address has exceeded the limit of failed logins, 503 if the database fails.
   */
  async signIn(request: FastifyRequest, secret: string, address: string): Promise<SignedIn> {
    requireSameOrigin(request);
    const { lifetimeMs, logger } = this.#options;
    const access = { ...this.#options, allowAnonymous: false, role: "admin" } as const;
    const caller = await logIn(secret, getLimitAddress(request), access).catch(explainRefusal);
    setCaller(request, caller, "admin");
    const { key } = caller;
    if (!key) throw createSignInError();
    const { session, token } = await this.#store.create(key.id, digestSecret(secret)).catch(explainFailure);
    this.#knownTokens.add(token, key.id);
    logger.info({ key_id: key.id, key: key.name, address }, "session: signed in");
    return { session: { ...session, key }, cookie: formatSessionCookie(token, lifetimeMs, request) };
  }

  /**
   * Ends the session of an authenticated request.
   * @param address of the client, for the log. @returns the value of `Set-Cookie`.
   * @throws GatewayError 401 if the request has no session, 503 if the database fails.
   */
  async signOut(request: FastifyRequest, address: string): Promise<string> {
    const { digest, key } = getDashboardSession(request);
    await this.#store.delete(digest).catch(explainFailure);
    this.#options.logger.info({ key_id: key.id, key: key.name, address }, "session: signed out");
    return formatExpiredCookie(request);
  }

  async #authenticate(request: FastifyRequest, token: string): Promise<void> {
    requireSameOrigin(request);
    const { keys, lookUps, failedLogins, openrouterApiKey } = this.#options;
    // Reads the address before the first await, because a connection that has been reset has none.
    const address = getLimitAddress(request);
    const refuse = async (): Promise<never> => {
      this.#knownTokens.delete(token);
      await failedLogins.consume(address);
      throw new GatewayError("invalid_session");
    };
    const session = await this.#findSession(token, () => failedLogins.isExceededBy(address), refuse);
    const key = await keys.find(session.keyDigest, (lookUp) => lookUps.run(lookUp));
    if (!key) return refuse();
    this.#knownTokens.add(token, key.id);
    request.dashboardSession = { ...session, key };
    setCaller(request, createKeyCaller(key, openrouterApiKey), "admin");
  }

  /**
   * Finds the session of a token. Unknown tokens cost what unknown keys cost: a few are looked up at once, and none for an
   * address that has exceeded the limit of failed logins.
   * @throws GatewayError 503 if the database fails, and that of `refuse`.
   */
  async #findSession(
    token: string,
    isBlocked: () => boolean,
    refuse: () => Promise<never>,
  ): Promise<StoredSession> {
    const find = async () => (await this.#store.find(token).catch(explainFailure)) ?? refuse();
    if (this.#knownTokens.has(token)) return find();
    if (!isToken(token) || isBlocked()) return refuse();
    // Checked again: the address may have exceeded the limit while this request was queued.
    return this.#options.lookUps.run(() => (isBlocked() ? refuse() : find()));
  }
}

/** Returns the session that has authenticated a request. @throws GatewayError 401 if the request has a key instead. */
export function getDashboardSession({ dashboardSession }: FastifyRequest): DashboardSession {
  if (!dashboardSession) throw new GatewayError("invalid_session");
  return dashboardSession;
}

/** Replaces the message for a refused secret, which describes a header. The headers and the code stay the same. */
function explainRefusal(error: unknown): never {
  throw error instanceof GatewayError && error.code === "invalid_api_key" ? createSignInError(error) : error;
}

function createSignInError(cause?: GatewayError): GatewayError {
  return new GatewayError(
    "invalid_api_key",
    "The key is unknown, expired, disabled or revoked; sign in with the secret of an admin key.",
    { param: "key", headers: { "www-authenticate": "Bearer" }, cause: cause?.cause },
  );
}

function explainFailure(cause: unknown): never {
  if (cause instanceof GatewayError) throw cause;
  throw new GatewayError("store_unavailable", "Sessions cannot be looked up now; try again shortly.", {
    cause,
  });
}
