import { type JsonObject, readFields, readItems } from "../json-values.ts";

/** The fields of the requests of one endpoint whose effect on the cost is known. */
export interface KnownFields {
  readonly topLevel: ReadonlySet<string>;
  /** Fields of objects in the request, by the name of the top-level field that contains the object. */
  readonly objects: Readonly<Record<string, ReadonlySet<string>>>;
  /** Fields of the objects in a list, by the name of the top-level field that contains the list. */
  readonly items: Readonly<Record<string, ReadonlySet<string>>>;
}

/** Splits lists of names that are separated by whitespace. */
export function splitNames(...lists: readonly string[]): ReadonlySet<string> {
  return new Set(lists.join(" ").split(/\s+/));
}

/** Top-level fields that affect the cost of a generated text only by their number of bytes, on every endpoint. */
export const SAMPLING = `temperature top_p top_k top_a min_p frequency_penalty presence_penalty repetition_penalty seed stop
  logit_bias logprobs top_logprobs`;
/** Top-level fields that describe a request, or control its transport, on every endpoint. */
export const DESCRIPTION = `stream stream_options user metadata session_id trace debug usage store safety_identifier
  prompt_cache_key prompt_cache_options cache_control`;
/** Top-level fields that affect only server tools or images, whose cost is unbounded anyway. */
export const DEPENDENT = "stop_server_tools_when image_config";
/** Top-level fields of the selection of models and providers, which the estimate reads. */
export const ROUTING = "model models provider plugins preset service_tier speed";
export const PROVIDER: ReadonlySet<string> =
  splitNames(`allow_fallbacks data_collection enforce_distillable_text ignore max_price only order
  preferred_max_latency preferred_min_throughput quantizations require_parameters sort zdr`);
export const REASONING: ReadonlySet<string> = splitNames("effort max_tokens exclude enabled summary");

/** The known fields of a chat completion. */
export const CHAT_FIELDS: KnownFields = {
  topLevel: splitNames(
    SAMPLING,
    DESCRIPTION,
    DEPENDENT,
    ROUTING,
    `parallel_tool_calls verbosity structured_outputs messages max_tokens max_completion_tokens n prediction tools tool_choice
    functions function_call response_format reasoning reasoning_effort include_reasoning modalities web_search_options`,
  ),
  objects: { provider: PROVIDER, reasoning: REASONING },
  items: {
    messages:
      splitNames(`role content name tool_call_id tool_calls function_call refusal reasoning reasoning_content
      reasoning_details cache_control annotations images audio model`),
  },
};

/** Fields that do not affect the cost if they have certain values. */
const HARMLESS_VALUES: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["transforms", (value: unknown) => readItems(value).every((transform) => transform === "middle-out")],
  ["route", (value: unknown) => value === "fallback"],
]);

const SHOWN_MAX = 5;
const SHOWN_MAX_CHARS = 64;

/**
 * Lists the fields of a request whose effect on the cost is unknown. A field that is null is not listed, because null selects
 * the default.
 * @returns the paths for a note, such as `provider.options`: at most five, each of at most 64 characters; undefined if there
 * are none.
 */
export function listUnknownFields(request: JsonObject, known: KnownFields = CHAT_FIELDS): string | undefined {
  const found = new Set(
    findUnknownNames(request, known.topLevel).filter((name) => !HARMLESS_VALUES.get(name)?.(request[name])),
  );
  for (const [field, names] of Object.entries(known.objects))
    for (const name of findUnknownNames(readFields(request[field]), names)) found.add(`${field}.${name}`);
  for (const [field, names] of Object.entries(known.items))
    for (const item of readItems(request[field]))
      for (const name of findUnknownNames(readFields(item), names)) found.add(`${field}[].${name}`);
  if (found.size === 0) return undefined;
  const shown = [...found].slice(0, SHOWN_MAX).map((name) => name.slice(0, SHOWN_MAX_CHARS).toWellFormed());
  const more = found.size - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function findUnknownNames(fields: JsonObject, known: ReadonlySet<string>): string[] {
  return Object.keys(fields).filter((name) => !known.has(name) && fields[name] != null);
}
