import { GatewayError } from "../errors.ts";
import { type JsonObject, readFields } from "../json-values.ts";

/** A model as OpenRouter lists it, plus the two fields of OpenAI's list that OpenRouter omits. */
export type Model = JsonObject & { readonly id: string };

/** JSON of one model in a list. */
export interface Entry {
  readonly id: string;
  /** OpenRouter's field with the dated name of the model; only in lists of models. */
  readonly canonical_slug?: unknown;
  readonly json: Buffer;
}

/** A list of models as JSON, split into its entries so that a part of the list can be sent without parsing. */
export interface ListedModels {
  /** JSON in OpenAI's format plus OpenRouter's fields. */
  readonly json: Buffer;
  /** Entries in upstream's order. */
  readonly entries: readonly Entry[];
  /** Fields of the list other than `data`. */
  readonly fields: JsonObject;
}

/** Result of parsing upstream's list of models. */
export interface ModelsRead {
  readonly listed: ListedModels;
  readonly models: readonly Model[];
  /** Number of entries that were skipped because they have no usable id. */
  readonly skipped: number;
}

/**
 * Parses upstream's list of models. Skips entries without a usable id, so that one invalid entry does not invalidate the
 * whole list.
 * @throws GatewayError `upstream_bad_response` if the body has no list, or if the list has entries but none with a usable id.
 */
export function parseModels(body: Buffer): ModelsRead {
  try {
    const { data, ...others } = JSON.parse(body.toString()) as { data: readonly unknown[] } & JsonObject;
    const usable = data.filter(isModel);
    const skipped = data.length - usable.length;
    if (skipped > 0 && usable.length === 0) throw new TypeError("No entry has a usable id.");
    const models = usable.map((model) => ({
      ...model,
      object: "model",
      owned_by: model.id.split("/", 1)[0] ?? "",
    }));
    const total = others["total_count"];
    const counted = skipped > 0 && typeof total === "number" ? { total_count: total - skipped } : {};
    return { listed: toListed(models, { object: "list", ...others, ...counted }), models, skipped };
  } catch (cause) {
    throw new GatewayError("upstream_bad_response", "OpenRouter's list of models is not valid.", {
      cause,
    });
  }
}

/**
 * Splits any other list of OpenRouter into its entries, whose fields do not change. Skips entries without a usable id.
 * @param idField the field of an entry that names a model.
 * @throws GatewayError `upstream_bad_response` if the body has no list.
 */
export function splitList(body: Buffer, idField: string): ListedModels {
  try {
    const { data, ...fields } = JSON.parse(body.toString()) as { data: readonly JsonObject[] } & JsonObject;
    const entries = data.flatMap((entry) => {
      const id = readFields(entry)[idField];
      return typeof id === "string" ? [{ id, json: Buffer.from(JSON.stringify(entry)) }] : [];
    });
    return { json: body, entries, fields };
  } catch (cause) {
    throw new GatewayError("upstream_bad_response", "OpenRouter's list is not valid.", { cause });
  }
}

function isModel(entry: unknown): entry is Model {
  const { id } = readFields(entry);
  return typeof id === "string" && id.trim() !== "";
}

function toListed(models: readonly Model[], fields: JsonObject): ListedModels {
  const parts = models.map((model) => Buffer.from(JSON.stringify(model)));
  const json = joinList(parts, fields);
  let start = formatListHead(fields).length;
  const entries = models.map(({ id, canonical_slug }, index) => {
    const end = start + (parts[index]?.length ?? 0);
    const entry = { id, canonical_slug, json: json.subarray(start, end) };
    start = end + COMMA.length;
    return entry;
  });
  return { json, entries, fields };
}

const COMMA = Buffer.from(",");
const END = Buffer.from("]}");

/** Formats the JSON that precedes the entries of a list. */
function formatListHead(fields: JsonObject): Buffer {
  const head = JSON.stringify(fields).slice(0, -1);
  return Buffer.from(`${head}${head === "{" ? "" : ","}"data":[`);
}

/** Joins entries and fields to the JSON of a list. */
export function joinList(entries: readonly Buffer[], fields: JsonObject): Buffer {
  const separated = entries.flatMap((entry, index) => (index === 0 ? [entry] : [COMMA, entry]));
  return Buffer.concat([formatListHead(fields), ...separated, END]);
}
