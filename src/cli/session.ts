import { existsSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import process from "node:process";
import type { z } from "zod";
import { ConfigError, loadConfig, type StoreConfig } from "../config/config.ts";
import { type EnvironmentRecord, unquoteValue } from "../config/sources.ts";
import type { Actor } from "../keys/managed-key.ts";
import { KeyService } from "../keys/key-service.ts";
import { describeIssue } from "../presentation/schema-issue.ts";
import { formatTable } from "../presentation/table.ts";
import { escapeUnprintableJson } from "../printable.ts";
import { type Database, openDatabase, getSqlitePath } from "../store/database.ts";
import { isUnavailable } from "../store/database-errors.ts";

/** What a command works with. */
export interface CommandSession {
  readonly database: Database;
  readonly keys: KeyService;
  readonly by: Actor;
}

/** A mistake of who gave the command, said without a stack. */
export class CommandError extends Error {}

/**
 * Opens the database of the gateway that is configured by this environment, runs a command, and closes it.
 * @throws CommandError when there is none, or what the command throws.
 */
export async function runWithDatabase<T>(
  environment: EnvironmentRecord,
  run: (session: CommandSession) => Promise<T>,
): Promise<T> {
  const ownsAccount = hasAccount(environment);
  // The account's key says that there is an account; the command line has no other use for it.
  const { store } = loadCommandConfig(
    ownsAccount ? environment : { ...environment, OPENROUTER_API_KEY: "unused" },
  );
  if (!store)
    throw new CommandError(
      "This configuration keeps no keys; set DATA_DIR or DATABASE_URL as for the gateway.",
    );
  const isNew = store.databaseUrl === undefined && !existsSync(getSqlitePath(store.dataDir));
  const database = await openStore(store);
  process.stderr.write(`database: ${describeLocation(store)}${isNew ? " (created)" : ""}\n`);
  if (!ownsAccount)
    process.stderr.write(
      "warning: OPENROUTER_API_KEY is not set here. A gateway that is started like this forwards its callers' own keys and reads none of this database.\n",
    );
  try {
    const by = { actor: "cli", source: `${readUserName()}@${hostname()}` };
    return await run({ database, keys: new KeyService(database), by });
  } catch (error) {
    throw isUnavailable(error) ? toUnusableError(store, error) : error;
  } finally {
    await database.close();
  }
}

function hasAccount(environment: EnvironmentRecord): boolean {
  return ["OPENROUTER_API_KEY", "OPENROUTER_API_KEY_FILE"].some(
    (name) => unquoteValue(environment[name] ?? "") !== "",
  );
}

/** Where the database is, without the password of its URL. */
function describeLocation({ databaseUrl, dataDir }: StoreConfig): string {
  if (databaseUrl === undefined) return resolve(getSqlitePath(dataDir));
  const { host, pathname } = new URL(databaseUrl);
  return `postgres://${host}${pathname}`;
}

/** The image's user, like OpenShift's, is a number without an entry in /etc/passwd. */
function readUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

async function openStore(store: StoreConfig): Promise<Database> {
  let database: Database | undefined;
  try {
    database = openDatabase(store, () => {});
    await database.migrate();
    return database;
  } catch (error) {
    await database?.close();
    throw toUnusableError(store, error);
  }
}

/** Of a database that cannot be used, where it is looked for, and why. Its URL has a password. */
function toUnusableError({ databaseUrl, dataDir }: StoreConfig, cause: unknown): CommandError {
  const where = databaseUrl === undefined ? `in DATA_DIR (${dataDir})` : "at DATABASE_URL";
  const { message, code } = cause as { message?: string; code?: string };
  return new CommandError(`The database ${where} cannot be used: ${message || code}`, { cause });
}

function loadCommandConfig(environment: EnvironmentRecord) {
  try {
    return loadConfig(environment);
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error;
  }
}

/** Options by the fields that they set, where their names differ. */
const OPTIONS: Readonly<Record<string, string>> = {
  expiresAt: "expires",
  onDisconnect: "on-disconnect",
  graceMs: "grace",
};

/** Checks what a command was given. @throws CommandError that names the first option at fault. */
export function parseOptions<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = String(issue?.path[0] ?? "");
  throw new CommandError(`--${OPTIONS[field] ?? field} ${issue?.message ?? "is not valid"}`);
}

/** Prints a result: JSON for programs, or a table for people, which says of which `noun` there are no rows. */
export function printResult(
  result: unknown,
  rows: readonly Readonly<Record<string, unknown>>[],
  json: boolean,
  noun: string,
): void {
  process.stdout.write(
    json ? escapeUnprintableJson(`${JSON.stringify(result, null, 2)}\n`) : formatTable(rows, noun),
  );
}
