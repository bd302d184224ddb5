import { GatewayError } from "../errors.ts";
import {
  byType,
  type Fault,
  firstFault,
  flag,
  items,
  number,
  object,
  shortText,
  text,
  whole,
} from "./loose-schema.ts";
import { MODEL_NAME_MAX_CHARACTERS, MODELS_MAX } from "./model-limits.ts";

/**
 * What OpenRouter documents of a chat completion request: types and ranges of the fields it names. New fields, roles,
 * part types and values ship without notice, so whatever is not named here passes, and null passes wherever OpenRouter
 * or OpenAI takes it. Source: OpenRouter's OpenAPI description (`ChatRequest`) and its parameter reference.
 */

const part = object({
  type: text,
  text: text.nullish(),
  image_url: byType(
    { string: true, object: object({ url: text, detail: text.nullish() }) },
    "an object with a url",
  ).nullish(),
  input_audio: object().nullish(),
  video_url: byType({ string: true, object: object({ url: text }) }, "an object with a url").nullish(),
  file: object().nullish(),
  cache_control: object().nullish(),
});

const toolCall = object({
  id: text.nullish(),
  type: text.nullish(),
  function: object({ name: text.nullish() }).nullish(),
});

const message = object({
  role: text,
  content: byType({ string: true, array: items(part) }, "a string or an array of parts").nullish(),
  name: text.nullish(),
  tool_call_id: text.nullish(),
  tool_calls: items(toolCall).nullish(),
  reasoning: text.nullish(),
  refusal: text.nullish(),
});

/** `function` may be absent: OpenRouter's server tools have none. */
const tool = object({
  type: text.nullish(),
  function: object({
    name: text,
    description: text.nullish(),
    parameters: object().nullish(),
    strict: flag.nullish(),
  }).nullish(),
});

const sampling = {
  temperature: number(0, 2).nullish(),
  top_p: number(0, 1).nullish(),
  top_k: whole(0).nullish(),
  min_p: number(0, 1).nullish(),
  top_a: number(0, 1).nullish(),
  frequency_penalty: number(-2, 2).nullish(),
  presence_penalty: number(-2, 2).nullish(),
  repetition_penalty: number(0, 2).nullish(),
  seed: whole(-Infinity).nullish(),
  max_tokens: whole(0).nullish(),
  max_completion_tokens: whole(0).nullish(),
  n: whole(1).nullish(),
  logprobs: flag.nullish(),
  top_logprobs: whole(0, 20).nullish(),
  logit_bias: object().nullish(),
  stop: byType(
    {
      string: true,
      array: items(text, { max: 4 }),
    },
    "a string or an array of up to 4 strings",
  ).nullish(),
};

const modelName = shortText(MODEL_NAME_MAX_CHARACTERS);

const routing = {
  model: modelName.nullish(),
  models: items(modelName, { max: MODELS_MAX }).nullish(),
  preset: modelName.nullish(),
  route: text.nullish(),
  provider: object().nullish(),
  plugins: items(object()).nullish(),
  transforms: items(text).nullish(),
  service_tier: text.nullish(),
  session_id: shortText(256).nullish(),
  user: text.nullish(),
  metadata: object().nullish(),
  trace: object().nullish(),
};

const chatRequest = object({
  ...routing,
  ...sampling,
  messages: items(message, { min: 1 }),
  stream: flag.nullish(),
  stream_options: object({ include_usage: flag.nullish() }).nullish(),
  tools: items(tool).nullish(),
  tool_choice: byType({ string: true, object: object() }, "a string or an object").nullish(),
  parallel_tool_calls: flag.nullish(),
  response_format: object({ type: text }).nullish(),
  reasoning: object({
    effort: text.nullish(),
    max_tokens: whole(0).nullish(),
    exclude: flag.nullish(),
    enabled: flag.nullish(),
  }).nullish(),
  reasoning_effort: text.nullish(),
  modalities: items(text).nullish(),
  image_config: object().nullish(),
  cache_control: object().nullish(),
  prediction: object().nullish(),
  debug: object({ echo_upstream_body: flag.nullish() }).nullish(),
});

/** The fields of a checked request that the gateway itself reads. */
export interface ChatFields {
  readonly model?: string | null;
  readonly models?: readonly string[] | null;
  readonly stream?: boolean | null;
}

/**
 * Checks a parsed chat completion request.
 * @returns the same value, typed: nothing is copied, so nothing can be dropped or coerced.
 * @throws GatewayError 400 for the first fault, with its path as `param`; the message never quotes a value.
 */
export function checkChatRequest(value: Readonly<Record<string, unknown>>): ChatFields {
  const fault = firstFault(chatRequest, value);
  if (fault) throw schemaError(value, fault);
  const fields = value as ChatFields & { preset?: string | null };
  if (!fields.model && !fields.models?.length && !fields.preset) {
    throw new GatewayError(
      "missing_required_parameter",
      "Name a model: set model, a non-empty models, or preset.",
      { param: "model" },
    );
  }
  return fields;
}

function schemaError(value: unknown, fault: Fault): GatewayError {
  const steps = fault.path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  const param = steps.join("").slice(1);
  let at: unknown = value;
  for (const step of fault.path) at = (at as Record<PropertyKey, unknown> | undefined)?.[step];
  if (at === undefined)
    return new GatewayError("missing_required_parameter", `${param} is missing.`, { param });
  return new GatewayError(fault.wrongType ? "invalid_type" : "invalid_value", `${param} ${fault.message}.`, {
    param,
  });
}
