import { GatewayError } from "../errors.ts";
import { normalizeModelId } from "../request/model-id.ts";
import { findModel, indexModels, type ModelIndex } from "./model-index.ts";
import { type ListedModels, type Model, type ModelsRead, parseModels } from "./model-list.ts";
import { fetchBuffered } from "./fetch-buffered.ts";
import { Refreshed } from "./refreshed.ts";
import type { Upstream } from "./openrouter.ts";

export type { Model } from "./model-list.ts";

const MAX_BYTES = 33_554_432;
/** Filtered lists that are kept, and how large they may be together; the list without a filter is kept besides. */
const FILTERED_MAX = 50;
const FILTERED_MAX_BYTES = 33_554_432;
/** Each may buffer a whole list, and callers choose how many different filters they send. */
const CONCURRENT_FILTERED_MAX = 8;

/** Upstream's list of models at one time. */
export interface ModelList extends ListedModels, ModelIndex {
  /** When upstream sent it, in ms since 1970. */
  readonly fetchedAt: number;
}

export interface ModelCatalogOptions {
  /** A clock in ms that never goes back. */
  readonly now?: () => number;
  /** Called the first time that entries are left out for want of a usable id. */
  readonly onSkipped?: (entries: number) => void;
}

/**
 * Upstream's list of models, without a filter and for each filter that callers use, as {@link Refreshed} keeps them. A
 * fetch times out after 10 s.
 */
export class ModelCatalog {
  readonly #upstream: Upstream;
  readonly #authorization: string | undefined;
  readonly #now: () => number;
  readonly #onSkipped: (entries: number) => void;
  readonly #whole: Refreshed<ModelList>;
  /** By query string; the least recently used comes first. */
  readonly #filtered = new Map<string, Refreshed<ListedModels>>();
  #fetchingFiltered = 0;
  #skippedBefore = false;

  /** @param authorization sent upstream; the list is public and needs none. */
  constructor(upstream: Upstream, authorization: string | undefined, options: ModelCatalogOptions = {}) {
    this.#upstream = upstream;
    this.#authorization = authorization;
    this.#now = options.now ?? (() => performance.now());
    this.#onSkipped = options.onSkipped ?? (() => {});
    this.#whole = new Refreshed(() => this.#loadWhole(), this.#now);
  }

  /** The list without a filter. @throws GatewayError when upstream fails and there is no old list. */
  list(): Promise<ModelList> {
    return this.#whole.get();
  }

  /**
   * The list as upstream filters and sorts it.
   * @param query a query string that means the same for everybody who writes it the same way; "" does not filter.
   * @throws GatewayError invalid_value when upstream refuses the filter; otherwise as {@link list}, and overloaded when too
   * many other filters are being fetched.
   */
  async listFiltered(query: string): Promise<ListedModels> {
    if (query === "") return this.list();
    const known = this.#filtered.get(query);
    const kept = known ?? new Refreshed(() => this.#loadFiltered(query), this.#now);
    this.#filtered.delete(query);
    this.#filtered.set(query, kept);
    try {
      return await kept.get();
    } finally {
      if (kept.value === undefined && this.#filtered.get(query) === kept) this.#filtered.delete(query);
      this.#evict();
    }
  }

  /**
   * A listed model, under the name asked for.
   * @param id with or without the optional prefix, and with variants that can be called.
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

  async #loadWhole(): Promise<ModelList> {
    const { listed, models } = await this.#fetch("");
    return { ...listed, ...indexModels(models), fetchedAt: Date.now() };
  }

  async #loadFiltered(query: string): Promise<ListedModels> {
    if (this.#fetchingFiltered >= CONCURRENT_FILTERED_MAX)
      throw new GatewayError("overloaded", "Too many filtered lists of models are being fetched; try again.");
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
        `OpenRouter answered the list of models with status ${status}.`,
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
    `OpenRouter refused this filter of models; correct the value of ${names.join(", ")}.`,
    { param: names.length === 1 ? names[0] : undefined },
  );
}
