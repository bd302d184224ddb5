import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "../auth/caller-key.ts";
import { allowsModel } from "../auth/model-policy.ts";
import { mergeAliases, type ModelAliases } from "../request/model-aliases.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import type { ListedModels } from "../upstream/model-list.ts";
import { createAliasEntries, toAliasEntry } from "./alias-entries.ts";
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
  /** The aliases of the gateway. */
  readonly aliases: ModelAliases;
}

/** Registers `GET /models` and `GET /models/{id}` below every base path. The id may have slashes, percent-encoded or not. */
export function registerModels(app: FastifyInstance, options: ModelsOptions): void {
  for (const basePath of READ_BASE_PATHS) registerModelUrls(app, basePath, options);
}

function registerModelUrls(
  app: FastifyInstance,
  basePath: string,
  { accessHooks, catalog, aliases }: ModelsOptions,
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
    const json = toJson(toView(request.caller.key, aliases), models, { ...query, url });
    return reply.type("application/json").send(json);
  });
  app.get(modelUrl, options, async (request, reply) => {
    const id = (request.params as { "*": string })["*"];
    const view = toView(request.caller.key, aliases);
    const target = view.aliases.get(id);
    const model = await catalog.find(target ?? id);
    if (!model || !allowsModel(view.allowed, model.id)) throw createModelError();
    return reply
      .type("application/json")
      .send(JSON.stringify(target === undefined ? model : toAliasEntry(model, id)));
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

/** The part of a list of models that a client may see. */
interface View {
  /** Patterns of the models that the client may use; null allows every model. */
  readonly allowed: readonly string[] | null;
  readonly aliases: ModelAliases;
}

/** @param key the client's key, if it has one. @param aliases those of the gateway. */
function toView(key: CallerKey | undefined, aliases: ModelAliases): View {
  return { allowed: key?.models ?? null, aliases: mergeAliases(aliases, key?.aliases) };
}

/** Returns the JSON of the models and aliases that a client may use, cut to the requested page. */
function toJson(
  { allowed, aliases }: View,
  list: ListedModels,
  query: ModelQuery & { readonly url: string },
): Buffer {
  if (allowed === null && aliases.size === 0 && !query.page) return list.json;
  const mayUse = (id: string): boolean => allowsModel(allowed, id);
  const named = createAliasEntries(list.entries, aliases, mayUse);
  const usable = list.entries.flatMap(({ id, json }) => {
    const ofAliases = named.get(id) ?? [];
    return mayUse(id) ? [json, ...ofAliases] : ofAliases;
  });
  return formatPage(usable, list.fields, query);
}
