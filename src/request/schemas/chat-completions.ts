import {
  arraySchema,
  booleanSchema,
  integerSchema,
  objectSchema,
  type Schema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";
import { completionFields, routingFields } from "./common-fields.ts";

/**
 * Types and ranges of the documented fields of a chat completion request. OpenRouter adds fields, roles, part types and
 * values without notice, so this schema accepts everything that it does not name. It accepts null wherever OpenRouter or
 * OpenAI does. Source: OpenRouter's OpenAPI description (`ChatRequest`) and its parameter reference.
 */

const part = objectSchema({
  type: stringSchema,
  text: stringSchema.nullish(),
  image_url: typeSwitchSchema(
    { string: true, object: objectSchema({ url: stringSchema, detail: stringSchema.nullish() }) },
    "an object with a url",
  ).nullish(),
  input_audio: objectSchema().nullish(),
  video_url: typeSwitchSchema(
    { string: true, object: objectSchema({ url: stringSchema }) },
    "an object with a url",
  ).nullish(),
  file: objectSchema().nullish(),
  cache_control: objectSchema().nullish(),
});

const toolCall = objectSchema({
  id: stringSchema.nullish(),
  type: stringSchema.nullish(),
  function: objectSchema({ name: stringSchema.nullish() }).nullish(),
});

const message = objectSchema({
  role: stringSchema,
  content: typeSwitchSchema(
    { string: true, array: arraySchema(part) },
    "a string or an array of parts",
  ).nullish(),
  name: stringSchema.nullish(),
  tool_call_id: stringSchema.nullish(),
  tool_calls: arraySchema(toolCall).nullish(),
  reasoning: stringSchema.nullish(),
  refusal: stringSchema.nullish(),
});

/** `function` is optional, because OpenRouter's server tools have none. */
const tool = objectSchema({
  type: stringSchema.nullish(),
  function: objectSchema({
    name: stringSchema,
    description: stringSchema.nullish(),
    parameters: objectSchema().nullish(),
    strict: booleanSchema.nullish(),
  }).nullish(),
});

export const chatCompletionsSchema: Schema = objectSchema({
  ...routingFields,
  ...completionFields,
  max_completion_tokens: integerSchema(0).nullish(),
  logprobs: booleanSchema.nullish(),
  top_logprobs: integerSchema(0, 20).nullish(),
  messages: arraySchema(message, { min: 1 }),
  tools: arraySchema(tool).nullish(),
  tool_choice: typeSwitchSchema({ string: true, object: objectSchema() }, "a string or an object").nullish(),
  parallel_tool_calls: booleanSchema.nullish(),
  response_format: objectSchema({ type: stringSchema }).nullish(),
  reasoning: objectSchema({
    effort: stringSchema.nullish(),
    max_tokens: integerSchema(0).nullish(),
    exclude: booleanSchema.nullish(),
    enabled: booleanSchema.nullish(),
  }).nullish(),
  reasoning_effort: stringSchema.nullish(),
  modalities: arraySchema(stringSchema).nullish(),
  image_config: objectSchema().nullish(),
  prediction: objectSchema().nullish(),
});
