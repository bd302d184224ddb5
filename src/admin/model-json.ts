import { z } from "zod";
import { readFields, readItems } from "../json-values.ts";
import { formatTimestamp, timestampSchema } from "../presentation/timestamp.ts";
import type { Model } from "../upstream/model-catalog.ts";

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

/** The response of `GET /admin/v1/models`. */
export const modelsSchema = z
  .object({
    fetched_at: timestampSchema.describe(
      "When this replica fetched the list from OpenRouter (ISO 8601, UTC)",
    ),
    data: z.array(modelSchema).describe("Models in OpenRouter's order"),
  })
  .describe("The models that OpenRouter lists");

/** The models of OpenRouter as JSON. */
export type ModelsJson = z.output<typeof modelsSchema>;
/** A model as JSON. */
export type ModelJson = ModelsJson["data"][number];

/** Returns OpenRouter's name of a model for people; the id if it has none. */
export function getModelName({ id, name }: Model): string {
  return typeof name === "string" && name !== "" ? name : id;
}

/** Converts an entry of OpenRouter's list, whose fields have not been validated, to JSON of the admin API. */
export function toModelJson(model: Model): ModelJson {
  const { architecture, top_provider, description, created, context_length } = model;
  const { input_modalities, output_modalities } = readFields(architecture);
  return {
    id: model.id,
    name: getModelName(model),
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
