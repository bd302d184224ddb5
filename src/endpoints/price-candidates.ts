import type { CandidateModel } from "../pricing/endpoints.ts";
import { selectsFastModel, toFastModelId } from "../request/fast-model.ts";
import type { EndpointCatalog } from "../upstream/endpoint-catalog.ts";
import type { Model, ModelCatalog } from "../upstream/model-catalog.ts";

/** Sources of the prices. */
export interface PriceLists {
  readonly catalog: ModelCatalog;
  readonly endpoints: EndpointCatalog;
}

/** Maximum number of models whose prices are looked up for a request. Each may need a request to OpenRouter. */
export const PRICED_MODELS_MAX = 16;

/** The listed models whose prices may apply to a request. */
interface Candidates {
  /** Their endpoints are undefined, except for free variants. */
  readonly candidates: readonly CandidateModel[];
  /** Names that are not listed. */
  readonly unlisted: readonly string[];
}

/** Finds the models whose prices may apply to a request. @param speed the value of `speed` in the request. */
export function findCandidates(
  byId: ReadonlyMap<string, Model>,
  names: readonly string[],
  speed: unknown,
): Candidates {
  const unlisted: string[] = [];
  const listed = names.flatMap((name) => {
    const found = findListed(byId, name);
    if (!found) unlisted.push(name);
    return found ? addFastModels(byId, found, speed) : [];
  });
  return { candidates: mergeById(listed), unlisted };
}

/** Merges candidates of the same model. Two names can mean the same model, and only one of them may add unbounded costs. */
function mergeById(candidates: readonly CandidateModel[]): CandidateModel[] {
  const byId = new Map<string, CandidateModel>();
  for (const candidate of candidates) {
    const known = byId.get(candidate.model.id);
    const unbounded = [...(known?.unbounded ?? []), ...(candidate.unbounded ?? [])];
    byId.set(candidate.model.id, { ...candidate, unbounded });
  }
  return [...byId.values()];
}

/** Variants that only choose among the endpoints of their model. `:online` also adds a web search; its cost is unbounded. */
const ROUTING_VARIANTS: ReadonlySet<string | undefined> = new Set(["nitro", "floor", "exacto", "online"]);

/**
 * Finds the models whose prices may apply to a name; undefined if it is not listed. A variant that is not listed is served by
 * its base model.
 */
function findListed(byId: ReadonlyMap<string, Model>, name: string): CandidateModel[] | undefined {
  const exact = byId.get(name);
  if (exact) return [{ model: exact, endpoints: undefined }];
  const [base = "", variant, ...more] = name.split(":");
  const model = more.length === 0 && !variant?.includes("@") ? byId.get(base) : undefined;
  if (!model) return undefined;
  const candidate = { model, endpoints: undefined };
  if (ROUTING_VARIANTS.has(variant)) return [candidate];
  // A `:free` variant may cost nothing even if it is not listed.
  if (variant === "free") {
    const pricing = { prompt: "0", completion: "0" };
    const free = { ...model, id: name, pricing };
    return [{ model: free, endpoints: [free] }, candidate];
  }
  const note = `A variant in model or models is not listed, so its price is not known: name ${base} without it.`;
  return [{ ...candidate, unbounded: [{ name: "variant", note, param: "model" }] }];
}

/** If `speed` selects fast models, adds the `-fast` model of each candidate. OpenRouter may bill either of the two. */
function addFastModels(
  byId: ReadonlyMap<string, Model>,
  candidates: readonly CandidateModel[],
  speed: unknown,
): readonly CandidateModel[] {
  if (!selectsFastModel(speed)) return candidates;
  return candidates.flatMap((candidate) => {
    const fast = byId.get(toFastModelId(candidate.model.id));
    if (fast) return [candidate, { model: fast, endpoints: undefined }];
    const note = `The price of ${candidate.model.id} at this speed is not listed: drop speed.`;
    return [
      { ...candidate, unbounded: [...(candidate.unbounded ?? []), { name: "speed", note, param: "speed" }] },
    ];
  });
}
