import { InvalidArgumentError } from "commander";
import { dateSchema } from "../presentation/period.ts";
import { DAY_MS, HOUR_MS } from "../durations.ts";

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: HOUR_MS, d: DAY_MS };

/** Parses a duration such as 90s, 30m, 24h or 7d to ms; 0 needs no unit. */
export function parseDuration(text: string): number {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (/^0+$/.test(text)) return 0;
  if (count === undefined || unitMs === undefined)
    throw new InvalidArgumentError("Use a duration such as 90s, 30m, 24h or 7d, or 0.");
  return Number(count) * unitMs;
}

/**
 * Value of an option that removes a setting, as commander sets it for an option such as --no-owner. Parsers return it too,
 * because commander replaces null by an empty text.
 */
export type Removed = false;
const REMOVED: Removed = false;

/** Converts the value of an option to that of a setting, which null removes. */
export function toSetting<T>(value: T | Removed): T | null {
  return value === REMOVED ? null : value;
}

/** Parses the expiry of a key to ms since 1970: a duration from now, a date, a time, or `never`. */
export function parseExpiry(text: string): number | Removed {
  if (text === "never") return REMOVED;
  if (/^\d+[smhd]$/.test(text)) return Date.now() + parseDuration(text);
  const { success, data } = dateSchema.safeParse(text);
  if (!success)
    throw new InvalidArgumentError(
      "Use a duration such as 30d, a date such as 2026-12-31, a time such as 2026-12-31T12:00:00Z, or never.",
    );
  return data;
}

/** Parses a date (midnight UTC) or a time with a zone to ms since 1970. */
export function parseDate(text: string): number {
  const { success, data } = dateSchema.safeParse(text);
  if (!success)
    throw new InvalidArgumentError("Use a date such as 2026-12-31, or a time such as 2026-12-31T12:00:00Z.");
  return data;
}

/** Parses a whole number, or `none`. */
export function parseCount(text: string): number | Removed {
  if (text === "none") return REMOVED;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Use a whole number, or none.");
  return Number(text);
}

/** Parses US dollars, or `none`. The amount remains text, so that the schema parses it exactly. */
export function parseUsd(text: string): string | Removed {
  return text === "none" ? REMOVED : text;
}

/** Parses model patterns separated by commas; `any` allows every model. */
export function parseModels(text: string): string[] | Removed {
  return text === "any" ? REMOVED : text.split(",").map((item) => item.trim());
}

/** Adds `name=value` to the values of a repeatable option. */
export function collectMetadata(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Use name=value.");
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Adds `name=model` to the aliases of a repeatable option. */
export function collectAliases(
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Use name=model, such as fast=google/gemini-3-flash-preview.");
  const name = text.slice(0, at);
  if (Object.hasOwn(previous, name)) throw new InvalidArgumentError("Use each alias once.");
  return { ...previous, [name]: text.slice(at + 1) };
}
