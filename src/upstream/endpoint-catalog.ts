import { LRUCache } from "lru-cache";
import { fetchBuffered } from "./fetch-buffered.ts";
import type { Upstream } from "./openrouter.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** Maximum age of a list. */
const MAX_AGE_MS = 300_000;
/**
 * Age from which a list that is used is fetched again in the background, so that requests rarely wait for a fetch, and a
 * failure of the list leaves time for retries.
 */
const REFRESH_AFTER_MS = 150_000;
/** Delay before a failed fetch is retried. */
const RETRY_AFTER_MS = 10_000;
const MAX_BYTES = 4_194_304;
/** Maximum number of models whose lists are cached: about as many as OpenRouter has. */
const CACHE_MAX = 1_000;
/** `author/slug`, as in the model list, without characters that have a meaning in a URL path. */
const MODEL_ID = /^~?[\w-][\w.-]*\/[\w-][\w.:-]*$/;

/** Whether a text is a model id that can be a part of upstream's URL path. */
export function isModelPath(text: string): boolean {
  return MODEL_ID.test(text);
}

const NO_LIST = Promise.resolve(undefined);

/** One endpoint of a model, as OpenRouter lists it. */
export type Endpoint = JsonObject;

/** The endpoints of one model at one time. */
export interface EndpointList {
  readonly endpoints: readonly Endpoint[];
  /** Time of the fetch, in ms since 1970. */
  readonly fetchedAt: number;
}

/** A list of endpoints that has been fetched. */
export interface FetchedEndpoints {
  /** undefined if upstream did not list the endpoints. */
  readonly list: EndpointList | undefined;
  /** Time on the catalog's clock. */
  readonly freshUntil: number;
  /** Time on the catalog's clock from which the list is fetched again, in the background. */
  refreshAt: number;
}

interface Entry {
  readonly loading: Promise<EndpointList | undefined>;
  /** undefined during the first fetch. */
  fetched: FetchedEndpoints | undefined;
}

/**
 * Cache of the endpoints of models. Each endpoint has its own prices. The catalog fetches a list when it is first needed, and
 * again when it is used and 150 s old. Concurrent lookups share one fetch, which times out after 10 s. The catalog never returns
 * a list that is older than five minutes, because its prices may be too low.
 */
export class EndpointCatalog {
  readonly #upstream: Upstream;
  readonly #authorization: string | undefined;
  readonly #now: () => number;
  /** Entries by model id. Read with `peek`, so that the list with the oldest fetch is evicted first. */
  readonly #entries = new LRUCache<string, Entry>({ max: CACHE_MAX });

  /**
   * @param authorization value of `Authorization`; undefined is possible, because the lists are public.
   * @param now monotonic clock in ms.
   */
  constructor(
    upstream: Upstream,
    authorization: string | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#upstream = upstream;
    this.#authorization = authorization;
    this.#now = now;
  }

  /** Returns the endpoints of a listed model; undefined if upstream does not list them. */
  find(id: string): Promise<EndpointList | undefined> {
    if (!isModelPath(id)) return NO_LIST;
    const fetched = this.peek(id);
    if (fetched) return Promise.resolve(fetched.list);
    const known = this.#entries.peek(id);
    if (known && !known.fetched) return known.loading;
    const { promise, resolve } = Promise.withResolvers<EndpointList | undefined>();
    const entry: Entry = { loading: promise, fetched: undefined };
    this.#entries.set(id, entry);
    void this.#load(id, entry).then(resolve);
    return promise;
  }

  /**
   * Returns the endpoints of a model without a wait; undefined if {@link find} has to fetch them. A list that is half as old
   * as possible is fetched again in the background.
   */
  peek(id: string): FetchedEndpoints | undefined {
    const entry = this.#entries.peek(id);
    const fetched = entry?.fetched;
    if (!entry || !fetched) return undefined;
    const now = this.#now();
    if (now >= fetched.freshUntil) return undefined;
    if (now >= fetched.refreshAt) {
      fetched.refreshAt = now + RETRY_AFTER_MS;
      if (fetched.list) void this.#load(id, entry);
    }
    return fetched;
  }

  /** Fetches a list. If that fails, an older list remains until it expires. */
  async #load(id: string, entry: Entry): Promise<EndpointList | undefined> {
    let list: EndpointList | undefined;
    try {
      list = await this.#fetch(id);
    } catch {
      // The result is "no list", whatever the cause; the fetch is retried after RETRY_AFTER_MS.
    }
    const now = this.#now();
    const older = entry.fetched;
    if (!list && older?.list && now < older.freshUntil) return older.list;
    entry.fetched = {
      list,
      freshUntil: now + (list ? MAX_AGE_MS : RETRY_AFTER_MS),
      refreshAt: now + (list ? REFRESH_AFTER_MS : RETRY_AFTER_MS),
    };
    return list;
  }

  async #fetch(id: string): Promise<EndpointList | undefined> {
    const fetchedAt = Date.now();
    const { status, body } = await fetchBuffered(this.#upstream, {
      path: `/models/${id}/endpoints`,
      authorization: this.#authorization,
      maxBytes: MAX_BYTES,
    });
    if (status !== 200) return undefined;
    const { data } = JSON.parse(body.toString()) as { data?: { endpoints?: unknown } };
    const endpoints = data?.endpoints;
    return Array.isArray(endpoints) && endpoints.every(isJsonObject) ? { endpoints, fetchedAt } : undefined;
  }
}
