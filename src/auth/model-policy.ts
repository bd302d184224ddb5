import { LRUCache } from "lru-cache";
import { boundCache } from "../limits/cache-bound.ts";
import { GatewayError } from "../errors.ts";
import type { ModelRequest } from "../request/model-request.ts";
import type { CallerKey } from "./caller-key.ts";

/** Maximum number of allowed models in an error message. */
const SHOWN_MAX = 5;
/** Maximum number of cached patterns. */
const GLOBS_MAX = 10_000;

/** A glob, split at each `@` into segments, and each segment split at each `*`. */
type Parts = readonly (readonly string[])[];

const partsByGlob = new LRUCache<string, Parts>(boundCache(GLOBS_MAX));

/**
 * Rejects a request if its key does not allow every model of the request, every nested model of its plugins and tools, and its
 * preset. The preset counts because it can select another model.
 * @throws GatewayError 403 model_not_allowed.
 */
export function refuseForbiddenModels(
  key: CallerKey | undefined,
  { models, nestedModels = [], preset }: Pick<ModelRequest, "models" | "preset"> & Partial<ModelRequest>,
): void {
  if (!key || key.models === null) return;
  // OpenRouter would use the default model of the account, which the gateway does not know.
  if (models.length === 0 && preset === undefined)
    throw createRefusal(key.models, "model", "send a request without a model");
  for (const model of models) {
    if (!allowsModel(key.models, model)) throw createRefusal(key.models, "model", "use this model");
  }
  for (const { name, param } of nestedModels) {
    if (!allowsModel(key.models, name)) throw createRefusal(key.models, param, "use this model");
  }
  if (preset !== undefined && !allowsModel(key.models, `@preset/${preset}`))
    throw createRefusal(key.models, "preset", "use this preset");
}

/**
 * Whether a key may use a model.
 * @param models globs in which `*` matches any characters except `@`; null allows every model. A star must not match `@`,
 * which precedes the name of a preset, because a preset can select another model.
 * @param model id without the prefix.
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

/** Matches a model segment by segment. The glob must have the same number of segments, because a star matches no `@`. */
function matches(parts: Parts, segments: readonly string[]): boolean {
  return (
    parts.length === segments.length &&
    parts.every((texts, index) => matchesSegment(texts, segments[index] ?? ""))
  );
}

/**
 * Matches each text between two stars at its first occurrence after the previous text, which takes linear time. A regular
 * expression would try every combination of occurrences, which takes far too long for a long model id.
 */
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

function createRefusal(allowed: readonly string[], param: string, action: string): GatewayError {
  const shown = allowed.slice(0, SHOWN_MAX).join(", ");
  const more = allowed.length > SHOWN_MAX ? ", …" : "";
  return new GatewayError(
    "model_not_allowed",
    `This key may not ${action}; it may use ${shown}${more}. Request one of these, or ask the operator to change the key.`,
    { param },
  );
}
