import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { GatewayError } from "../errors.ts";
import { allowsModel } from "../auth/model-policy.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import { joinList, type ListedModels } from "../upstream/model-list.ts";
import { ANTHROPIC_BASE_PATH, BASE_PATHS } from "./base-paths.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { type ModelQuery, readModelQuery } from "./model-query.ts";

export interface ModelsOptions {
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly catalog: ModelCatalog;
}

/** Registers `GET /models` and `GET /models/{id}` below every base path. The id may have slashes, percent-encoded or not. */
export function registerModels(app: FastifyInstance, options: ModelsOptions): void {
  for (const basePath of [...BASE_PATHS, ANTHROPIC_BASE_PATH])
    registerModelUrls(app, `${basePath}/models`, options);
}

function registerModelUrls(app: FastifyInstance, url: string, { accessHooks, catalog }: ModelsOptions): void {
  rejectOtherMethods(app, url, ["GET"]);
  rejectOtherMethods(app, `${url}/*`, ["GET"]);
  app.get(url, { onRequest: accessHooks }, async (request, reply) => {
    const query = readModelQuery(request.url);
    const models = await catalog.listFiltered(query.filter);
    const json = toJson(request.caller.key?.models ?? null, models, { ...query, url });
    return reply.type("application/json").send(json);
  });
  app.get(`${url}/*`, { onRequest: accessHooks }, async (request, reply) => {
    const id = (request.params as { "*": string })["*"];
    const model = await catalog.find(id);
    if (!model || !allowsModel(request.caller.key?.models ?? null, model.id))
      throw new GatewayError(
        "model_not_found",
        "The model does not exist, or this key may not use it; GET /openai/v1/models lists all models of the key.",
        {
          param: "model",
        },
      );
    return reply.type("application/json").send(JSON.stringify(model));
  });
}

/** Returns the JSON of the models that a key may use, cut to the requested page. */
function toJson(
  allowed: readonly string[] | null,
  list: ListedModels,
  { filter, page, url }: ModelQuery & { readonly url: string },
): Buffer {
  if (allowed === null && !page) return list.json;
  const usable = list.entries.filter(({ id }) => allowsModel(allowed, id)).map(({ json }) => json);
  const count = page || list.fields["total_count"] !== undefined ? { total_count: usable.length } : {};
  if (!page) return joinList(usable, { ...list.fields, ...count });
  const end = page.offset + page.limit;
  const next = new URLSearchParams(filter);
  next.set("offset", String(end));
  next.set("limit", String(page.limit));
  const links = { next: end < usable.length ? `${url}?${next.toString()}` : null };
  return joinList(usable.slice(page.offset, end), { ...list.fields, ...count, links });
}
