import { GatewayError } from "../errors.ts";
import { type CachedKey, isValidSecret } from "./cached-key.ts";
import type { CallerKey } from "./caller-key.ts";
import type { ScheduleLookUp, KeyStore } from "./key-store.ts";

const POLL_EVERY_MS = 1_000;
const TOUCH_EVERY_MS = 10_000;
const CACHE_MAX = 10_000;
const LOOK_UPS_MAX = 1_000;
/** How many digests that belong to no key are remembered. */
const ABSENT_MAX = 10_000;
/** A change is heard of within two polls; without news for longer than that, an absent key may be there by now. */
const ABSENT_MAX_AGE_MS = 2 * POLL_EVERY_MS;

/** How far the changes of keys have come, and which changes they were. */
export interface KeyHistory {
  /** Of the last change of all. */
  readonly revision: number;
  /** The id of the last change of all; null: there was none. */
  readonly lastChange: string | null;
  /** The id of the last change up to the revision that was asked for. */
  readonly lastChangeBefore: string | null;
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
  readonly onHealth: (healthy: boolean, error?: unknown) => void;
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
  /** By digest, as latin1 text; the one used longest ago first. */
  readonly #rows = new Map<string, CachedKey>();
  /** Digests that belonged to no key as of the last change, as latin1 text; the one looked up first comes first. */
  readonly #absent = new Set<string>();
  readonly #lookUps = new Map<string, Promise<CachedKey | undefined>>();
  #usedAt = new Map<string, number>();
  #touchedAt = -Infinity;
  #revision = -1;
  /** Id of the change that made `#revision`: a backup that was restored does not have it. */
  #lastChange: string | null = null;
  #polledAt = -Infinity;
  #polling: Promise<void> | undefined = undefined;
  #touching: Promise<void> | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #endListening: () => void = () => {};
  #healthy = true;

  constructor(options: KeyCacheOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Begins to follow the changes of keys. @throws when the source cannot be asked. */
  async start(): Promise<void> {
    this.#moveTo(await this.#options.source.readHistory(0));
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
    await this.#touching;
    await this.#touch();
  }

  /**
   * @returns at once for a key that is remembered, and for a digest that is remembered to belong to none.
   * @throws GatewayError 503 when the key is not known and cannot be asked for.
   */
  find(
    digest: Buffer,
    admit: ScheduleLookUp = (lookUp) => lookUp(),
  ): CallerKey | undefined | Promise<CallerKey | undefined> {
    const index = digest.toString("latin1");
    const known = this.#rows.get(index);
    if (known === undefined)
      return this.#isAbsent(index) ? undefined : admit(() => this.#lookUp(index, digest));
    if (performance.now() - this.#polledAt > this.#options.graceMs + 2 * POLL_EVERY_MS) throw notReachable();
    // The most recently used one last.
    this.#rows.delete(index);
    this.#rows.set(index, known);
    return this.#admit(known, digest);
  }

  #admit(known: CachedKey, digest: Buffer): CallerKey | undefined {
    const now = this.#now();
    if (!isValidSecret(known, digest, now)) return undefined;
    this.#usedAt.set(known.key.id, now);
    return known.key;
  }

  #isAbsent(index: string): boolean {
    return this.#absent.has(index) && performance.now() - this.#polledAt <= ABSENT_MAX_AGE_MS;
  }

  async #lookUp(index: string, digest: Buffer): Promise<CallerKey | undefined> {
    if (this.#revision === -1) throw notReachable();
    // It may have waited for its turn behind a look-up of the same key.
    const known = this.#rows.get(index);
    if (known) return this.#admit(known, digest);
    if (this.#isAbsent(index)) return undefined;
    let lookUp = this.#lookUps.get(index);
    if (!lookUp) {
      if (this.#lookUps.size >= LOOK_UPS_MAX) throw notReachable();
      const asked = this.#ask(index, digest).finally(() => {
        if (this.#lookUps.get(index) === asked) this.#lookUps.delete(index);
      });
      lookUp = asked;
      this.#lookUps.set(index, asked);
    }
    const found = await lookUp;
    return found && this.#admit(found, digest);
  }

  async #ask(index: string, digest: Buffer): Promise<CachedKey | undefined> {
    const before = this.#lastChange;
    const found = await this.#options.source.findByDigest(digest.toString("hex")).catch((error: unknown) => {
      throw notReachable(error);
    });
    // A change that was heard of meanwhile may be newer than what was read: then the next request asks again.
    if (before === this.#lastChange) {
      if (found) this.#remember(index, found);
      else this.#rememberAbsent(index);
    }
    return found;
  }

  #rememberAbsent(index: string): void {
    this.#absent.add(index);
    if (this.#absent.size <= ABSENT_MAX) return;
    const [first] = this.#absent;
    if (first !== undefined) this.#absent.delete(first);
  }

  #remember(index: string, found: CachedKey): void {
    this.#rows.set(index, found);
    for (const oldest of this.#rows.keys()) {
      if (this.#rows.size <= CACHE_MAX) return;
      this.#rows.delete(oldest);
    }
  }

  /** Polls now, or once more when the poll under way is over: it may have read before the change. */
  async #poll(): Promise<void> {
    await this.#polling;
    this.#polling ??= this.#follow().finally(() => {
      this.#polling = undefined;
    });
    await this.#polling;
  }

  async #follow(): Promise<void> {
    const startedAt = performance.now();
    try {
      const history = await this.#options.source.readHistory(this.#revision);
      if (history.revision < this.#revision || history.lastChangeBefore !== this.#lastChange) this.#forget();
      else if (history.revision > this.#revision) await this.#forgetChanged();
      this.#moveTo(history);
      this.#polledAt = startedAt;
      this.#health(true);
      // Not waited for: a row that another holds must not keep a revocation from being heard of.
      if (startedAt - this.#touchedAt > TOUCH_EVERY_MS)
        this.#touching ??= this.#touch().finally(() => {
          this.#touching = undefined;
        });
    } catch (error) {
      this.#health(false, error);
    }
  }

  #moveTo({ revision, lastChange }: KeyHistory): void {
    if (revision !== this.#revision || lastChange !== this.#lastChange) this.#absent.clear();
    this.#revision = revision;
    this.#lastChange = lastChange;
  }

  async #forgetChanged(): Promise<void> {
    const ids = new Set(await this.#options.source.listChangedSince(this.#revision));
    for (const [index, { key }] of this.#rows) if (ids.has(key.id)) this.#rows.delete(index);
  }

  /** Another database, or an older copy, has taken the place of the one that was read: its changes are not known. */
  #forget(): void {
    this.#rows.clear();
    this.#absent.clear();
    this.#lookUps.clear();
    this.#options.onReplaced?.();
  }

  async #touch(): Promise<void> {
    if (this.#usedAt.size === 0) return;
    this.#touchedAt = performance.now();
    const usedAt = this.#usedAt;
    this.#usedAt = new Map();
    await this.#options.source.saveLastUsed(usedAt).catch(() => {
      // What has been used since is newer.
      this.#usedAt = new Map([...usedAt, ...this.#usedAt]);
    });
  }

  #health(healthy: boolean, error?: unknown): void {
    if (healthy !== this.#healthy) this.#options.onHealth(healthy, error);
    this.#healthy = healthy;
  }
}

function notReachable(cause?: unknown): GatewayError {
  return new GatewayError("store_unavailable", "Keys cannot be looked up now; try again shortly.", {
    cause,
  });
}
