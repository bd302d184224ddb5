import { type JsonObject, readFields, readItems } from "../json-values.ts";
import { CHAT_FIELDS, type KnownFields, listUnknownFields } from "./known-fields.ts";

/** A cost of a request that the size of the request does not bound. */
export interface UnboundedCost {
  readonly name: string;
  /** Sentence for the client: which field is the cause, and how to bound the cost. */
  readonly note: string;
  /** The field of the request that is the cause, if it is one field. */
  readonly param?: string;
  /** Whether the request is refused even if the key has a fixed reservation, because any client can avoid the cause. */
  readonly isAvoidable?: boolean;
  /** Whether the same request may have a bound in a few seconds. */
  readonly isTemporary?: boolean;
}

/** Finds the costs of the requests of one endpoint that their size does not bound. */
export interface UnboundedRules {
  readonly known: KnownFields;
  /** Whether a request contains media, files or references to stored content. */
  hasMedia(request: JsonObject): boolean;
  /** Whether OpenRouter runs a tool of a request. */
  hasServerTools(request: JsonObject): boolean;
  /** Finds the costs that only the requests of this endpoint can have. */
  findOthers?(request: JsonObject): readonly UnboundedCost[];
}

/** Matches models that search the web even if the request does not ask for a search. */
const SEARCHES_BY_ITSELF = /^~?perplexity\/|-search-preview|-deep-research/;

/** Matches models that consist of several agents. Each agent may read the prompt and generate tokens. */
const HAS_AGENTS = /-multi-agent|^~?sakana\/fugu/;

const AGENTS: UnboundedCost = {
  name: "agents",
  note: "A model of several agents has an unbounded cost, because each of them may read the prompt: choose another model.",
};

const MEDIA_OUTPUT: UnboundedCost = {
  name: "media_output",
  note: "Output other than text (images, audio) has an unbounded cost: choose a model that generates text only, or drop modalities.",
  param: "modalities",
};
const WEB_SEARCH: UnboundedCost = {
  name: "web_search",
  note: "A web search has an unbounded cost, because its results become part of the prompt: drop web_search_options and :online, or choose a model that does not search.",
};
const SERVER_TOOLS: UnboundedCost = {
  name: "server_tools",
  note: "Tools that OpenRouter runs have an unbounded cost: send tools of type function only.",
  param: "tools",
};
/** A schema or tool call of unbounded size. */
export const UNBOUNDED_SCHEMA: UnboundedCost = {
  name: "schema",
  note: "A schema in tools, functions or response_format, or the arguments or result of a tool call, has an unbounded size: remove every $ref that is recursive or not found in its schema, nest fewer than 600 levels, and keep all $ref below 250,000 characters, all strings of schemas below four million, and all tool calls with their results below four million.",
};

const MEDIA: UnboundedCost = {
  name: "media",
  note: "Message parts other than text (images, audio, video, files) have an unbounded cost: send text only.",
};
const PLUGINS: UnboundedCost = {
  name: "plugins",
  note: "Plugins have an unbounded cost: drop plugins.",
  param: "plugins",
};
const PRESET: UnboundedCost = {
  name: "preset",
  note: "A preset can add text, tools and settings that the gateway does not know: send them in the request and drop preset.",
  param: "preset",
};

/** The unbounded costs of chat completions. */
export const CHAT_UNBOUNDED: UnboundedRules = {
  known: CHAT_FIELDS,
  hasMedia: (request) =>
    readItems(request["messages"]).map(readFields).some(hasMedia) ||
    hasMediaPrediction(request["prediction"]),
  hasServerTools: (request) =>
    readItems(request["tools"]).some(isServerTool) || isServerChoice(request["tool_choice"]),
};

/** Finds the costs of a request that are unbounded for any model. */
export function findUnboundedCosts(
  request: JsonObject,
  rules: UnboundedRules = CHAT_UNBOUNDED,
): UnboundedCost[] {
  const found: UnboundedCost[] = [];
  if (rules.hasMedia(request)) found.push(MEDIA);
  // An object instead of a list counts too, because OpenRouter may use it.
  if (!isEmpty(request["plugins"])) found.push(PLUGINS);
  if (
    listModelNames(request).some((id) => /:online(?:[:@]|$)/.test(id)) ||
    request["web_search_options"] != null
  )
    found.push(WEB_SEARCH);
  if (rules.hasServerTools(request)) found.push(SERVER_TOOLS);
  if (readItems(request["modalities"]).some(isMedia)) found.push(MEDIA_OUTPUT);
  if (request["preset"] != null || listModelNames(request).some((id) => id.includes("@preset/")))
    found.push(PRESET);
  found.push(...(rules.findOthers?.(request) ?? []));
  const unknown = listUnknownFields(request, rules.known);
  if (unknown !== undefined)
    found.push({
      name: "unknown_fields",
      note: `These fields may change the cost in an unknown way: ${unknown}. Drop them to get an upper bound.`,
      // A list of several fields is no path.
      ...(!unknown.includes(" ") && { param: unknown }),
    });
  return found;
}

/** Finds the costs of a model that are unbounded for any request. @param output the modality that is not media. */
export function findUnboundedModelCosts(
  model: JsonObject & { readonly id: string },
  output: string = "text",
): UnboundedCost[] {
  const found: UnboundedCost[] = [];
  if (SEARCHES_BY_ITSELF.test(model.id)) found.push(WEB_SEARCH);
  if (HAS_AGENTS.test(model.id)) found.push(AGENTS);
  if (
    readItems(readFields(model["architecture"])["output_modalities"]).some((modality) => modality !== output)
  )
    found.push(MEDIA_OUTPUT);
  return found;
}

const isMedia = (modality: unknown): boolean => modality !== "text";

/** Fields of a part that is text. */
export const TEXT_PART: ReadonlySet<string> = new Set([
  "type",
  "text",
  "cache_control",
  "prompt_cache_breakpoint",
]);

function hasMedia({ content, images, audio, annotations }: JsonObject): boolean {
  // A message of an assistant that the client sends back has images, audio and parsed files next to its content.
  if (!isEmpty(images) || audio != null) return true;
  if (readItems(annotations).some((annotation) => readFields(annotation)["type"] !== "url_citation"))
    return true;
  return readItems(content).some(isMediaPart);
}

function isMediaPart(part: unknown): boolean {
  const fields = readFields(part);
  return (
    fields["type"] !== "text" ||
    Object.keys(fields).some((name) => !TEXT_PART.has(name) && fields[name] != null)
  );
}

function hasMediaPrediction(prediction: unknown): boolean {
  if (prediction == null) return false;
  const { type, content } = readFields(prediction);
  return type !== "content" || (typeof content !== "string" && readItems(content).some(isMediaPart));
}

function isServerTool(tool: unknown): boolean {
  const fields = readFields(tool);
  return (fields["type"] ?? "function") !== "function" || fields["function"] == null;
}

function isServerChoice(choice: unknown): boolean {
  return typeof choice === "object" && choice !== null && readFields(choice)["type"] !== "function";
}

/** Whether a value is null, absent or an empty list. */
export function isEmpty(value: unknown): boolean {
  return value == null || (Array.isArray(value) && value.length === 0);
}

function listModelNames(request: JsonObject): string[] {
  return [request["model"], ...readItems(request["models"])].filter((id) => typeof id === "string");
}
