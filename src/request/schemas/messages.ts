import { MODELS_MAX } from "../model-limits.ts";
import { modelName, routingFields } from "./common-fields.ts";
import {
  arraySchema,
  integerSchema,
  numberSchema,
  objectSchema,
  type Schema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";

const block = objectSchema({
  type: stringSchema,
  text: stringSchema.nullish(),
  cache_control: objectSchema().nullish(),
});

const textOrBlocks = typeSwitchSchema(
  { string: true, array: arraySchema(block) },
  "a string or an array of blocks",
);

/**
 * Types and ranges of the documented fields of a request to Anthropic's Messages API. Fields, block types and tools that this
 * schema does not name are valid. Source: OpenRouter's OpenAPI description (`MessagesRequest`).
 */
export const messagesSchema: Schema = objectSchema({
  ...routingFields,
  model: modelName,
  fallbacks: arraySchema(objectSchema({ model: modelName }), { max: MODELS_MAX }).nullish(),
  messages: arraySchema(objectSchema({ role: stringSchema, content: textOrBlocks.nullish() })).nullable(),
  system: textOrBlocks.nullish(),
  max_tokens: integerSchema(0).nullish(),
  temperature: numberSchema(0, 2).nullish(),
  top_p: numberSchema(0, 1).nullish(),
  top_k: integerSchema(0).nullish(),
  stop_sequences: arraySchema(stringSchema).nullish(),
  thinking: objectSchema({ type: stringSchema, budget_tokens: integerSchema(0).nullish() }).nullish(),
  tools: arraySchema(objectSchema({ type: stringSchema.nullish(), name: stringSchema.nullish() })).nullish(),
  tool_choice: objectSchema({ type: stringSchema }).nullish(),
  output_config: objectSchema().nullish(),
  context_management: objectSchema().nullish(),
  speed: stringSchema.nullish(),
});
