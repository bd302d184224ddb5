import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { allowsModel } from "../auth/model-policy.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import type { ListedModels } from "../upstream/model-list.ts";
import { getErrorFormat, READ_BASE_PATHS } from "./base-paths.ts";
import { formatPage } from "./list-page.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { type ModelQuery, readModelQuery } from "./model-query.ts";

const LIST_PATH = "models";
const MODEL_PATH = `${LIST_PATH}/*`;
/** Paths of the model list and of its entries, below the base paths. */
export const MODEL_PATHS: readonly string[] = [LIST_PATH, MODEL_PATH];

export interface ModelsOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly catalog: ModelCatalog;
}

/** Registers `GET /models` and `GET /models/{id}` below every base path. The id may have slashes, percent-encoded or not. */
export function registerModels(app: FastifyInstance, options: ModelsOptions): void {
  for (const basePath of READ_BASE_PATHS) registerModelUrls(app, basePath, options);
}

function registerModelUrls(
  app: FastifyInstance,
  basePath: string,
  { accessHooks, catalog }: ModelsOptions,
): void {
  const url = `${basePath}/${LIST_PATH}`;
  const modelUrl = `${basePath}/${MODEL_PATH}`;
  const errorFormat = getErrorFormat(basePath);
  const options = { config: { errorFormat }, onRequest: accessHooks };
  rejectOtherMethods(app, url, ["GET"], errorFormat);
  rejectOtherMethods(app, modelUrl, ["GET"], errorFormat);
  app.get(url, options, async (request, reply) => {
    const query = readModelQuery(request.url);
    const models = await catalog.listFiltered(query.filter);
    const json = toJson(request.caller.key?.models ?? null, models, { ...query, url });
    return reply.type("application/json").send(json);
  });
  app.get(modelUrl, options, async (request, reply) => {
    const id = (request.params as { "*": string })["*"];
    const model = await catalog.find(id);
    if (!model || !allowsModel(request.caller.key?.models ?? null, model.id)) throw createModelError();
    return reply.type("application/json").send(JSON.stringify(model));
  });
}

/** Returns the error for a model that does not exist or that the key may not use. */
export function createModelError(): GatewayError {
  return new GatewayError(
    "model_not_found",
    "The model does not exist, or this key may not use it; GET /openai/v1/models lists all models of the key.",
    { param: "model" },
  );
}

/** Returns the JSON of the models that a key may use, cut to the requested page. */
function toJson(
  allowed: readonly string[] | null,
  list: ListedModels,
  query: ModelQuery & { readonly url: string },
): Buffer {
  if (allowed === null && !query.page) return list.json;
  const usable = list.entries.filter(({ id }) => allowsModel(allowed, id)).map(({ json }) => json);
  return formatPage(usable, list.fields, query);
}
