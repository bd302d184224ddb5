/** Returns a whole number that is 0 or more; undefined for any other value. */
export function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/** Whether a JSON value is or contains an object with a field of this name. */
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
