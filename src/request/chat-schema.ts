import { GatewayError } from "../errors.ts";
import {
  typeSwitchSchema,
  type SchemaIssue,
  booleanSchema,
  arraySchema,
  numberSchema,
  objectSchema,
  shortStringSchema,
  stringSchema,
  integerSchema,
} from "./loose-schema.ts";
import { MODEL_NAME_MAX_CHARACTERS, MODELS_MAX } from "./model-limits.ts";
import { formatParamPath } from "./param-path.ts";
import type { JsonObject } from "../json-values.ts";

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

const sampling = {
  temperature: numberSchema(0, 2).nullish(),
  top_p: numberSchema(0, 1).nullish(),
  top_k: integerSchema(0).nullish(),
  min_p: numberSchema(0, 1).nullish(),
  top_a: numberSchema(0, 1).nullish(),
  frequency_penalty: numberSchema(-2, 2).nullish(),
  presence_penalty: numberSchema(-2, 2).nullish(),
  repetition_penalty: numberSchema(0, 2).nullish(),
  seed: integerSchema(-Infinity).nullish(),
  max_tokens: integerSchema(0).nullish(),
  max_completion_tokens: integerSchema(0).nullish(),
  n: integerSchema(1).nullish(),
  logprobs: booleanSchema.nullish(),
  top_logprobs: integerSchema(0, 20).nullish(),
  logit_bias: objectSchema().nullish(),
  stop: typeSwitchSchema(
    {
      string: true,
      array: arraySchema(stringSchema, { max: 4 }),
    },
    "a string or an array of up to 4 strings",
  ).nullish(),
};

const modelName = shortStringSchema(MODEL_NAME_MAX_CHARACTERS);

const routing = {
  model: modelName.nullish(),
  models: arraySchema(modelName, { max: MODELS_MAX }).nullish(),
  preset: modelName.nullish(),
  route: stringSchema.nullish(),
  provider: objectSchema().nullish(),
  plugins: arraySchema(objectSchema()).nullish(),
  transforms: arraySchema(stringSchema).nullish(),
  service_tier: stringSchema.nullish(),
  session_id: shortStringSchema(256).nullish(),
  user: stringSchema.nullish(),
  metadata: objectSchema().nullish(),
  trace: objectSchema().nullish(),
};

const chatRequest = objectSchema({
  ...routing,
  ...sampling,
  messages: arraySchema(message, { min: 1 }),
  stream: booleanSchema.nullish(),
  stream_options: objectSchema({ include_usage: booleanSchema.nullish() }).nullish(),
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
  cache_control: objectSchema().nullish(),
  prediction: objectSchema().nullish(),
  debug: objectSchema({ echo_upstream_body: booleanSchema.nullish() }).nullish(),
});

/** The fields of a valid request that the gateway reads. */
export interface ChatFields {
  readonly model?: string | null;
  readonly models?: readonly string[] | null;
  readonly stream?: boolean | null;
}

/**
 * Validates a parsed chat completion request.
 * @returns the same object with a type. It is not a copy, so no field is dropped or coerced.
 * @throws GatewayError 400 for the first issue, with its path as `param`. The message never quotes a value.
 */
export function checkChatRequest(value: JsonObject): ChatFields {
  const issue = chatRequest.findIssue(value);
  if (issue) throw schemaError(value, issue);
  const fields = value as ChatFields & { preset?: string | null };
  if (!fields.model && !fields.models?.length && !fields.preset) {
    throw new GatewayError(
      "missing_required_parameter",
      "The request names no model; set model, a non-empty models, or preset.",
      { param: "model" },
    );
  }
  return fields;
}

function schemaError(value: unknown, issue: SchemaIssue): GatewayError {
  const param = formatParamPath(issue.path);
  let invalid: unknown = value;
  for (const step of issue.path) invalid = (invalid as Record<PropertyKey, unknown> | undefined)?.[step];
  if (invalid === undefined)
    return new GatewayError("missing_required_parameter", `${param} is missing.`, { param });
  return new GatewayError(
    issue.isWrongType ? "invalid_type" : "invalid_value",
    `${param} ${issue.message}.`,
    {
      param,
    },
  );
}
