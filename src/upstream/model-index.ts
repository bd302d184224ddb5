import type { Model } from "./model-list.ts";

/** Listed models by the names under which they can be called. */
export interface ModelIndex {
  readonly byId: ReadonlyMap<string, Model>;
  /** By dated name (`canonical_slug`), where it differs from the id; variants share their model's and are left out. */
  readonly byDatedName: ReadonlyMap<string, Model>;
}

/** Variants that OpenRouter accepts behind a model's name, whether it lists them or not. */
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

/** @param models of the list without a filter. */
export function indexModels(models: readonly Model[]): ModelIndex {
  const dated = models.flatMap((model): [string, Model][] => {
    const name = model["canonical_slug"];
    return typeof name === "string" && name !== model.id && !model.id.includes(":") ? [[name, model]] : [];
  });
  return { byId: new Map(models.map((model) => [model.id, model])), byDatedName: new Map(dated) };
}

/**
 * The entry of a model by any name that can be called: its id, its dated name, and either followed by variants. A name
 * without an entry of its own gets its model's, with the name as `id`, so that a client calls what it looked up.
 * @param name without the optional prefix.
 */
export function findModel({ byId, byDatedName }: ModelIndex, name: string): Model | undefined {
  const exact = byId.get(name);
  if (exact) return exact;
  const [base = "", ...variants] = name.split(":");
  if (new Set(variants).size < variants.length || !variants.every((variant) => VARIANTS.has(variant)))
    return undefined;
  const id = byId.get(base)?.id ?? byDatedName.get(base)?.id ?? base;
  // `a/b:free:online` is served by the entry of `a/b:free`, if there is one.
  for (let count = variants.length; count >= 0; count--) {
    const model = byId.get([id, ...variants.slice(0, count)].join(":"));
    if (model) return { ...model, id: name, ...(variants.slice(count).includes("free") && FREE) };
  }
  return undefined;
}

/** Nothing is billed for a `:free` variant, whatever the entry of its model says. */
const FREE = { pricing: { prompt: "0", completion: "0" } };
