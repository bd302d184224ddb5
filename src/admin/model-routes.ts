import { z } from "zod";
import { allowsModel } from "../auth/model-policy.ts";
import { readFields, readItems } from "../json-values.ts";
import type { KeyService } from "../keys/key-service.ts";
import { formatTimestamp, timestampSchema } from "../presentation/timestamp.ts";
import type { Model, ModelCatalog } from "../upstream/model-catalog.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas, keyQuerySchema, queryTextSchema } from "./api-schemas.ts";

/** The part of the model catalogue that the admin API reads. */
export type ModelLister = Pick<ModelCatalog, "listAll">;

const modelsQuery = z.strictObject({
  key: keyQuerySchema.describe("Id or name of a key: lists only the models that it may use"),
  search: queryTextSchema.describe("Part of the id or the name of a model, in upper or lower case"),
});

const modelSchema = z.object({
  id: z.string().describe("The id that requests state as `model`"),
  name: z.string().describe("OpenRouter's name for people; the id if it has none"),
  description: z.string().nullable().describe("OpenRouter's description, in Markdown"),
  created_at: timestampSchema
    .nullable()
    .describe("When OpenRouter added the model (ISO 8601, UTC); null if it does not say"),
  context_length: z
    .number()
    .nullable()
    .describe("Maximum tokens of prompt and completion together; null if OpenRouter does not say"),
  max_completion_tokens: z
    .number()
    .nullable()
    .describe("Maximum tokens of a completion at the first provider; null if there is no own limit"),
  input_modalities: z.array(z.string()).describe("Kinds of input, such as `text`, `image`, `file`, `audio`"),
  output_modalities: z.array(z.string()).describe("Kinds of output, such as `text`, `image`, `embeddings`"),
  supported_parameters: z.array(z.string()).describe("Request fields that some provider accepts"),
  pricing: z
    .record(z.string(), z.unknown())
    .describe(
      "Prices as OpenRouter states them: decimal text in US dollars per token, request, image or search; -1 means that the price varies",
    ),
});

const modelsResponse = z
  .object({
    fetched_at: timestampSchema.describe(
      "When this replica fetched the list from OpenRouter (ISO 8601, UTC)",
    ),
    data: z.array(modelSchema).describe("Models in OpenRouter's order"),
  })
  .describe("The models that OpenRouter lists");

/** Registers `GET /admin/v1/models`, which lists the models with their prices and limits. */
export function registerModelRoutes(scope: AdminScope, keys: KeyService, models: ModelLister): void {
  scope.get(
    "/models",
    {
      schema: {
        tags: ["usage"],
        summary: "List models with prices and limits, or only those that a key may use",
        querystring: modelsQuery,
        response: { 200: modelsResponse, ...errorResponseSchemas },
      },
    },
    async ({ query: { key, search = "" } }) => {
      const allowed = key === undefined ? null : await keys.getAllowedModels(key);
      const list = await models.listAll();
      const text = search.toLowerCase();
      const matching = [...list.byId.values()].filter(
        (model) =>
          allowsModel(allowed, model.id) &&
          (model.id.toLowerCase().includes(text) || getName(model).toLowerCase().includes(text)),
      );
      return { fetched_at: formatTimestamp(list.fetchedAt), data: matching.map(toModelJson) };
    },
  );
}

function getName({ id, name }: Model): string {
  return typeof name === "string" && name !== "" ? name : id;
}

function toModelJson(model: Model): z.output<typeof modelSchema> {
  const { architecture, top_provider, description, created, context_length } = model;
  const { input_modalities, output_modalities } = readFields(architecture);
  return {
    id: model.id,
    name: getName(model),
    description: typeof description === "string" ? description : null,
    created_at: formatSeconds(created),
    context_length: toNumber(context_length),
    max_completion_tokens: toNumber(readFields(top_provider)["max_completion_tokens"]),
    input_modalities: readTexts(input_modalities),
    output_modalities: readTexts(output_modalities),
    supported_parameters: readTexts(model["supported_parameters"]),
    pricing: { ...readFields(model["pricing"]) },
  };
}

function toNumber(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function readTexts(value: unknown): string[] {
  return readItems(value).filter((item) => typeof item === "string");
}

/** Formats seconds since 1970. @returns null for any value that is not a time. */
function formatSeconds(seconds: unknown): string | null {
  const ms = typeof seconds === "number" ? seconds * 1_000 : NaN;
  return Number.isNaN(new Date(ms).getTime()) ? null : formatTimestamp(ms);
}
