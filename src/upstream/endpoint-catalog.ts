import { LRUCache } from "lru-cache";
import { fetchBuffered } from "./fetch-buffered.ts";
import type { Upstream } from "./openrouter.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** Maximum age of a list. */
const MAX_AGE_MS = 300_000;
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

interface Entry {
  /** Resolves to undefined if upstream did not list the endpoints. */
  list: Promise<EndpointList | undefined>;
  /** Time on the catalog's clock; Infinity during the fetch. */
  freshUntil: number;
}

/**
 * Cache of the endpoints of models. Each endpoint has its own prices. The catalog fetches a list when it is first needed, and
 * again when it is five minutes old. Concurrent lookups share one fetch, which times out after 10 s. The catalog never returns
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
    if (!isModelPath(id)) return Promise.resolve(undefined);
    const known = this.#entries.peek(id);
    if (known && this.#now() < known.freshUntil) return known.list;
    const entry: Entry = { list: NO_LIST, freshUntil: Infinity };
    entry.list = this.#load(id, entry);
    this.#entries.set(id, entry);
    return entry.list;
  }

  async #load(id: string, entry: Entry): Promise<EndpointList | undefined> {
    let list: EndpointList | undefined;
    try {
      list = await this.#fetch(id);
    } catch {
      // The result is "no list", whatever the cause; the fetch is retried after RETRY_AFTER_MS.
    }
    entry.freshUntil = this.#now() + (list ? MAX_AGE_MS : RETRY_AFTER_MS);
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
