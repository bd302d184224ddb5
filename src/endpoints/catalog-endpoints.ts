import { allowsModel } from "../auth/model-policy.ts";
import type { BufferedResponse } from "../upstream/fetch-buffered.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import { type ListedModels, splitList } from "../upstream/model-list.ts";
import { formatPage } from "./list-page.ts";
import { createModelError } from "./models.ts";
import type { ModelQuery, QueryParameters } from "./model-query.ts";

/** A request for a document of OpenRouter's catalog. */
export interface CatalogRequest {
  /** Path of the request, without its query. */
  readonly url: string;
  readonly query: ModelQuery;
  /** The model that the path names; empty if the path names none. */
  readonly modelId: string;
  /** Fetches the document from OpenRouter. @param query the query string; may be empty. */
  readonly load: (query: string) => Promise<BufferedResponse>;
  /** The lists of models, with which a document can be restricted to some models. */
  readonly models: ModelCatalog;
}

/** An endpoint that reads OpenRouter's catalog. */
export interface CatalogEndpoint {
  /** Path below the base paths and below upstream's base URL. `:author/:slug` is a model id. */
  readonly path: string;
  /** Content of the response, for the description of the API. */
  readonly summary: string;
  readonly query: QueryParameters;
  /**
   * Returns the response for a key that may use only some models. Any other key receives OpenRouter's response.
   * @param allowed the patterns of the models that the key may use.
   */
  restrict(request: CatalogRequest, allowed: readonly string[]): Promise<BufferedResponse>;
}

const NO_PARAMETERS: QueryParameters = { filters: [], hasPages: false };
const PAGES: QueryParameters = { filters: [], hasPages: true };

/** Every relayed endpoint of the catalog. `/models` and `/models/{id}`, which have lists of their own, are in `models.ts`. */
export const CATALOG_ENDPOINTS: readonly CatalogEndpoint[] = [
  {
    path: "models/count",
    summary: "The number of models this key may use",
    query: { filters: ["output_modalities"], hasPages: false },
    restrict: countModels,
  },
  {
    path: "models/user",
    summary: "The models that the account's settings and this key allow",
    query: PAGES,
    restrict: restrictModels,
  },
  {
    path: "model/:author/:slug",
    summary: "One model that this key may use, in OpenRouter's shape",
    query: NO_PARAMETERS,
    restrict: restrictToAllowedModel,
  },
  {
    path: "models/:author/:slug/endpoints",
    summary: "The providers of a model that this key may use, with their prices",
    query: NO_PARAMETERS,
    restrict: restrictToAllowedModel,
  },
  {
    path: "embeddings/models",
    summary: "The models for embeddings this key may use",
    query: PAGES,
    restrict: restrictModels,
  },
  {
    path: "providers",
    summary: "OpenRouter's providers",
    query: NO_PARAMETERS,
    restrict: (request) => request.load(""),
  },
  {
    path: "endpoints/zdr",
    summary: "The endpoints without data retention of the models this key may use",
    query: NO_PARAMETERS,
    restrict: restrictEndpoints,
  },
];

async function countModels(
  { query, models }: CatalogRequest,
  allowed: readonly string[],
): Promise<BufferedResponse> {
  const { entries } = await models.listFiltered(query.filter);
  const count = entries.filter(({ id }) => allowsModel(allowed, id)).length;
  return toResponse(Buffer.from(JSON.stringify({ data: { count } })));
}

function restrictToAllowedModel(
  { modelId, load }: CatalogRequest,
  allowed: readonly string[],
): Promise<BufferedResponse> {
  if (!allowsModel(allowed, modelId)) throw createModelError();
  return load("");
}

async function restrictModels(
  { query, url, load }: CatalogRequest,
  allowed: readonly string[],
): Promise<BufferedResponse> {
  // The page is cut after the models that the key may not use have been removed.
  const response = await load(query.filter);
  if (response.status !== 200) return response;
  const { entries, fields } = splitOnce(response, "id");
  const usable = entries.filter(({ id }) => allowsModel(allowed, id)).map(({ json }) => json);
  return toResponse(formatPage(usable, fields, { ...query, url }));
}

/** The entries name their models by dated name, and the patterns of a key name them by id. */
async function restrictEndpoints(
  { query, url, load, models }: CatalogRequest,
  allowed: readonly string[],
): Promise<BufferedResponse> {
  const [response, { byDatedName }] = await Promise.all([load(""), models.list()]);
  if (response.status !== 200) return response;
  const isUsable = (name: string): boolean => {
    const id = byDatedName.get(name)?.id;
    return allowsModel(allowed, name) || (id !== undefined && allowsModel(allowed, id));
  };
  const { entries, fields } = splitOnce(response, "model_id");
  const usable = entries.filter(({ id }) => isUsable(id)).map(({ json }) => json);
  return toResponse(formatPage(usable, fields, { ...query, url }));
}

/** Lists by the response that they were parsed from, so that a cached response is parsed once. */
const parsedLists = new WeakMap<BufferedResponse, ListedModels>();

function splitOnce(response: BufferedResponse, idField: string): ListedModels {
  const known = parsedLists.get(response);
  if (known) return known;
  const list = splitList(response.body, idField);
  parsedLists.set(response, list);
  return list;
}

function toResponse(body: Buffer): BufferedResponse {
  return { status: 200, headers: { "content-type": "application/json" }, body };
}
