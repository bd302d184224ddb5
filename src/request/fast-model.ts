const FAST = "-fast";

/**
 * Whether `speed` may make OpenRouter serve a request with faster models, at their prices. Every value except null and
 * `standard` may do so, because OpenRouter can add values.
 */
export function selectsFastModel(speed: unknown): boolean {
  return speed != null && speed !== "standard";
}

/**
 * Returns the id of the faster variant of a model: `a/b-fast` for `a/b`, `a/b-fast:free` for `a/b:free`.
 * @param id a model id without the optional prefix. If its slug already ends in `-fast`, the function returns it unchanged.
 */
export function toFastModelId(id: string): string {
  const end = id.search(/[:@]/);
  const base = end === -1 ? id : id.slice(0, end);
  return base.endsWith(FAST) ? id : base + FAST + id.slice(base.length);
}
