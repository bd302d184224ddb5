import { GatewayError } from "../errors.ts";
import { normalizeModelId } from "../request/model-id.ts";
import { findModel, indexModels, type ModelIndex } from "./model-index.ts";
import { type ListedModels, type Model, type ModelsRead, parseModels } from "./model-list.ts";
import { fetchBuffered } from "./fetch-buffered.ts";
import { Refreshed } from "./refreshed.ts";
import type { Upstream } from "./openrouter.ts";

export type { Model } from "./model-list.ts";

const MAX_BYTES = 33_554_432;
/** Query that selects the models of all outputs, such as those for embeddings. */
const ALL_MODELS = "output_modalities=all";
/** Maximum number and total size of the cached filtered lists. The unfiltered list does not count. */
const FILTERED_MAX = 50;
const FILTERED_MAX_BYTES = 33_554_432;
/** Maximum number of concurrent filtered fetches: each buffers a complete list, and clients can send any number of filters. */
const CONCURRENT_FILTERED_MAX = 8;

/** Upstream's list of models, as of one fetch. */
export interface ModelList extends ListedModels, ModelIndex {
  /** Time of the fetch, in ms since 1970. */
  readonly fetchedAt: number;
}

export interface ModelCatalogOptions {
  /** Monotonic clock in ms. */
  readonly now?: () => number;
  /** Called the first time that the catalog skips entries because they have no usable id. */
  readonly onSkipped?: (entries: number) => void;
}

/**
 * Cache of upstream's list of models: the unfiltered list, and a list for each filter that clients send. {@link Refreshed}
 * describes when a list is fetched again. A fetch times out after 10 s.
 */
export class ModelCatalog {
  readonly #upstream: Upstream;
  readonly #authorization: string | undefined;
  readonly #now: () => number;
  readonly #onSkipped: (entries: number) => void;
  readonly #whole: Refreshed<ModelList>;
  readonly #all: Refreshed<ModelList>;
  /** Lists by query string, the least recently used first. */
  readonly #filtered = new Map<string, Refreshed<ListedModels>>();
  #fetchingFiltered = 0;
  #skippedBefore = false;

  /** @param authorization value of `Authorization`; undefined is possible, because the list is public. */
  constructor(upstream: Upstream, authorization: string | undefined, options: ModelCatalogOptions = {}) {
    this.#upstream = upstream;
    this.#authorization = authorization;
    this.#now = options.now ?? (() => performance.now());
    this.#onSkipped = options.onSkipped ?? (() => {});
    this.#whole = new Refreshed(() => this.#load(""), this.#now);
    this.#all = new Refreshed(() => this.#load(ALL_MODELS), this.#now);
  }

  /** Returns the unfiltered list. @throws GatewayError if upstream fails and no list is cached. */
  list(): Promise<ModelList> {
    return this.#whole.get();
  }

  /**
   * Returns the list of all models. The unfiltered list has only models that generate text.
   * @throws the errors of {@link list}.
   */
  listAll(): Promise<ModelList> {
    return this.#all.get();
  }

  /** Returns the list of {@link list} or {@link listAll} without a wait; undefined if it is not fresh. */
  peek(kind: "text" | "all"): ModelList | undefined {
    return (kind === "text" ? this.#whole : this.#all).freshValue;
  }

  /**
   * Returns the list as upstream filters and sorts it.
   * @param query a query string whose result does not depend on the client; "" selects the unfiltered list.
   * @throws GatewayError `invalid_value` if upstream rejects the filter, `overloaded` if too many other filtered lists are
   * being fetched, and the errors of {@link list}.
   */
  async listFiltered(query: string): Promise<ListedModels> {
    if (query === "") return this.list();
    const known = this.#filtered.get(query);
    const list = known ?? new Refreshed(() => this.#loadFiltered(query), this.#now);
    this.#filtered.delete(query);
    this.#filtered.set(query, list);
    try {
      return await list.get();
    } finally {
      if (list.value === undefined && this.#filtered.get(query) === list) this.#filtered.delete(query);
      this.#evict();
    }
  }

  /**
   * Finds a listed model.
   * @param id model id, with or without the optional prefix and variants.
   * @returns the model, with the requested name as its `id`.
   */
  async find(id: string): Promise<Model | undefined> {
    const list = await this.list();
    return list.byId.get(id) ?? findModel(list, normalizeModelId(id));
  }

  #evict(): void {
    let bytes = 0;
    for (const { value } of this.#filtered.values()) bytes += value?.json.length ?? 0;
    for (const [query, { value }] of this.#filtered) {
      if (this.#filtered.size <= FILTERED_MAX && bytes <= FILTERED_MAX_BYTES) return;
      this.#filtered.delete(query);
      bytes -= value?.json.length ?? 0;
    }
  }

  async #load(query: string): Promise<ModelList> {
    const { listed, models } = await this.#fetch(query);
    return { ...listed, ...indexModels(models), fetchedAt: Date.now() };
  }

  async #loadFiltered(query: string): Promise<ListedModels> {
    if (this.#fetchingFiltered >= CONCURRENT_FILTERED_MAX)
      throw new GatewayError("overloaded", "Too many filtered model lists are being fetched; try again.");
    this.#fetchingFiltered++;
    try {
      return (await this.#fetch(query)).listed;
    } finally {
      this.#fetchingFiltered--;
    }
  }

  async #fetch(query: string): Promise<ModelsRead> {
    const { status, body } = await fetchBuffered(this.#upstream, {
      path: query === "" ? "/models" : `/models?${query}`,
      authorization: this.#authorization,
      maxBytes: MAX_BYTES,
    });
    if (query !== "" && (status === 400 || status === 422)) throw refusedFilter(query);
    if (status !== 200)
      throw new GatewayError(
        "upstream_error",
        `OpenRouter responded to the request for its model list with status ${status}.`,
      );
    const read = parseModels(body);
    if (read.skipped > 0 && !this.#skippedBefore) {
      this.#skippedBefore = true;
      this.#onSkipped(read.skipped);
    }
    return read;
  }
}

function refusedFilter(query: string): GatewayError {
  const names = [...new URLSearchParams(query).keys()];
  return new GatewayError(
    "invalid_value",
    `OpenRouter rejected the model filter; correct the value of ${names.join(", ")}.`,
    { param: names.length === 1 ? names[0] : undefined },
  );
}
