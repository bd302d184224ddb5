/** Age at which a value is loaded again. */
const MAX_AGE_MS = 300_000;
/** Delay before a failed load is retried. */
const RETRY_AFTER_MS = 10_000;

/**
 * A value that `get()` loads from upstream on its first call, and again when the value is five minutes old. Concurrent calls
 * share one load. While a new value is being loaded, and as long as loads fail, `get()` returns the old value.
 */
export class Refreshed<T> {
  readonly #load: () => Promise<T>;
  readonly #now: () => number;
  #value: T | undefined = undefined;
  #freshUntil = 0;
  #loading: Promise<T> | undefined = undefined;

  /** @param now monotonic clock in ms. */
  constructor(load: () => Promise<T>, now: () => number) {
    this.#load = load;
    this.#now = now;
  }

  /** The value that was loaded last, regardless of its age. */
  get value(): T | undefined {
    return this.#value;
  }

  /** The value if it is not due to be loaded again. */
  get freshValue(): T | undefined {
    return this.#now() < this.#freshUntil ? this.#value : undefined;
  }

  /** Returns the value. @throws the error of `load`, if no load has succeeded yet. */
  async get(): Promise<T> {
    if (this.#value !== undefined && this.#now() < this.#freshUntil) return this.#value;
    this.#loading ??= this.#refresh().finally(() => {
      this.#loading = undefined;
    });
    // Return the old value rather than wait for the new one.
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
