import { modelName, routingFields } from "./common-fields.ts";
import {
  arraySchema,
  integerSchema,
  objectSchema,
  type Schema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";

const document = typeSwitchSchema({ string: true, object: objectSchema() }, "a string or an object");

/** Types of the documented fields of a rerank request. Source: OpenRouter's OpenAPI description (`/rerank`). */
export const rerankSchema: Schema = objectSchema({
  model: modelName,
  // Not documented, but the gateway reads these fields on every endpoint.
  models: routingFields.models,
  preset: routingFields.preset,
  query: stringSchema,
  documents: arraySchema(document, { min: 1 }),
  top_n: integerSchema(1).nullish(),
  provider: routingFields.provider,
});
