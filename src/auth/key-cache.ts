import { timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { boundCache } from "../limits/cache-bound.ts";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "./caller-key.ts";
import type { ScheduleLookUp, KeyStore } from "./key-store.ts";

const POLL_EVERY_MS = 1_000;
const SAVE_LAST_USED_EVERY_MS = 10_000;
const CACHE_MAX = 10_000;
const LOOK_UPS_MAX = 1_000;
/** Maximum number of cached digests that belong to no key. */
const ABSENT_MAX = 10_000;
/** Polls find every change within this time. If they have failed for longer, an absent key may have been created since. */
const ABSENT_MAX_AGE_MS = 2 * POLL_EVERY_MS;

/** A cached key, with the digests and times that decide whether a secret is valid. */
export interface CachedKey {
  readonly key: CallerKey;
  readonly digest: Buffer;
  readonly previousDigest: Buffer | undefined;
  readonly previousValidUntil: number;
  /** ms since 1970; 0 if the key is disabled or revoked. */
  readonly validUntil: number;
  /** The revision of the last change of this key. */
  readonly revision: number;
}

/** The newest part of the history of key changes. With it, a cache notices changes, and that the database was replaced. */
export interface KeyHistory {
  /** The revision of the last change. */
  readonly revision: number;
  /** The id of the last change; null if there is none. */
  readonly lastChangeId: string | null;
  /** The id of the last change up to the requested revision. */
  readonly lastChangeIdBefore: string | null;
}

/** The operations of the database that the cache uses. */
export interface KeySource {
  /** @param digest as 64 hexadecimal digits. */
  findByDigest(digest: string): Promise<CachedKey | undefined>;
  /** @returns ids of the keys that have changed after a revision. */
  listChangedSince(revision: number): Promise<readonly string[]>;
  /** Reads the last change, and the last change up to `revision`, in one consistent snapshot. */
  readHistory(revision: number): Promise<KeyHistory>;
  /** @param usedAt for each key id, when the key was last used, in ms since 1970. */
  saveLastUsed(usedAt: ReadonlyMap<string, number>): Promise<void>;
  /** Listens for changes. @param changed called when keys may have changed. @returns a function that stops listening. */
  listen(changed: () => void): () => void;
}

export interface KeyCacheOptions {
  readonly source: KeySource;
  /** How long cached keys stay valid while the source fails. */
  readonly graceMs: number;
  /** Called when the source fails for the first time, and when it has recovered. */
  readonly onHealth: (isHealthy: boolean, error?: unknown) => void;
  /** Called when the database was replaced, for example by a restored backup, and the cache has been cleared. */
  readonly onReplaced?: () => void;
  /** ms since 1970. */
  readonly now?: () => number;
}

/**
 * Caches the keys of a database in memory. Polling finds every change within two seconds. In addition, PostgreSQL notifies
 * every replica of a change at once.
 */
export class KeyCache implements KeyStore {
  readonly #options: KeyCacheOptions;
  readonly #now: () => number;
  /** Keys by digest. The digest is a latin1 text. */
  readonly #keys = new LRUCache<string, CachedKey>(boundCache(CACHE_MAX));
  /**
   * Digests that belonged to no key as of the last change, as latin1 text. Read with `has`, which does not refresh an entry,
   * so that the oldest entry is evicted first.
   */
  readonly #absent = new LRUCache<string, true>(boundCache(ABSENT_MAX));
  readonly #lookUps = new Map<string, Promise<CachedKey | undefined>>();
  #usedAt = new Map<string, number>();
  #savedLastUsedAt = -Infinity;
  #revision = -1;
  /** Id of the change with the number `#revision`. A database restored from an older backup does not contain it. */
  #lastChangeId: string | null = null;
  #polledAt = -Infinity;
  #polling: Promise<void> | undefined = undefined;
  #savingLastUsed: Promise<void> | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #endListening: () => void = () => {};
  #isHealthy = true;

  constructor(options: KeyCacheOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Starts to poll and to listen for changes. @throws if the source cannot be read. */
  async start(): Promise<void> {
    this.#advanceTo(await this.#options.source.readHistory(0));
    this.#polledAt = performance.now();
    this.#timer = setInterval(() => void this.#poll(), POLL_EVERY_MS);
    this.#timer.unref();
    this.#endListening = this.#options.source.listen(() => void this.#poll());
  }

  /** Whether the last poll could read the source. */
  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** Stops polling and listening, and saves when keys were last used. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#endListening();
    await this.#polling;
    await this.#savingLastUsed;
    await this.#saveLastUsed();
  }

  /**
   * Finds the key of a digest.
   * @returns the key, or undefined, synchronously if the cache knows the digest; otherwise a promise.
   * @throws GatewayError 503 if the look-up fails, or if the source has been unavailable for longer than `graceMs`.
   */
  find(
    digest: Buffer,
    scheduleLookUp: ScheduleLookUp = (lookUp) => lookUp(),
  ): CallerKey | undefined | Promise<CallerKey | undefined> {
    const index = digest.toString("latin1");
    const known = this.#keys.get(index);
    if (known === undefined)
      return this.#isAbsent(index) ? undefined : scheduleLookUp(() => this.#lookUp(index, digest));
    if (performance.now() - this.#polledAt > this.#options.graceMs + 2 * POLL_EVERY_MS)
      throw createUnreachableError();
    return this.#accept(known, digest);
  }

  #accept(cached: CachedKey, digest: Buffer): CallerKey | undefined {
    const now = this.#now();
    if (!isValidSecret(cached, digest, now)) return undefined;
    this.#usedAt.set(cached.key.id, now);
    return cached.key;
  }

  #isAbsent(index: string): boolean {
    return this.#absent.has(index) && performance.now() - this.#polledAt <= ABSENT_MAX_AGE_MS;
  }

  async #lookUp(index: string, digest: Buffer): Promise<CallerKey | undefined> {
    if (this.#revision === -1) throw createUnreachableError();
    // A look-up of the same key may have completed while this one was queued.
    const known = this.#keys.get(index);
    if (known) return this.#accept(known, digest);
    if (this.#isAbsent(index)) return undefined;
    let lookUp = this.#lookUps.get(index);
    if (!lookUp) {
      if (this.#lookUps.size >= LOOK_UPS_MAX) throw createUnreachableError();
      const fetched = this.#fetch(index, digest).finally(() => {
        if (this.#lookUps.get(index) === fetched) this.#lookUps.delete(index);
      });
      lookUp = fetched;
      this.#lookUps.set(index, fetched);
    }
    const found = await lookUp;
    return found && this.#accept(found, digest);
  }

  async #fetch(index: string, digest: Buffer): Promise<CachedKey | undefined> {
    const before = this.#lastChangeId;
    const found = await this.#options.source.findByDigest(digest.toString("hex")).catch((error: unknown) => {
      throw createUnreachableError(error);
    });
    if (found && found.revision > this.#revision) {
      // The cache does not know this change yet. If the database were restored from a backup now, the cache could not notice
      // that the change is missing, and would keep the key.
      void this.#poll();
    } else if (before === this.#lastChangeId) {
      // Otherwise a change that was found in the meantime may be newer than this result. Then the result is not cached, so
      // the next request reads the key again.
      if (found) this.#keys.set(index, found);
      else if (!this.#absent.has(index)) this.#absent.set(index, true);
    }
    return found;
  }

  /** Reads the changes of keys now, because this process has just made one. */
  refresh(): void {
    void this.#poll();
  }

  /** Polls now. If a poll is running, polls again after it, because it may have read the history before the change. */
  async #poll(): Promise<void> {
    await this.#polling;
    this.#polling ??= this.#readChanges().finally(() => {
      this.#polling = undefined;
    });
    await this.#polling;
  }

  async #readChanges(): Promise<void> {
    const startedAt = performance.now();
    try {
      const history = await this.#options.source.readHistory(this.#revision);
      if (history.revision < this.#revision || history.lastChangeIdBefore !== this.#lastChangeId)
        this.#forgetAll();
      else if (history.revision > this.#revision) await this.#forgetChanged();
      this.#advanceTo(history);
      this.#polledAt = startedAt;
      this.#reportHealth(true);
      // This is not awaited: a row locked by another transaction must not delay the next poll, which may find a revocation.
      if (startedAt - this.#savedLastUsedAt > SAVE_LAST_USED_EVERY_MS)
        this.#savingLastUsed ??= this.#saveLastUsed().finally(() => {
          this.#savingLastUsed = undefined;
        });
    } catch (error) {
      this.#reportHealth(false, error);
    }
  }

  #advanceTo({ revision, lastChangeId }: KeyHistory): void {
    if (revision !== this.#revision || lastChangeId !== this.#lastChangeId) this.#absent.clear();
    this.#revision = revision;
    this.#lastChangeId = lastChangeId;
  }

  async #forgetChanged(): Promise<void> {
    const ids = new Set(await this.#options.source.listChangedSince(this.#revision));
    // Collected first, because the library does not allow deletion during iteration.
    const changed = [...this.#keys].filter(([, { key }]) => ids.has(key.id));
    for (const [index] of changed) this.#keys.delete(index);
  }

  /** Clears the cache, because the database was replaced by another one or by an older copy. What has changed is unknown. */
  #forgetAll(): void {
    this.#keys.clear();
    this.#absent.clear();
    this.#lookUps.clear();
    this.#options.onReplaced?.();
  }

  async #saveLastUsed(): Promise<void> {
    if (this.#usedAt.size === 0) return;
    this.#savedLastUsedAt = performance.now();
    const usedAt = this.#usedAt;
    this.#usedAt = new Map();
    await this.#options.source.saveLastUsed(usedAt).catch(() => {
      // Times that were recorded during the failed write are newer and take precedence.
      this.#usedAt = new Map([...usedAt, ...this.#usedAt]);
    });
  }

  #reportHealth(isHealthy: boolean, error?: unknown): void {
    if (isHealthy !== this.#isHealthy) this.#options.onHealth(isHealthy, error);
    this.#isHealthy = isHealthy;
  }
}

function createUnreachableError(cause?: unknown): GatewayError {
  return new GatewayError("store_unavailable", "Keys cannot be looked up now; try again shortly.", {
    cause,
  });
}

/**
 * Whether a secret is valid for a key now. The digests are compared in constant time. A match in the index of the cache is
 * not enough: the index only finds the digest to compare with.
 * @param given SHA-256 of the secret. @param now ms since 1970.
 */
function isValidSecret(
  { digest, previousDigest, previousValidUntil, validUntil }: CachedKey,
  given: Buffer,
  now: number,
): boolean {
  const matches =
    timingSafeEqual(digest, given) ||
    (previousDigest !== undefined && timingSafeEqual(previousDigest, given) && now < previousValidUntil);
  return matches && now < validUntil;
}
