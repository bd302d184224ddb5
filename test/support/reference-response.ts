/**
 * A reference implementation of what the gateway reads from a response. It parses the whole body, and shares no code with the
 * gateway.
 */

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON of any shape
type Json = any;

export type ApiName = "completions" | "responses" | "messages";

/** The facts that a complete response states. */
export interface Stated {
  /** Cost in US dollars; undefined if the final usage does not state one. */
  readonly cost: number | undefined;
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
  readonly id: string | undefined;
  readonly isComplete: boolean;
  readonly hasError: boolean;
}

/** Splits a stream into the data of its events, as a browser does. */
function readEventData(text: string): string[] {
  const events: string[] = [];
  let data: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === "") {
      if (data.length > 0) events.push(data.join("\n"));
      data = [];
    } else if (line.startsWith("data:")) data.push(line.replace(/^data: ?/, ""));
  }
  return events;
}

const isObject = (value: Json): boolean =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Sums the tokens of a usage object, whatever API it comes from. */
function summarize(usage: Json, api: ApiName): Pick<Stated, "cost" | "promptTokens" | "completionTokens"> {
  if (!isObject(usage)) return { cost: undefined, promptTokens: undefined, completionTokens: undefined };
  const known = (value: Json): number => (typeof value === "number" && value >= 0 ? value : 0);
  const cost = typeof usage.cost === "number" && usage.cost >= 0 ? usage.cost : undefined;
  const cached = known(usage.cache_read_input_tokens) + known(usage.cache_creation_input_tokens);
  if (api === "messages")
    return {
      cost,
      promptTokens: known(usage.input_tokens) + cached,
      completionTokens: known(usage.output_tokens),
    };
  return {
    cost,
    promptTokens: known(usage.prompt_tokens ?? usage.input_tokens ?? usage.total_tokens),
    completionTokens: known(usage.completion_tokens ?? usage.output_tokens),
  };
}

function findId(candidates: Json[]): string | undefined {
  return candidates.find((id) => typeof id === "string" && /^gen-[!-~]{1,124}$/.test(id)) as
    | string
    | undefined;
}

const FINAL = ["response.completed", "response.incomplete", "response.failed"];

/** Merges the usage objects of a stream in their order. Only the last one may state the cost, and only in `message_delta`. */
function mergeMessagesUsage(events: Json[]): Json {
  const stated = events
    .map(({ type, message, usage }) => ({
      usage: type === "message_start" ? message?.usage : type === "message_delta" && usage,
      isFinal: type === "message_delta",
    }))
    .filter(({ usage }) => isObject(usage));
  const last = stated.at(-1);
  if (!last) return undefined;
  const merged: Json = {};
  for (const { usage } of stated)
    for (const [name, value] of Object.entries(usage)) if (value !== null) merged[name] = value;
  return { ...merged, cost: last.isFinal ? last.usage.cost : undefined };
}

/** Reads a complete stream. */
export function readReferenceStream(body: Buffer, api: ApiName): Stated {
  const data = readEventData(body.toString());
  const isDone = data.includes("[DONE]");
  const events = data.filter((text) => text !== "[DONE]").map((text) => JSON.parse(text));
  if (api === "responses") {
    const finals = events.filter(({ type }) => FINAL.includes(type));
    return {
      ...summarize(finals.findLast(({ response }) => isObject(response?.usage))?.response.usage, api),
      id: findId(events.map((event) => event.response?.id)),
      isComplete: isDone || finals.length > 0,
      hasError: events.some(({ type }) => type === "response.failed" || type === "error"),
    };
  }
  if (api === "messages")
    return {
      ...summarize(mergeMessagesUsage(events), api),
      id: findId(events.filter(({ type }) => type === "message_start").map((event) => event.message?.id)),
      isComplete: isDone || events.some(({ type }) => type === "message_stop"),
      hasError: events.some(({ type }) => type === "error"),
    };
  return {
    ...summarize(events.findLast(({ usage }) => isObject(usage))?.usage, api),
    id: findId(events.map(({ id }) => id)),
    isComplete: isDone,
    hasError: events.some(({ error }) => error !== undefined && error !== null),
  };
}

/** Reads a complete JSON document. */
export function readReferenceDocument(body: Buffer, api: ApiName): Stated {
  const document = JSON.parse(body.toString());
  return {
    ...summarize(document.usage, api),
    id: findId([document.id]),
    isComplete: true,
    hasError: document.error !== undefined && document.error !== null,
  };
}
