import { truncate } from "../bounded-text.ts";
import { DAY_MS, HOUR_MS } from "../durations.ts";

const TEXT_MAX = 200;

/** Returns the code of an error or of its innermost cause that has one, such as ECONNREFUSED; an empty text without a code. */
export function readErrorCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const inner = readErrorCode(error.cause);
  if (inner !== "") return inner;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  // The code of every error of SQLite is ERR_SQLITE_ERROR. Its message names the cause.
  return typeof code === "string" && errcode === undefined ? code : "";
}

/**
 * Describes an error in one line. Passwords in URLs are replaced, because drivers quote the URL that they were given.
 * @returns the code and the message, without a period.
 */
export function describeError(error: unknown): string {
  const code = readErrorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const text = [...new Set([code, message])].filter((part) => part !== "").join(": ");
  return truncate(redactUrls(text.split("\n", 1)[0] ?? ""), TEXT_MAX).replace(/\.$/, "");
}

/** Removes user name and password from the URLs in a text. */
export function redactUrls(text: string): string {
  return text.replaceAll(/(?<=[a-z]:\/\/)[^\s/@]*@/gi, "***@");
}

/** Formats a number of bytes, such as 1.5 GiB. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[power]}`;
}

/** Formats a time of at least 0 ms, such as 0.4 ms, 20 ms, 65 s, 5 h or 3 days. */
export function formatMs(ms: number): string {
  if (ms >= 2 * DAY_MS) return `${Math.round(ms / DAY_MS)} days`;
  if (ms >= 2 * HOUR_MS) return `${Math.round(ms / HOUR_MS)} h`;
  if (ms >= 10_000) return `${Math.round(ms / 1_000)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Returns the middle value of times in ms; of an even number of them the higher of both. */
export function findMedian(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
