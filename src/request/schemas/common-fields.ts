import { MODEL_NAME_MAX_CHARACTERS, MODELS_MAX } from "../model-limits.ts";
import {
  arraySchema,
  booleanSchema,
  integerSchema,
  numberSchema,
  objectSchema,
  type Schema,
  shortStringSchema,
  stringSchema,
  typeSwitchSchema,
} from "./loose-schema.ts";

/** Fields that several endpoints have in common. Source: OpenRouter's OpenAPI description and its parameter reference. */

type Fields = Readonly<Record<string, Schema>>;

/** The name of a model or preset. */
export const modelName: Schema = shortStringSchema(MODEL_NAME_MAX_CHARACTERS);

/** Parameters of the choice of the next token. */
export const samplingFields = {
  temperature: numberSchema(0, 2).nullish(),
  top_p: numberSchema(0, 1).nullish(),
  top_k: integerSchema(0).nullish(),
  min_p: numberSchema(0, 1).nullish(),
  top_a: numberSchema(0, 1).nullish(),
  frequency_penalty: numberSchema(-2, 2).nullish(),
  presence_penalty: numberSchema(-2, 2).nullish(),
  repetition_penalty: numberSchema(0, 2).nullish(),
} as const satisfies Fields;

/** Parameters of completions that `/responses` and `/messages` do not have. */
export const completionFields = {
  ...samplingFields,
  seed: integerSchema(-Infinity).nullish(),
  max_tokens: integerSchema(0).nullish(),
  n: integerSchema(1).nullish(),
  logit_bias: objectSchema().nullish(),
  stop: typeSwitchSchema(
    { string: true, array: arraySchema(stringSchema, { max: 4 }) },
    "a string or an array of up to 4 strings",
  ).nullish(),
  stream_options: objectSchema({ include_usage: booleanSchema.nullish() }).nullish(),
} as const satisfies Fields;

/** Fields that select models, providers and plugins, and describe the request. */
export const routingFields = {
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
  stream: booleanSchema.nullish(),
  cache_control: objectSchema().nullish(),
  debug: objectSchema({ echo_upstream_body: booleanSchema.nullish() }).nullish(),
} as const satisfies Fields;
