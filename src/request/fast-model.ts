const FAST = "-fast";

/** Whether a request's `speed` has its models served by faster ones, at their prices. Any unknown value counts. */
export function selectsFastModel(speed: unknown): boolean {
  return speed != null && speed !== "standard";
}

/**
 * The model that serves another one when `speed` asks for it: `a/b-fast` for `a/b`, `a/b-fast:free` for `a/b:free`.
 * @param id without the optional prefix; a name that ends in `-fast` stays as it is.
 */
export function toFastModelId(id: string): string {
  const end = id.search(/[:@]/);
  const base = end === -1 ? id : id.slice(0, end);
  return base.endsWith(FAST) ? id : base + FAST + id.slice(base.length);
}
