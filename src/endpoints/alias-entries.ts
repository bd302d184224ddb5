import type { ModelAliases } from "../request/model-aliases.ts";
import { describeAs, findListed, indexModels } from "../upstream/model-index.ts";
import type { Entry, Model } from "../upstream/model-list.ts";

/**
 * Creates the entries of aliases in a list of models. The entry of an alias is that of its target, with the alias as `id`.
 * @param listed the entries of the list. An alias whose target has no entry is left out.
 * @param mayUse whether the client may use a model. An alias whose target the client may not use is left out.
 * @returns JSON by the id of the listed entry that describes the target, so that a sorted list can stay sorted.
 */
export function createAliasEntries(
  listed: readonly Entry[],
  aliases: ModelAliases,
  mayUse: (id: string) => boolean,
): ReadonlyMap<string, readonly Buffer[]> {
  const entries = new Map<string, Buffer[]>();
  const index = indexModels(listed);
  for (const [alias, target] of aliases) {
    const entry = mayUse(target) ? findListed(index, target) : undefined;
    if (!entry) continue;
    const model = describeAs(JSON.parse(entry.json.toString()) as Model, target);
    const json = Buffer.from(JSON.stringify(toAliasEntry(model, alias)));
    entries.set(entry.id, [...(entries.get(entry.id) ?? []), json]);
  }
  return entries;
}

/** Returns the entry of an alias. @param model the entry of its target. */
export function toAliasEntry(model: Model, alias: string): Model {
  return { ...model, id: alias };
}
