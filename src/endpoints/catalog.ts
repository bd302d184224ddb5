import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { getCallerId } from "../limits/caller-id.ts";
import type { CatalogCache } from "../upstream/catalog-cache.ts";
import { isModelPath } from "../upstream/endpoint-catalog.ts";
import type { BufferedResponse } from "../upstream/fetch-buffered.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import { getErrorFormat, READ_BASE_PATHS } from "./base-paths.ts";
import { CATALOG_ENDPOINTS, type CatalogEndpoint, type CatalogRequest } from "./catalog-endpoints.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { formatModelQuery, readModelQuery } from "./model-query.ts";
import { createModelError } from "./models.ts";
import { sendBuffered } from "./send-buffered.ts";

export interface CatalogOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly cache: CatalogCache;
  readonly models: ModelCatalog;
  /** Whether requests have the account's key. If not, each client's own key is sent, and its responses are not shared. */
  readonly usesOperatorKey: boolean;
}

/** Registers every endpoint of {@link CATALOG_ENDPOINTS} below every base path. */
export function registerCatalog(app: FastifyInstance, options: CatalogOptions): void {
  for (const endpoint of CATALOG_ENDPOINTS)
    for (const basePath of READ_BASE_PATHS) {
      const url = `${basePath}/${endpoint.path}`;
      const errorFormat = getErrorFormat(basePath);
      rejectOtherMethods(app, url, ["GET"], errorFormat);
      app.get(url, {
        config: { errorFormat },
        onRequest: options.accessHooks,
        handler: createHandler(endpoint, options),
      });
    }
}

function createHandler(endpoint: CatalogEndpoint, options: CatalogOptions) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const catalogRequest = readCatalogRequest(request, endpoint, options);
    const { filter, page } = catalogRequest.query;
    const allowed = request.caller.key?.models ?? null;
    const response =
      allowed === null
        ? await catalogRequest.load(formatModelQuery(filter, page))
        : await endpoint.restrict(catalogRequest, allowed);
    return sendBuffered(request, reply, response, options.usesOperatorKey);
  };
}

/** @throws GatewayError 400 for a wrong query, 404 for a path whose model id cannot exist. */
function readCatalogRequest(
  request: FastifyRequest,
  endpoint: CatalogEndpoint,
  { cache, models, usesOperatorKey }: CatalogOptions,
): CatalogRequest {
  const { caller } = request;
  const query = readModelQuery(request.url, endpoint.query);
  const { author, slug } = request.params as { readonly author?: string; readonly slug?: string };
  const modelId = author === undefined ? "" : `${author}/${slug ?? ""}`;
  if (author !== undefined && !isModelPath(modelId)) throw createModelError();
  const path = endpoint.path.replace(":author/:slug", modelId);
  // Reads the address before the first await, because a connection that has been reset has none.
  const callerId = getCallerId(request);
  const load = (search: string): Promise<BufferedResponse> =>
    cache.get({
      path: `/${path}${search === "" ? "" : `?${search}`}`,
      authorization: caller.authorization,
      scope: usesOperatorKey ? "account" : caller.limitKey,
      callerId,
    });
  return { url: request.url.split("?", 1)[0] ?? "", query, modelId, load, models };
}
