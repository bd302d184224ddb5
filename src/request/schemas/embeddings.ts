import { modelName, routingFields } from "./common-fields.ts";
import {
  anySchema,
  arraySchema,
  integerSchema,
  objectSchema,
  type Schema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";

/** Types of the documented fields of an embeddings request. Source: OpenRouter's OpenAPI description (`/embeddings`). */
export const embeddingsSchema: Schema = objectSchema({
  model: modelName,
  // Not documented, but the gateway reads these fields on every endpoint.
  models: routingFields.models,
  preset: routingFields.preset,
  // The items are texts, tokens, arrays of tokens, or objects. Only upstream checks them.
  input: typeSwitchSchema({ string: true, array: arraySchema(anySchema) }, "a string or an array"),
  input_type: stringSchema.nullish(),
  encoding_format: stringSchema.nullish(),
  dimensions: integerSchema(1).nullish(),
  user: routingFields.user,
  provider: routingFields.provider,
});
