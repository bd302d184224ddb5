import type { Model } from "./model-list.ts";

/** A model in a list. */
interface Listed {
  readonly id: string;
  /** The dated name of the model, as OpenRouter states it. */
  readonly canonical_slug?: unknown;
}

/** Listed models by the names that requests can use for them. */
export interface ModelIndex<Entry extends Listed = Model> {
  readonly byId: ReadonlyMap<string, Entry>;
  /**
   * Models by dated name (`canonical_slug`), if it differs from the id. Variants are excluded, because they share the dated
   * name of their model.
   */
  readonly byDatedName: ReadonlyMap<string, Entry>;
}

/** Variants that OpenRouter accepts as the suffix of any model name, even if it does not list them. */
const VARIANTS: ReadonlySet<string> = new Set([
  "free",
  "nitro",
  "floor",
  "online",
  "thinking",
  "extended",
  "exacto",
  "beta",
]);

/** Indexes models by their names. @param models all models of a list. */
export function indexModels<Entry extends Listed>(models: readonly Entry[]): ModelIndex<Entry> {
  const dated = models.flatMap((model): [string, Entry][] => {
    const name = model.canonical_slug;
    return typeof name === "string" && name !== model.id && !model.id.includes(":") ? [[name, model]] : [];
  });
  return { byId: new Map(models.map((model) => [model.id, model])), byDatedName: new Map(dated) };
}

/**
 * Finds a model by any name that requests can use: its id or its dated name, with or without variants. If a name is not
 * listed, the result is a copy of the model's entry in which `id` is the name. A client that uses this `id` in a request gets
 * the variant that it looked up.
 * @param name name without the optional prefix.
 */
export function findModel(index: ModelIndex, name: string): Model | undefined {
  const listed = findListed(index, name);
  return listed && describeAs(listed, name);
}

/**
 * Finds the entry that describes a name best: the entry with this name or, if there is none, the entry of the name's model.
 * @param name as for {@link findModel}.
 */
export function findListed<Entry extends Listed>(
  { byId, byDatedName }: ModelIndex<Entry>,
  name: string,
): Entry | undefined {
  const exact = byId.get(name);
  if (exact) return exact;
  const [base = "", ...variants] = name.split(":");
  if (new Set(variants).size < variants.length || !variants.every((variant) => VARIANTS.has(variant)))
    return undefined;
  const id = byId.get(base)?.id ?? byDatedName.get(base)?.id ?? base;
  // Tries the longest name first: an entry for `a/b:free` describes `a/b:free:online` better than the entry for `a/b`.
  for (let count = variants.length; count >= 0; count--) {
    const entry = byId.get([id, ...variants.slice(0, count)].join(":"));
    if (entry) return entry;
  }
  return undefined;
}

/**
 * Returns the entry itself or, if its `id` is not `name`, a copy with this `id`.
 * @param name a name for which {@link findListed} returned the entry.
 */
export function describeAs(model: Model, name: string): Model {
  if (model.id === name) return model;
  const isFree = name.split(":").includes("free") && !model.id.split(":").includes("free");
  return { ...model, id: name, ...(isFree && FREE) };
}

/** Prices of a `:free` variant, which costs nothing even if the entry of its model has prices. */
const FREE = { pricing: { prompt: "0", completion: "0" } };
