import { existsSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import process from "node:process";
import type { z } from "zod";
import { type Config, ConfigError, loadConfig, type StoreConfig } from "../config/config.ts";
import { type EnvironmentRecord, unquoteValue } from "../config/sources.ts";
import type { Actor } from "../keys/managed-key.ts";
import { KeyService } from "../keys/key-service.ts";
import { describeIssue } from "../presentation/schema-issue.ts";
import { formatTable } from "../presentation/table.ts";
import { escapeUnprintableJson } from "../printable.ts";
import { type Database, openDatabase, getSqlitePath } from "../store/database.ts";
import { isUnavailable } from "../store/database-errors.ts";

/** The configuration, the database, the key service and the author of changes, for one command. */
export interface CommandSession {
  /** Without the account's key, if the environment does not have it. */
  readonly config: Config;
  readonly database: Database;
  readonly keys: KeyService;
  readonly by: Actor;
}

/** A mistake in a command or its configuration, which is printed without a stack trace. */
export class CommandError extends Error {}

/**
 * Opens the database of the gateway that the environment configures, runs a command, and closes the database.
 * @throws CommandError if the configuration has no database or the database is unavailable; any error of the command.
 */
export async function runWithDatabase<T>(
  environment: EnvironmentRecord,
  run: (session: CommandSession) => Promise<T>,
): Promise<T> {
  const ownsAccount = hasAccount(environment);
  // loadConfig() requires OPENROUTER_API_KEY for a store, but most commands do not use the key itself.
  const loaded = loadCommandConfig(
    ownsAccount ? environment : { ...environment, OPENROUTER_API_KEY: "unused" },
  );
  const config = ownsAccount ? loaded : { ...loaded, openrouterApiKey: undefined };
  const { store } = config;
  if (!store)
    throw new CommandError(
      "This configuration has no database; set DATA_DIR or DATABASE_URL to the same value as for the gateway.",
    );
  const isNew = store.databaseUrl === undefined && !existsSync(getSqlitePath(store.dataDir));
  const database = await openStore(store);
  process.stderr.write(`database: ${describeLocation(store)}${isNew ? " (created)" : ""}\n`);
  if (!ownsAccount)
    process.stderr.write(
      "warning: OPENROUTER_API_KEY is not set. A gateway with this configuration forwards the OpenRouter keys of its clients and does not use this database.\n",
    );
  try {
    const by = { actor: "cli", source: `${readUserName()}@${hostname()}` };
    return await run({ config, database, keys: new KeyService(database), by });
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

/** Returns the location of the database, without the user name and password of its URL. */
function describeLocation({ databaseUrl, dataDir }: StoreConfig): string {
  if (databaseUrl === undefined) return resolve(getSqlitePath(dataDir));
  const { host, pathname } = new URL(databaseUrl);
  return `postgres://${host}${pathname}`;
}

/** Returns the name of the user, or the uid if /etc/passwd has no entry, as in the container image and on OpenShift. */
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

/** Converts an error of the database to a message without the URL of the database, which contains a password. */
function toUnusableError({ databaseUrl, dataDir }: StoreConfig, cause: unknown): CommandError {
  const where = databaseUrl === undefined ? `in DATA_DIR (${dataDir})` : "at DATABASE_URL";
  const { message, code } = cause as { message?: string; code?: string };
  return new CommandError(`The database ${where} is unavailable: ${message || code}`, { cause });
}

function loadCommandConfig(environment: EnvironmentRecord) {
  try {
    return loadConfig(environment);
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error;
  }
}

/** Names of options that differ from the fields that they set, by the path of the field. */
const OPTIONS: Readonly<Record<string, string>> = {
  aliases: "alias",
  expiresAt: "expires",
  onDisconnect: "on-disconnect",
  graceMs: "grace",
  unboundedReservationNanodollars: "unbounded-reservation",
  endUsers: "end-users",
  "endUsers.budgets": "end-user-budget",
  "limits.budgets": "budget",
  "limits.requests_per_minute": "requests-per-minute",
  "limits.requests_per_day": "requests-per-day",
  "limits.tokens_per_minute": "tokens-per-minute",
  "limits.max_in_flight": "max-in-flight",
};

/** Validates the options of a command. @throws CommandError that names the first invalid option. */
export function parseOptions<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const [field = "", member] = (issue?.path ?? []).map(String);
  const option = OPTIONS[`${field}.${member}`] ?? OPTIONS[field] ?? field;
  throw new CommandError(`--${option} ${issue?.message ?? "is not valid"}`);
}

/** Prints a result as JSON or as a table. @param noun names the rows in the text for an empty table. */
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
