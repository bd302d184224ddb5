import { LRUCache } from "lru-cache";
import { fetchBuffered } from "./fetch-buffered.ts";
import type { Upstream } from "./openrouter.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";

/** How old a list may be, and how soon after a failure it is fetched again. */
const MAX_AGE_MS = 300_000;
const RETRY_AFTER_MS = 10_000;
const MAX_BYTES = 4_194_304;
/** Models whose lists are kept: about as many as OpenRouter has. */
const CACHE_MAX = 1_000;
/** `author/slug`, as the model list writes it, and nothing that a path could mean something else by. */
const MODEL_ID = /^~?[\w-][\w.-]*\/[\w-][\w.:-]*$/;

const NOTHING = Promise.resolve(undefined);

/** One endpoint of a model, as OpenRouter lists it. */
export type Endpoint = JsonObject;

/** The endpoints of one model at one time. */
export interface EndpointList {
  readonly endpoints: readonly Endpoint[];
  /** When upstream listed them, in ms since 1970. */
  readonly fetchedAt: number;
}

interface Entry {
  /** undefined: upstream did not list them. */
  list: Promise<EndpointList | undefined>;
  /** Infinity while the list is fetched. */
  freshUntil: number;
}

/**
 * The endpoints of models, each with prices of its own, fetched when first wanted and again when five minutes old.
 * Concurrent callers share one fetch, which times out after 10 s. An old list is never served: its prices may be too low.
 */
export class EndpointCatalog {
  readonly #upstream: Upstream;
  readonly #authorization: string | undefined;
  readonly #now: () => number;
  /** By model id. Read with `peek`, so that the list that was fetched first is dropped first. */
  readonly #entries = new LRUCache<string, Entry>({ max: CACHE_MAX });

  /**
   * @param authorization sent upstream; the lists are public and need none.
   * @param now a clock in ms that never goes back.
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

  /** @param id of a listed model. @returns undefined when upstream does not list its endpoints. */
  find(id: string): Promise<EndpointList | undefined> {
    if (!MODEL_ID.test(id)) return Promise.resolve(undefined);
    const known = this.#entries.peek(id);
    if (known && this.#now() < known.freshUntil) return known.list;
    const entry: Entry = { list: NOTHING, freshUntil: Infinity };
    entry.list = this.#load(id, entry);
    this.#entries.set(id, entry);
    return entry.list;
  }

  async #load(id: string, entry: Entry): Promise<EndpointList | undefined> {
    let list: EndpointList | undefined;
    try {
      list = await this.#fetch(id);
    } catch {
      // The caller learns that there is no list; why is the upstream's affair, and is tried again soon.
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
