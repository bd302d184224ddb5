import { GatewayError } from "../errors.ts";

/** Query parameters that filter or sort OpenRouter's model list, as its documentation names them. The RSS feed is excluded. */
export const MODEL_FILTERS = [
  "q",
  "category",
  "sort",
  "input_modalities",
  "output_modalities",
  "supported_parameters",
  "arch",
  "model_authors",
  "providers",
  "region",
  "zdr",
  "distillable",
  "context",
  "min_price",
  "max_price",
  "min_output_price",
  "max_output_price",
  "min_age_days",
  "max_age_days",
  "min_intelligence_index",
  "max_intelligence_index",
  "min_coding_index",
  "max_coding_index",
  "min_agentic_index",
  "max_agentic_index",
  "min_tool_success_rate",
  "max_tool_success_rate",
] as const;

/** Query parameters that an endpoint has. */
export interface QueryParameters {
  readonly filters: readonly string[];
  /** Whether `offset` and `limit` select a part of the response. */
  readonly hasPages: boolean;
}

/** The query parameters of `GET /models`. */
export const MODEL_QUERY: QueryParameters = { filters: MODEL_FILTERS, hasPages: true };

/** Parameters that clients (Azure's SDKs, Codex, LibreChat) add to every URL. They do not affect the model list. */
const IGNORED: ReadonlySet<string> = new Set(["api-version", "client_version", "user"]);
const MAX_LENGTH = 1_000;
const LIMIT_MAX = 1_000;
const LIMIT_DEFAULT = 500;

/** The requested part of the model list. */
export interface Page {
  readonly offset: number;
  readonly limit: number;
}

/** A parsed query string of a list of models. */
export interface ModelQuery {
  /** Query string to forward, with its parameters sorted by name; "" without filters. */
  readonly filter: string;
  /** undefined: the whole list. The gateway applies the page after it has removed the models that the key may not use. */
  readonly page: Page | undefined;
}

/**
 * Parses the query string of a list of models. Parameters without a value are ignored.
 * @param url path and query. @param parameters the parameters that the endpoint has.
 * @throws GatewayError invalid_value that names the first unknown, repeated or invalid parameter. If the gateway ignored
 * such a parameter, the client would mistake an unfiltered list for a filtered one.
 */
export function readModelQuery(
  url: string,
  { filters, hasPages }: QueryParameters = MODEL_QUERY,
): ModelQuery {
  const start = url.indexOf("?");
  if (start === -1) return { filter: "", page: undefined };
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    if (value === "" || IGNORED.has(name)) continue;
    if (!filters.includes(name) && !(hasPages && isPageParameter(name))) throw unknownParameter(name);
    if (values.has(name)) throw invalid(name, `The query parameter ${name} is repeated; send it once.`);
    values.set(name, value);
  }
  const page = readPage(values);
  const given = [...values]
    .filter(([name]) => !isPageParameter(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const filter = new URLSearchParams(given).toString();
  if (filter.length > MAX_LENGTH)
    throw invalid(undefined, `The filters are too long; send at most ${MAX_LENGTH} characters.`);
  return { filter, page };
}

/** Formats a query string with a filter and a page. */
export function formatModelQuery(filter: string, page: Page | undefined): string {
  const query = new URLSearchParams(filter);
  if (page) {
    query.set("offset", String(page.offset));
    query.set("limit", String(page.limit));
  }
  return query.toString();
}

function isPageParameter(name: string): boolean {
  return name === "offset" || name === "limit";
}

function readPage(values: ReadonlyMap<string, string>): Page | undefined {
  if (!values.has("offset") && !values.has("limit")) return undefined;
  return {
    offset: readInteger("offset", values.get("offset") ?? "0", { min: 0, max: Number.MAX_SAFE_INTEGER }),
    limit: readInteger("limit", values.get("limit") ?? String(LIMIT_DEFAULT), { min: 1, max: LIMIT_MAX }),
  };
}

/** Parses a whole number of a query. @throws GatewayError invalid_value that names the parameter and its bounds. */
export function readInteger(name: string, value: string, { min, max }: { min: number; max: number }): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw invalid(name, `${name} is not valid; send a whole number from ${min} to ${max}.`);
}

function unknownParameter(name: string): GatewayError {
  // The client chose the name, so a long or unprintable one must not be in a message or in the log.
  if (!/^[\w.[\]-]{1,64}$/.test(name))
    return invalid(undefined, "One of the query parameters is unknown; remove it.");
  return invalid(name, `The query parameter ${name} is unknown; remove it.`);
}

function invalid(param: string | undefined, message: string): GatewayError {
  return new GatewayError("invalid_value", message, { param });
}
