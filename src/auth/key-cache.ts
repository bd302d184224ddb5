import { timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "./caller-key.ts";
import type { ScheduleLookUp, KeyStore } from "./key-store.ts";

const POLL_EVERY_MS = 1_000;
const SAVE_LAST_USED_EVERY_MS = 10_000;
const CACHE_MAX = 10_000;
const LOOK_UPS_MAX = 1_000;
/** How many digests that belong to no key are remembered. */
const ABSENT_MAX = 10_000;
/** A change is heard of within two polls; without news for longer than that, an absent key may be there by now. */
const ABSENT_MAX_AGE_MS = 2 * POLL_EVERY_MS;

/** A key as it is remembered, with what it has to be compared with. */
export interface CachedKey {
  readonly key: CallerKey;
  readonly digest: Buffer;
  readonly previousDigest: Buffer | undefined;
  readonly previousValidUntil: number;
  /** ms since 1970; 0 when it may not be used at all. */
  readonly validUntil: number;
}

/** How far the changes of keys have come, and which changes they were. */
export interface KeyHistory {
  /** Of the last change of all. */
  readonly revision: number;
  /** The id of the last change of all; null: there was none. */
  readonly lastChangeId: string | null;
  /** The id of the last change up to the revision that was asked for. */
  readonly lastChangeIdBefore: string | null;
}

/** Where the cache gets keys from. */
export interface KeySource {
  /** @param digest as 64 hexadecimal digits. */
  findByDigest(digest: string): Promise<CachedKey | undefined>;
  /** @returns ids of the keys that changed after a revision. */
  listChangedSince(revision: number): Promise<readonly string[]>;
  /** Reads, as of one moment, the last change of all and the last one up to `revision`. */
  readHistory(revision: number): Promise<KeyHistory>;
  /** @param usedAt ids to ms since 1970. */
  saveLastUsed(usedAt: ReadonlyMap<string, number>): Promise<void>;
  /** @param changed called when keys may have changed. @returns ends it. */
  listen(changed: () => void): () => void;
}

export interface KeyCacheOptions {
  readonly source: KeySource;
  /** How long keys that are known go on while the source fails. */
  readonly graceMs: number;
  /** Told when the source begins to fail, and when it is well again. */
  readonly onHealth: (isHealthy: boolean, error?: unknown) => void;
  /** Called when the source is not what it was, as after a restore of a backup, and nothing remembered holds any more. */
  readonly onReplaced?: () => void;
  /** ms since 1970. */
  readonly now?: () => number;
}

/**
 * Keys of a database, remembered in memory. A change reaches every replica as soon as the database tells of it, and
 * within a second or two if it cannot.
 */
export class KeyCache implements KeyStore {
  readonly #options: KeyCacheOptions;
  readonly #now: () => number;
  /** By digest, as latin1 text. */
  readonly #keys = new LRUCache<string, CachedKey>({ max: CACHE_MAX });
  /** Digests that belonged to no key as of the last change, as latin1 text. Read with `has`: the first one in is dropped first. */
  readonly #absent = new LRUCache<string, true>({ max: ABSENT_MAX });
  readonly #lookUps = new Map<string, Promise<CachedKey | undefined>>();
  #usedAt = new Map<string, number>();
  #savedLastUsedAt = -Infinity;
  #revision = -1;
  /** Id of the change that made `#revision`: a backup that was restored does not have it. */
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

  /** Begins to follow the changes of keys. @throws when the source cannot be asked. */
  async start(): Promise<void> {
    this.#advanceTo(await this.#options.source.readHistory(0));
    this.#polledAt = performance.now();
    this.#timer = setInterval(() => void this.#poll(), POLL_EVERY_MS);
    this.#timer.unref();
    this.#endListening = this.#options.source.listen(() => void this.#poll());
  }

  /** Stops, and writes down when keys were last used. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#endListening();
    await this.#polling;
    await this.#savingLastUsed;
    await this.#saveLastUsed();
  }

  /**
   * @returns at once for a key that is remembered, and for a digest that is remembered to belong to none.
   * @throws GatewayError 503 when the key is not known and cannot be asked for.
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
    // It may have waited for its turn behind a look-up of the same key.
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
    // A change that was heard of meanwhile may be newer than what was read: then the next request asks again.
    if (before === this.#lastChangeId) {
      if (found) this.#keys.set(index, found);
      else if (!this.#absent.has(index)) this.#absent.set(index, true);
    }
    return found;
  }

  /** Polls now, or once more when the poll under way is over: it may have read before the change. */
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
      // Not waited for: a row that another holds must not keep a revocation from being heard of.
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
    // Collected first: the library does not allow a deletion while it iterates.
    const changed = [...this.#keys].filter(([, { key }]) => ids.has(key.id));
    for (const [index] of changed) this.#keys.delete(index);
  }

  /** Another database, or an older copy, has taken the place of the one that was read: its changes are not known. */
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
      // What has been used since is newer.
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
 * Whether a key may be used with this secret now. What decides is compared in constant time; an index only finds what to
 * compare with.
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
