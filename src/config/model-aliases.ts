import { ALIASES_MAX, findAliasMistake, type ModelAliases } from "../request/model-aliases.ts";
import { normalizeModelId } from "../request/model-id.ts";

/**
 * Parses the items of `MODEL_ALIASES`: `name=model`.
 * @returns the aliases, and one sentence per mistake, which names the item by its position and never contains its text.
 */
export function parseAliasList(items: readonly string[]): { aliases: ModelAliases; mistakes: string[] } {
  const aliases = new Map<string, string>();
  const mistakes: string[] = [];
  if (items.length > ALIASES_MAX)
    mistakes.push(`MODEL_ALIASES has ${items.length} items: remove some, at most ${ALIASES_MAX} are allowed`);
  for (const [index, item] of items.entries()) {
    const equals = item.indexOf("=");
    const name = item.slice(0, Math.max(equals, 0)).trim();
    const target = item.slice(equals + 1).trim();
    const mistake =
      equals === -1
        ? "must be name=model, such as fast=google/gemini-3-flash-preview"
        : aliases.has(name)
          ? "repeats the name of another alias"
          : findAliasMistake(name, target);
    if (mistake === undefined) aliases.set(name, normalizeModelId(target));
    else mistakes.push(`MODEL_ALIASES item ${index + 1} ${mistake}`);
  }
  return { aliases, mistakes };
}
