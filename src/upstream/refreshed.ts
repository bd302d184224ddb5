/** How old a value may be before it is loaded again, and how soon after a failure the load is retried. */
const MAX_AGE_MS = 300_000;
const RETRY_AFTER_MS = 10_000;

/**
 * A value of upstream's that is loaded when first wanted and again when five minutes old. Concurrent callers share one
 * load. A caller gets the old value while a new one is loaded, and as long as loads fail.
 */
export class Refreshed<T> {
  readonly #load: () => Promise<T>;
  readonly #now: () => number;
  #value: T | undefined = undefined;
  #freshUntil = 0;
  #loading: Promise<T> | undefined = undefined;

  /** @param now a clock in ms that never goes back. */
  constructor(load: () => Promise<T>, now: () => number) {
    this.#load = load;
    this.#now = now;
  }

  /** The last loaded value, however old. */
  get value(): T | undefined {
    return this.#value;
  }

  /** @throws what `load` throws, if no load has succeeded yet. */
  async get(): Promise<T> {
    if (this.#value !== undefined && this.#now() < this.#freshUntil) return this.#value;
    this.#loading ??= this.#refresh().finally(() => {
      this.#loading = undefined;
    });
    // An old value now is better than a new one later.
    if (this.#value === undefined) return this.#loading;
    this.#loading.catch(() => {});
    return this.#value;
  }

  async #refresh(): Promise<T> {
    try {
      this.#value = await this.#load();
      this.#freshUntil = this.#now() + MAX_AGE_MS;
      return this.#value;
    } catch (error) {
      this.#freshUntil = this.#now() + RETRY_AFTER_MS;
      throw error;
    }
  }
}
