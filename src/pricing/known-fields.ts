import { type JsonObject, readFields, readItems } from "../json-values.ts";

/** Top-level fields that affect the cost only by their number of bytes, which the estimate counts. */
const HARMLESS = `temperature top_p top_k top_a min_p frequency_penalty presence_penalty repetition_penalty seed stop
  logit_bias logprobs top_logprobs parallel_tool_calls verbosity structured_outputs stream stream_options user metadata
  session_id trace debug usage store safety_identifier prompt_cache_key prompt_cache_options cache_control`;
/** Top-level fields that affect only server tools or images, whose cost is unbounded anyway. */
const DEPENDENT = "stop_server_tools_when image_config";
/** Top-level fields that the estimate reads. */
const READ = `model models messages max_tokens max_completion_tokens n prediction tools tool_choice functions function_call
  response_format reasoning reasoning_effort include_reasoning provider plugins preset modalities web_search_options
  service_tier speed`;
const TOP_LEVEL = splitNames(HARMLESS, DEPENDENT, READ);
const PROVIDER =
  splitNames(`allow_fallbacks data_collection enforce_distillable_text ignore max_price only order
  preferred_max_latency preferred_min_throughput quantizations require_parameters sort zdr`);
const REASONING = splitNames("effort max_tokens exclude enabled summary");
const MESSAGE =
  splitNames(`role content name tool_call_id tool_calls function_call refusal reasoning reasoning_content
  reasoning_details cache_control annotations images audio model`);

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
export function listUnknownFields(request: JsonObject): string | undefined {
  const found = new Set(
    findUnknownNames(request, TOP_LEVEL).filter((name) => !HARMLESS_VALUES.get(name)?.(request[name])),
  );
  for (const name of findUnknownNames(readFields(request["provider"]), PROVIDER))
    found.add(`provider.${name}`);
  for (const name of findUnknownNames(readFields(request["reasoning"]), REASONING))
    found.add(`reasoning.${name}`);
  for (const message of readItems(request["messages"]))
    for (const name of findUnknownNames(readFields(message), MESSAGE)) found.add(`messages[].${name}`);
  if (found.size === 0) return undefined;
  const shown = [...found].slice(0, SHOWN_MAX).map((name) => name.slice(0, SHOWN_MAX_CHARS).toWellFormed());
  const more = found.size - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function splitNames(...lists: readonly string[]): ReadonlySet<string> {
  return new Set(lists.join(" ").split(/\s+/));
}

function findUnknownNames(fields: JsonObject, known: ReadonlySet<string>): string[] {
  return Object.keys(fields).filter((name) => !known.has(name) && fields[name] != null);
}
