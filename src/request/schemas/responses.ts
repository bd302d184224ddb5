import { routingFields, samplingFields } from "./common-fields.ts";
import {
  arraySchema,
  booleanSchema,
  integerSchema,
  objectSchema,
  type Schema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";

/** An item of `input`. Items such as reasoning and tool results have neither a role nor a content. */
const inputItem = objectSchema({
  type: stringSchema.nullish(),
  role: stringSchema.nullish(),
  content: typeSwitchSchema(
    { string: true, array: arraySchema(objectSchema({ type: stringSchema })) },
    "a string or an array of parts",
  ).nullish(),
});

/**
 * Types and ranges of the documented fields of a request to the Responses API. Fields, item types and tools that this schema
 * does not name are valid. Source: OpenRouter's OpenAPI description (`ResponsesRequest`).
 */
export const responsesSchema: Schema = objectSchema({
  ...routingFields,
  ...samplingFields,
  input: typeSwitchSchema(
    { string: true, array: arraySchema(inputItem) },
    "a string or an array of items",
  ).nullish(),
  instructions: stringSchema.nullish(),
  max_output_tokens: integerSchema(0).nullish(),
  max_tool_calls: integerSchema(0).nullish(),
  top_logprobs: integerSchema(0, 20).nullish(),
  include: arraySchema(stringSchema).nullish(),
  tools: arraySchema(objectSchema({ type: stringSchema })).nullish(),
  tool_choice: typeSwitchSchema({ string: true, object: objectSchema() }, "a string or an object").nullish(),
  parallel_tool_calls: booleanSchema.nullish(),
  reasoning: objectSchema({
    effort: stringSchema.nullish(),
    max_tokens: integerSchema(0).nullish(),
  }).nullish(),
  text: objectSchema({ format: objectSchema({ type: stringSchema }).nullish() }).nullish(),
  modalities: arraySchema(stringSchema).nullish(),
  image_config: objectSchema().nullish(),
  prompt: objectSchema({ id: stringSchema }).nullish(),
  prompt_cache_key: stringSchema.nullish(),
  safety_identifier: stringSchema.nullish(),
  background: booleanSchema.nullish(),
  store: booleanSchema.nullish(),
});
