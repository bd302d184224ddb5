import type { z } from "zod";
import { type Environment, environmentSchema } from "./environment-schema.ts";
import { SECRET_NAMES } from "./sources.ts";

/** One setting as an operator may read it: never with the value of a secret. */
export interface Setting {
  /** Name of the environment variable. */
  readonly name: string;
  /** The value as text; null for a secret, and for a setting without a value whose default depends on others. */
  readonly value: string | null;
  /** Whether the value is hidden. */
  readonly isSecret: boolean;
  /** Whether the environment or a file states a value. */
  readonly isSet: boolean;
  /** Whether the value is the default, either because nothing is set or because the default is stated. */
  readonly isDefault: boolean;
}

/** The URLs of proxies can contain a user name and a password. */
const HIDDEN_NAMES: ReadonlySet<string> = new Set([...SECRET_NAMES, "HTTPS_PROXY", "HTTP_PROXY"]);

/**
 * Describes every setting of the gateway, in the order of the schema, without secrets. Values are as the operator wrote them.
 * @param given the values that are set, by name.
 */
export function describeSettings(given: Readonly<Record<string, string>>): readonly Setting[] {
  const shape: Readonly<Record<string, z.ZodType<Environment[keyof Environment]>>> = environmentSchema.shape;
  return Object.freeze(
    Object.entries(shape).map(([name, schema]) => {
      const text = given[name];
      const fallback = formatValue(schema.safeParse(undefined).data);
      const isSecret = HIDDEN_NAMES.has(name) || (text !== undefined && hasCredentials(text));
      return Object.freeze({
        name,
        value: isSecret ? null : (text ?? fallback),
        isSecret,
        isSet: text !== undefined,
        isDefault: text === undefined || formatValue(schema.safeParse(text).data) === fallback,
      });
    }),
  );
}

/** Formats a parsed value as an operator would write it; null without a value. */
function formatValue(value: Environment[keyof Environment]): string | null {
  if (value === undefined) return null;
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** Whether a text is a URL with a user name or a password. No setting needs one in a URL that is not a secret. */
function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.username + url.password !== "";
}
