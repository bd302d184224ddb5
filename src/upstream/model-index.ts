import type { Model } from "./model-list.ts";

/** Listed models by the names that requests can use for them. */
export interface ModelIndex {
  readonly byId: ReadonlyMap<string, Model>;
  /**
   * Models by dated name (`canonical_slug`), if it differs from the id. Variants are excluded, because they share the dated
   * name of their model.
   */
  readonly byDatedName: ReadonlyMap<string, Model>;
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

/** Indexes models by their names. @param models all models of the unfiltered list. */
export function indexModels(models: readonly Model[]): ModelIndex {
  const dated = models.flatMap((model): [string, Model][] => {
    const name = model["canonical_slug"];
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
export function findModel({ byId, byDatedName }: ModelIndex, name: string): Model | undefined {
  const exact = byId.get(name);
  if (exact) return exact;
  const [base = "", ...variants] = name.split(":");
  if (new Set(variants).size < variants.length || !variants.every((variant) => VARIANTS.has(variant)))
    return undefined;
  const id = byId.get(base)?.id ?? byDatedName.get(base)?.id ?? base;
  // Tries the longest name first: an entry for `a/b:free` describes `a/b:free:online` better than the entry for `a/b`.
  for (let count = variants.length; count >= 0; count--) {
    const model = byId.get([id, ...variants.slice(0, count)].join(":"));
    if (model) return { ...model, id: name, ...(variants.slice(count).includes("free") && FREE) };
  }
  return undefined;
}

/** Prices of a `:free` variant, which costs nothing even if the entry of its model has prices. */
const FREE = { pricing: { prompt: "0", completion: "0" } };
