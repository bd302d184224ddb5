import { isIP } from "node:net";
import { compile } from "@fastify/proxy-addr";
import { z } from "zod";

type Default<Schema extends z.ZodType> = z.ZodDefault<Schema>;
type Transformed<Out> = z.ZodPipe<z.ZodString, z.ZodTransform<Out, string>>;

/** A text for which `holds` must be true; `error` says what it must be. */
export function checkedText(holds: (value: string) => boolean, error: string): z.ZodString {
  return z.string().refine(holds, { error });
}

/** A whole number within bounds, both included, with a default. */
export function wholeNumber(min: number, max: number, fallback: number): Default<Transformed<number>> {
  return wholeNumberWithin(min, max).default(fallback);
}

/** A whole number within bounds, both included. */
export function wholeNumberWithin(min: number, max: number): Transformed<number> {
  const inRange = (value: string): boolean =>
    /^\d{1,13}$/.test(value) && Number(value) >= min && Number(value) <= max;
  return checkedText(inRange, `must be a whole number from ${min} to ${max}`).transform(Number);
}

/** `true` or `false`, spelled so. `z.coerce.boolean()` would take the text "false" for true. */
export function flag(fallback: boolean): Default<Transformed<boolean>> {
  return checkedText((value) => value === "true" || value === "false", "must be true or false")
    .transform((value) => value === "true")
    .default(fallback);
}

/** Items separated by commas, for each of which `holds` must be true. Absent means none. */
export function list(holds: (item: string) => boolean, error: string): Default<Transformed<string[]>> {
  return checkedText((value) => splitList(value).every(holds), error)
    .transform(splitList)
    .default([]);
}

/** As {@link list}, but `findMistake` says what is wrong with an item, as the end of a sentence and without the item. */
export function explainedList(
  findMistake: (item: string) => string | undefined,
): Default<Transformed<string[]>> {
  return z
    .string()
    .superRefine((value, context) => {
      for (const [index, item] of splitList(value).entries()) {
        const mistake = findMistake(item);
        if (mistake !== undefined) context.addIssue(`item ${index + 1} ${mistake}`);
      }
    })
    .transform(splitList)
    .default([]);
}

/** Splits at commas, trims, and drops empty items. */
export function splitList(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** An http or https URL to which paths can be appended. */
export function isBaseUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return url.username + url.password + url.search + url.hash === "";
}

export function isPostgresUrl(value: string): boolean {
  const protocol = URL.parse(value)?.protocol;
  return protocol === "postgres:" || protocol === "postgresql:";
}

export function isRedisUrl(value: string): boolean {
  const protocol = URL.parse(value)?.protocol;
  return protocol === "redis:" || protocol === "rediss:";
}

/** Whether a value is an address, a CIDR network, or one of the names `loopback`, `linklocal` and `uniquelocal`. */
export function isProxyNetwork(value: string): boolean {
  const address = /^([^/]+)(?:\/[1-9]\d{0,2})?$/.exec(value)?.[1] ?? "";
  // The library takes 1 for 0.0.0.1.
  if (/^\d/.test(address) && isIP(address) === 0) return false;
  try {
    compile(value);
    return address !== "";
  } catch {
    return false;
  }
}
