import { isUtf8 } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import { parseEnv } from "node:util";

/** Values of settings by name, such as the environment of the process. */
export type EnvironmentRecord = Readonly<Record<string, string | undefined>>;

/** Reads a configuration file. @throws UnreadableFile if the file cannot be used. */
export type ReadText = (path: string) => string;

/** Settings that can also be read from the file at `NAME_FILE`, which is how Docker and Kubernetes provide secrets. */
export const SECRET_NAMES = [
  "OPENROUTER_API_KEY",
  "OPENROUTER_MANAGEMENT_KEY",
  "GATEWAY_API_KEYS",
  "DATABASE_URL",
  "ALERT_WEBHOOK_URL",
  "ALERT_WEBHOOK_SECRET",
  "REDIS_URL",
] as const;
/** Settings whose lower-case names are also read. As in other programs, the lower-case name takes precedence. */
export const PROXY_NAMES = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] as const;

const FILE_MAX_BYTES = 1_048_576;
const ANY_QUOTE = /^["'`“”‘’]$/;
/** Quotes that shells and env files use, which are removed. Typographic quotes are reported as a mistake. */
const STRAIGHT_QUOTE = /^["'`]$/;

/** Thrown for a file that cannot be used. The message is the end of a sentence whose subject is the file. */
class UnreadableFile extends Error {
  readonly code: string;
  constructor(reason: string, code = "") {
    super(reason);
    this.code = code;
  }
}

/**
 * Removes white space and quotes around a value. `docker --env-file` and Kubernetes manifests keep quotes that a shell or a
 * `.env` file would have removed.
 * @returns undefined if the value begins or ends with a quote that may be part of it.
 */
export function unquoteValue(text: string): string | undefined {
  const value = text.trim();
  const [first = "", last = ""] = [value.at(0), value.at(-1)];
  if (!ANY_QUOTE.test(first) && !ANY_QUOTE.test(last)) return value;
  const inner = value.slice(1, -1);
  const isQuoted = value.length > 1 && first === last && STRAIGHT_QUOTE.test(first) && !inner.includes(first);
  return isQuoted ? unquoteValue(inner) : undefined;
}

/**
 * Reads settings from a record and from the files that its `*_FILE` settings name.
 * @param names the names of all settings.
 * @returns the values that are not empty, and one sentence per mistake, which never contains a value.
 */
export function readSettings(
  names: readonly string[],
  record: EnvironmentRecord,
  readText: ReadText,
): { values: Record<string, string>; mistakes: string[] } {
  const values: Record<string, string> = {};
  const mistakes: string[] = [];
  const set = (name: string, text: string, source: string): void => {
    const value = unquoteValue(text);
    if (value === undefined)
      mistakes.push(`${source} has quotes around its value that do not match: remove them`);
    else if (value !== "") values[name] = value;
    else if (source !== name) mistakes.push(`${source} names an empty file`);
  };
  for (const name of names) set(name, readVariable(record, name), name);
  for (const name of SECRET_NAMES) {
    const file = `${name}_FILE`;
    const path = values[file];
    if (path === undefined) continue;
    if (values[name] !== undefined) mistakes.push(`${file} and ${name} are both set: remove one of them`);
    else
      try {
        const text = readText(path);
        // A file usually has one key per line.
        set(name, name === "GATEWAY_API_KEYS" ? text.trim().replaceAll(/[\r\n]+/g, ",") : text, file);
      } catch (error) {
        if (!(error instanceof UnreadableFile)) throw error;
        mistakes.push(`${file} names a file that ${error.message}`);
      }
  }
  return { values, mistakes };
}

function readVariable(record: EnvironmentRecord, name: string): string {
  const lowerCase = PROXY_NAMES.some((proxy) => proxy === name) ? record[name.toLowerCase()] : undefined;
  return lowerCase?.trim() || (record[name] ?? "");
}

/**
 * Adds the variables of a `.env` file to an environment. Variables that have a value in the environment keep it.
 * @returns a sentence that explains why the file cannot be used; undefined if it was read or does not exist.
 */
export function addEnvFile(
  environment: Record<string, string | undefined>,
  path: string,
): string | undefined {
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return error.code === "ENOENT" ? undefined : `The file ${path} ${error.message}.`;
  }
  // parseEnv() loses lines that end with a carriage return only.
  for (const [name, value] of Object.entries(parseEnv(text.replaceAll(/\r\n?/g, "\n"))))
    if (unquoteValue(environment[name] ?? "") === "") environment[name] = value;
  return undefined;
}

/**
 * Reads a text file of at most 1 MiB, with or without a byte order mark.
 * @throws UnreadableFile if the file cannot be read, is longer, or is not UTF-8.
 */
export function readTextFile(path: string): string {
  const bytes = readBytes(path);
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || bytes.includes(0))
    throw new UnreadableFile("is not UTF-8 but UTF-16 or binary: save it as UTF-8");
  if (!isUtf8(bytes)) throw new UnreadableFile("is not UTF-8: save it as UTF-8");
  return bytes.toString().replace(/^\uFEFF/, "");
}

/** Reads a file, and stops at the length limit, because a device or a pipe may never end. */
function readBytes(path: string): Buffer {
  const bytes = Buffer.alloc(FILE_MAX_BYTES + 1);
  let length = 0;
  try {
    const file = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && length < bytes.length; length += read)
        read = readSync(file, bytes, length, bytes.length - length, null);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new UnreadableFile(
      code === "EISDIR"
        ? "is a directory, which Docker creates if a mounted file is missing: remove it"
        : `cannot be read (${code})`,
      code,
    );
  }
  if (length > FILE_MAX_BYTES) throw new UnreadableFile(`is longer than ${FILE_MAX_BYTES} bytes`);
  return bytes.subarray(0, length);
}
