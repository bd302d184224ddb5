import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import type { ChatRequest } from "../request/chat-request.ts";
import type { CallerKey } from "./caller-key.ts";

/** How many of the models that a key may use an error names. */
const SHOWN_MAX = 5;
/** Globs that are kept split. */
const GLOBS_MAX = 10_000;

/** The texts between the stars of a glob, for each segment between its `@`. */
type Parts = readonly (readonly string[])[];

const partsByGlob = new LRUCache<string, Parts>({ max: GLOBS_MAX });

/**
 * Refuses a request for what its key may not use: every model it names, also for its plugins and tools, and a preset, which
 * may choose another model.
 * @throws GatewayError 403 model_not_allowed.
 */
export function refuseForbiddenModels(
  key: CallerKey | undefined,
  { models, nestedModels = [], preset }: Pick<ChatRequest, "models" | "preset"> & Partial<ChatRequest>,
): void {
  if (!key || key.models === null) return;
  // Without a model, the account's default would be used, whatever that is.
  if (models.length === 0 && preset === undefined)
    throw createRefusal(key.models, "model", "a request without a model");
  for (const model of models) {
    if (!allowsModel(key.models, model)) throw createRefusal(key.models, "model", "this model");
  }
  for (const { name, param } of nestedModels) {
    if (!allowsModel(key.models, name)) throw createRefusal(key.models, param, "this model");
  }
  if (preset !== undefined && !allowsModel(key.models, `@preset/${preset}`))
    throw createRefusal(key.models, "preset", "this preset");
}

/**
 * Whether a key may use a model.
 * @param models globs, of which `*` is any run of characters but for `@`: what follows that names a preset, and a preset can
 * choose another model. null allows everything. @param model without the optional prefix.
 */
export function allowsModel(models: readonly string[] | null, model: string): boolean {
  if (models === null) return true;
  const segments = model.split("@");
  return models.some((glob) => matches(splitGlob(glob), segments));
}

function splitGlob(glob: string): Parts {
  const known = partsByGlob.get(glob);
  if (known) return known;
  const parts = glob.split("@").map((segment) => segment.split("*"));
  partsByGlob.set(glob, parts);
  return parts;
}

/** A star takes no `@`, so each of the model's stands for one of the glob's, and what is between them can be compared. */
function matches(parts: Parts, segments: readonly string[]): boolean {
  return (
    parts.length === segments.length &&
    parts.every((texts, index) => matchesSegment(texts, segments[index] ?? ""))
  );
}

/** Each text at its first place behind the one before: a regular expression would try all places, without end on a long name. */
function matchesSegment(texts: readonly string[], segment: string): boolean {
  const first = texts[0] ?? "";
  if (texts.length === 1) return segment === first;
  const last = texts.at(-1) ?? "";
  const end = segment.length - last.length;
  if (!segment.startsWith(first) || end < first.length || !segment.endsWith(last)) return false;
  let at = first.length;
  for (const text of texts.slice(1, -1)) {
    const found = segment.indexOf(text, at);
    if (found === -1 || found + text.length > end) return false;
    at = found + text.length;
  }
  return true;
}

function createRefusal(allowed: readonly string[], param: string, what: string): GatewayError {
  const shown = allowed.slice(0, SHOWN_MAX).join(", ");
  const more = allowed.length > SHOWN_MAX ? ", …" : "";
  return new GatewayError(
    "model_not_allowed",
    `This key may not use ${what}; it may use ${shown}${more}. Ask for one of these, or have the key changed.`,
    { param },
  );
}
