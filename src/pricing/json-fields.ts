/** The fields of a JSON object; none of anything else. */
export function readFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** The items of a JSON array; none of anything else. */
export function readItems(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A whole number, 0 or more; undefined for anything else. */
export function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/** Whether a JSON value, or anything in it, is an object with a field of this name. */
export function hasField(value: unknown, name: string): boolean {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null) continue;
    if (!Array.isArray(next) && Object.hasOwn(next, name)) return true;
    for (const item of Object.values(next)) if (typeof item === "object") open.push(item);
  }
  return false;
}
