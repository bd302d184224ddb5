import { hostname, userInfo } from "node:os";
import type { z } from "zod";
import { ConfigError, loadConfig } from "../config.ts";
import type { Actor } from "../keys/gateway-key.ts";
import { KeyService } from "../keys/key-service.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { tableOf } from "./table.ts";

/** What a command works with. */
export interface Session {
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
export async function withDatabase<T>(
  environment: Readonly<Record<string, string | undefined>>,
  run: (session: Session) => Promise<T>,
): Promise<T> {
  const { store } = configOf(environment);
  if (!store)
    throw new CommandError(
      "This configuration keeps no keys; set DATA_DIR or DATABASE_URL as for the gateway.",
    );
  const database = openDatabase(store, () => {});
  try {
    await database.migrate();
    const by = { actor: "cli", source: `${userInfo().username}@${hostname()}` };
    return await run({ database, keys: new KeyService(database), by });
  } finally {
    await database.close();
  }
}

function configOf(environment: Readonly<Record<string, string | undefined>>) {
  try {
    // The account's key says that there is an account; the command line has no other use for it.
    return loadConfig({ ...environment, OPENROUTER_API_KEY: environment["OPENROUTER_API_KEY"] || "unused" });
  } catch (error) {
    throw error instanceof ConfigError ? new CommandError(error.message) : error;
  }
}

/** Checks what a command was given. @throws CommandError that names the first fault. */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new CommandError(`${issue?.path.join(".") ?? ""} ${issue?.message ?? "is not valid"}`.trim());
}

/** Prints a result: JSON for programs, or a table for people. */
export function print(
  result: unknown,
  rows: readonly Readonly<Record<string, unknown>>[],
  json: boolean,
): void {
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : tableOf(rows));
}
