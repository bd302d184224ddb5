import { z } from "zod";
import { allowsModel } from "../auth/model-policy.ts";
import type { KeyService } from "../keys/key-service.ts";
import { formatTimestamp } from "../presentation/timestamp.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas, keyQuerySchema, queryTextSchema } from "./api-schemas.ts";
import { getModelName, modelsSchema, toModelJson } from "./model-json.ts";

/** The part of the model catalogue that the admin API reads. */
export type ModelLister = Pick<ModelCatalog, "listAll">;

const modelsQuery = z.strictObject({
  key: keyQuerySchema.describe("Id or name of a key: lists only the models that it may use"),
  search: queryTextSchema.describe("Part of the id or the name of a model, in upper or lower case"),
});

/** Registers `GET /admin/v1/models`, which lists the models with their prices and limits. */
export function registerModelRoutes(scope: AdminScope, keys: KeyService, models: ModelLister): void {
  scope.get(
    "/models",
    {
      schema: {
        tags: ["usage"],
        summary: "List models with prices and limits, or only those that a key may use",
        querystring: modelsQuery,
        response: { 200: modelsSchema, ...errorResponseSchemas },
      },
    },
    async ({ query: { key, search = "" } }) => {
      const allowed = key === undefined ? null : await keys.getAllowedModels(key);
      const list = await models.listAll();
      const text = search.toLowerCase();
      const matching = [...list.byId.values()].filter(
        (model) =>
          allowsModel(allowed, model.id) &&
          (model.id.toLowerCase().includes(text) || getModelName(model).toLowerCase().includes(text)),
      );
      return { fetched_at: formatTimestamp(list.fetchedAt), data: matching.map(toModelJson) };
    },
  );
}
