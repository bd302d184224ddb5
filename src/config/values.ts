import { isIP } from "node:net";
import { compile } from "@fastify/proxy-addr";
import { z } from "zod";

type Default<Schema extends z.ZodType> = z.ZodDefault<Schema>;
type Transformed<Out> = z.ZodPipe<z.ZodString, z.ZodTransform<Out, string>>;

/** Creates a schema of a text that `isValid` accepts. @param error the message for other texts, such as `must be a URL`. */
export function checkedText(isValid: (value: string) => boolean, error: string): z.ZodString {
  return z.string().refine(isValid, { error });
}

/** Creates a schema of a whole number with inclusive bounds and a default. */
export function wholeNumber(min: number, max: number, fallback: number): Default<Transformed<number>> {
  return wholeNumberWithin(min, max).default(fallback);
}

/** Creates a schema of a whole number with inclusive bounds. */
export function wholeNumberWithin(min: number, max: number): Transformed<number> {
  const inRange = (value: string): boolean =>
    /^\d{1,13}$/.test(value) && Number(value) >= min && Number(value) <= max;
  return checkedText(inRange, `must be a whole number from ${min} to ${max}`).transform(Number);
}

/** Creates a schema of `true` or `false`. `z.coerce.boolean()` would convert the text "false" to true. */
export function flag(fallback: boolean): Default<Transformed<boolean>> {
  return checkedText((value) => value === "true" || value === "false", "must be true or false")
    .transform((value) => value === "true")
    .default(fallback);
}

/** Creates a schema of items separated by commas. `isValid` must accept every item. The default is no items. */
export function list(isValid: (item: string) => boolean, error: string): Default<Transformed<string[]>> {
  return checkedText((value) => splitList(value).every(isValid), error)
    .transform(splitList)
    .default([]);
}

/**
 * Creates a schema as {@link list} does, with a separate error message for each invalid item.
 * @param findMistake returns the end of a sentence whose subject is the item; undefined if the item is valid.
 */
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

/** Whether a value is an http or https URL to which paths can be appended. */
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

/** Whether a value is an IP address, a CIDR network, or one of the names `loopback`, `linklocal` and `uniquelocal`. */
export function isProxyNetwork(value: string): boolean {
  const address = /^([^/]+)(?:\/[1-9]\d{0,2})?$/.exec(value)?.[1] ?? "";
  // The library accepts 1 as 0.0.0.1.
  if (/^\d/.test(address) && isIP(address) === 0) return false;
  try {
    compile(value);
    return address !== "";
  } catch {
    return false;
  }
}
