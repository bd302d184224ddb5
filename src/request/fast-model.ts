const FAST = "-fast";

/** Whether `speed` makes OpenRouter serve a request with faster models, at their prices. Any unknown value may do so. */
export function selectsFastModel(speed: unknown): boolean {
  return speed != null && speed !== "standard";
}

/**
 * Returns the id of the faster variant of a model: `a/b-fast` for `a/b`, `a/b-fast:free` for `a/b:free`.
 * @param id without the optional prefix. An id whose slug ends in `-fast` is returned unchanged.
 */
export function toFastModelId(id: string): string {
  const end = id.search(/[:@]/);
  const base = end === -1 ? id : id.slice(0, end);
  return base.endsWith(FAST) ? id : base + FAST + id.slice(base.length);
}
