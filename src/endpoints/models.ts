import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import type { CallerKey } from "../auth/caller-key.ts";
import { allowsModel } from "../auth/model-policy.ts";
import { mergeAliases, type ModelAliases } from "../request/model-aliases.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import { joinList, type ListedModels } from "../upstream/model-list.ts";
import { createAliasEntries, toAliasEntry } from "./alias-entries.ts";
import { ANTHROPIC_BASE_PATH, BASE_PATHS } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { type ModelQuery, readModelQuery } from "./model-query.ts";

export interface ModelsOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly catalog: ModelCatalog;
  /** The aliases of the gateway. */
  readonly aliases: ModelAliases;
}

/** Registers `GET /models` and `GET /models/{id}` below every base path. The id may have slashes, percent-encoded or not. */
export function registerModels(app: FastifyInstance, options: ModelsOptions): void {
  for (const basePath of [...BASE_PATHS, ANTHROPIC_BASE_PATH])
    registerModelUrls(app, `${basePath}/models`, options);
}

function registerModelUrls(
  app: FastifyInstance,
  url: string,
  { accessHooks, catalog, aliases }: ModelsOptions,
): void {
  rejectOtherMethods(app, url, ["GET"]);
  rejectOtherMethods(app, `${url}/*`, ["GET"]);
  app.get(url, { onRequest: accessHooks }, async (request, reply) => {
    const query = readModelQuery(request.url);
    const models = await catalog.listFiltered(query.filter);
    const json = toJson(toView(request.caller.key, aliases), models, { ...query, url });
    return reply.type("application/json").send(json);
  });
  app.get(`${url}/*`, { onRequest: accessHooks }, async (request, reply) => {
    const id = (request.params as { "*": string })["*"];
    const view = toView(request.caller.key, aliases);
    const target = view.aliases.get(id);
    const model = await catalog.find(target ?? id);
    if (!model || !allowsModel(view.allowed, model.id))
      throw new GatewayError(
        "model_not_found",
        "The model does not exist, or this key may not use it; GET /openai/v1/models lists all models of the key.",
        {
          param: "model",
        },
      );
    return reply
      .type("application/json")
      .send(JSON.stringify(target === undefined ? model : toAliasEntry(model, id)));
  });
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
  { filter, page, url }: ModelQuery & { readonly url: string },
): Buffer {
  if (allowed === null && aliases.size === 0 && !page) return list.json;
  const mayUse = (id: string): boolean => allowsModel(allowed, id);
  const named = createAliasEntries(list.entries, aliases, mayUse);
  const usable = list.entries.flatMap(({ id, json }) => {
    const ofAliases = named.get(id) ?? [];
    return mayUse(id) ? [json, ...ofAliases] : ofAliases;
  });
  const count = page || list.fields["total_count"] !== undefined ? { total_count: usable.length } : {};
  if (!page) return joinList(usable, { ...list.fields, ...count });
  const end = page.offset + page.limit;
  const next = new URLSearchParams(filter);
  next.set("offset", String(end));
  next.set("limit", String(page.limit));
  const links = { next: end < usable.length ? `${url}?${next.toString()}` : null };
  return joinList(usable.slice(page.offset, end), { ...list.fields, ...count, links });
}
