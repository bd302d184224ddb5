import { completionFields, routingFields } from "./common-fields.ts";
import {
  anySchema,
  arraySchema,
  booleanSchema,
  integerSchema,
  objectSchema,
  type Schema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";

/**
 * Types and ranges of the documented fields of a legacy completion. Source: OpenAI's OpenAPI description
 * (`CreateCompletionRequest`) and OpenRouter's parameter reference.
 */
export const completionsSchema: Schema = objectSchema({
  ...routingFields,
  ...completionFields,
  // A string, or an array of strings, of tokens, or of arrays of tokens.
  prompt: typeSwitchSchema({ string: true, array: arraySchema(anySchema) }, "a string or an array").nullish(),
  suffix: stringSchema.nullish(),
  echo: booleanSchema.nullish(),
  best_of: integerSchema(0).nullish(),
  logprobs: integerSchema(0).nullish(),
});
