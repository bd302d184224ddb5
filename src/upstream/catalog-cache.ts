import { LRUCache } from "lru-cache";
import type { BufferedResponse } from "./fetch-buffered.ts";
import type { LimitedFetch } from "./limited-fetch.ts";

/** Maximum age of a cached response. */
const MAX_AGE_MS = 60_000;
/** Maximum length of one response. */
const MAX_BYTES = 8_388_608;
/** Maximum size of all cached responses. */
const CACHE_MAX_BYTES = 33_554_432;
/** Memory of an entry per byte of its body: a list may also be stored split into its entries. */
const BYTES_PER_BYTE = 2;
/** Memory of an entry in addition to its body, roughly. */
const ENTRY_BYTES = 1_024;

/** A request for a document of OpenRouter's catalog. */
export interface CatalogFetch {
  /** Path below the base URL, with a query whose parameters are in a fixed order. */
  readonly path: string;
  readonly authorization: string;
  /** Callers with the same scope share cached responses. */
  readonly scope: string;
  readonly callerId: string;
}

interface Entry {
  readonly response: BufferedResponse;
  /** Time on the cache's clock. */
  readonly freshUntil: number;
}

/**
 * Caches documents of OpenRouter's catalog for a minute, so that clients cannot load the account with requests for them.
 * Concurrent requests for one document share one fetch. Only responses with status 200 are cached.
 */
export class CatalogCache {
  readonly #fetch: LimitedFetch;
  readonly #now: () => number;
  readonly #entries = new LRUCache<string, Entry>({
    maxSize: CACHE_MAX_BYTES,
    sizeCalculation: ({ response }) => response.body.length * BYTES_PER_BYTE + ENTRY_BYTES,
  });
  readonly #loading = new Map<string, Promise<BufferedResponse>>();

  /** @param now monotonic clock in ms. */
  constructor(fetch: LimitedFetch, now: () => number = () => performance.now()) {
    this.#fetch = fetch;
    this.#now = now;
  }

  /** Returns a document, whatever its status. @throws the errors of {@link LimitedFetch}. */
  get(request: CatalogFetch): Promise<BufferedResponse> {
    const key = `${request.scope} ${request.path}`;
    const cached = this.#entries.get(key);
    if (cached && this.#now() < cached.freshUntil) return Promise.resolve(cached.response);
    const loading = this.#loading.get(key) ?? this.#load(key, request);
    this.#loading.set(key, loading);
    return loading;
  }

  async #load(key: string, { path, authorization, callerId }: CatalogFetch): Promise<BufferedResponse> {
    try {
      const response = await this.#fetch.get({ path, authorization, callerId, maxBytes: MAX_BYTES });
      if (response.status === 200) this.#entries.set(key, { response, freshUntil: this.#now() + MAX_AGE_MS });
      return response;
    } finally {
      this.#loading.delete(key);
    }
  }
}
