import { type Command, Option } from "commander";
import type { ManagedKey, IssuedKey } from "../keys/managed-key.ts";
import { keyChangesSchema, newKeySchema, rotationSchema } from "../keys/key-input.ts";
import { toAuditEntryJson, toIssuedKeyJson, toKeyJson } from "../presentation/key-json.ts";
import { readKeyBudgets } from "../metering/sql/budget-status.ts";
import { formatLimits, printWithBudgets } from "./budget-table.ts";
import {
  addEndUserOptions,
  addLimitOptions,
  type EndUserOptions,
  type LimitOptions,
  toEndUserInput,
  toLimitInput,
} from "./limit-options.ts";
import {
  collectAliases,
  collectMetadata,
  parseDuration,
  parseExpiry,
  parseModels,
  parseUsd,
  type Removed,
  toSetting,
} from "./options.ts";
import { PAGE_ROWS, readAllPages } from "./pages.ts";
import { parseOptions, printResult, type CommandSession } from "./session.ts";

/** Runs a command with the configured database. */
export type RunCommand = (command: (session: CommandSession) => Promise<void>) => Promise<void>;

interface KeyOptions extends LimitOptions, EndUserOptions {
  readonly json: boolean;
  readonly name?: string;
  readonly role?: string;
  readonly owner?: string | Removed;
  readonly metadata?: Record<string, string> | Removed;
  readonly models?: string[] | Removed;
  readonly alias?: Record<string, string> | Removed;
  readonly expires?: number | Removed;
  readonly onDisconnect?: string;
  readonly disable?: boolean;
  readonly enable?: boolean;
  readonly group?: string | Removed;
  readonly unboundedReservation?: string | Removed;
  readonly unblock?: boolean;
}

function addSettingOptions(command: Command): Command {
  return addEndUserOptions(addLimitOptions(command))
    .option("--group <group>", "id or name of the group that the key belongs to")
    .option(
      "--unbounded-reservation <usd>",
      "amount that hard budgets reserve for a request whose cost has no bound, or none: such requests are refused",
      parseUsd,
    )
    .option("--owner <text>", "owner of the key")
    .option("--metadata <name=value>", "repeatable; replaces all existing metadata", collectMetadata)
    .option("--models <globs>", "allowed models, such as google/*,*:free, or any", parseModels)
    .option(
      "--alias <name=model>",
      "repeatable; name for a model, such as fast=google/gemini-3-flash-preview; replaces all existing aliases",
      collectAliases,
    )
    .option("--expires <when>", "expiry, such as 30d, 2026-12-31, or never", parseExpiry)
    .option(
      "--on-disconnect <policy>",
      "cancel: abort the request when its client disconnects; drain: read the rest of the response for its cost",
    )
    .option("--json", "print JSON", false);
}

/** Adds `keys create|list|show|update|rotate|revoke|audit`. */
export function addKeysCommands(program: Command, run: RunCommand): void {
  const keys = program.command("keys").description("create, list, show, update, rotate and revoke keys");
  addSettingOptions(keys.command("create").requiredOption("--name <name>", "name of the key"))
    .option("--role <role>", "caller or admin", "caller")
    .action((options: KeyOptions) =>
      run(async (session) => {
        const input = parseOptions(newKeySchema, { ...toFields(options), role: options.role });
        printIssued(await session.keys.create(input, session.by), options.json);
      }),
    );
  addSettingOptions(keys.command("update <key>").option("--name <name>", "a new name"))
    .option("--no-owner", "remove the owner")
    .option("--no-metadata", "remove all metadata")
    .option("--no-alias", "remove all aliases")
    .option("--no-group", "remove the key from its group")
    .option("--no-budget", "remove all budgets of the key")
    .option("--no-end-users", "remove the settings for end users")
    .option("--no-end-user-budget", "remove all budgets of end users")
    .option("--unblock", "accept requests again after one has cost more than was reserved for it")
    .addOption(new Option("--disable", "reject requests with this key").conflicts("enable"))
    .option("--enable", "accept requests with this key again")
    .action((key: string, options: KeyOptions) =>
      run(async (session) => {
        const changes = parseOptions(keyChangesSchema, toFields(options));
        printKey(await session.keys.update(key, changes, session.by), options.json);
      }),
    );
  addReadCommands(keys, run);
  addEndCommands(keys, run);
}

interface ListOptions {
  readonly owner?: string;
  readonly group?: string;
  readonly all: boolean;
  readonly json: boolean;
}

function addReadCommands(keys: Command, run: RunCommand): void {
  keys
    .command("list")
    .option("--owner <text>", "only keys of this owner")
    .option("--group <group>", "only keys of this group (id or name)")
    .option("--all", "include revoked keys", false)
    .option("--json", "print JSON", false)
    .action(({ owner, group, all, json }: ListOptions) =>
      run(async (session) => {
        const groupId = group === undefined ? undefined : (await session.keys.groups.get(group)).id;
        const filter = { owner, groupId, includeRevoked: all, limit: PAGE_ROWS };
        const found = await readAllPages((after) => session.keys.list({ ...filter, after }));
        printResult(
          found.map(toKeyJson),
          found.map(toTableRow),
          json,
          owner === undefined ? "keys" : "keys of this owner",
        );
      }),
    );
  keys
    .command("show <key>")
    .description("show a key and the current periods of its budgets")
    .option("--json", "print JSON", false)
    .action((name: string, { json }: { json: boolean }) =>
      run(async ({ keys: service, database }) => {
        const key = await service.get(name);
        const budgets = await readKeyBudgets(database, key, Date.now());
        printWithBudgets(toKeyJson(key), toTableRow(key), budgets, { asJson: json, noun: "keys" });
      }),
    );
  keys
    .command("audit")
    .description("list changes of keys, newest first")
    .option("--key <key>", "only changes of this key (name, or id if the key is revoked)")
    .option("--json", "print JSON", false)
    .action(({ key, json }: { key?: string; json: boolean }) =>
      run(async (session) => {
        const keyId = await session.keys.resolveId(key);
        const found = await readAllPages((before) =>
          session.keys.listAudit({ keyId, limit: PAGE_ROWS, before }),
        );
        const entries = found.map(toAuditEntryJson);
        printResult(entries, entries, json, "changes of keys");
      }),
    );
}

function addEndCommands(keys: Command, run: RunCommand): void {
  keys
    .command("rotate <key>")
    .description("replace the secret of a key")
    .option(
      "--grace <duration>",
      "how long the old secret stays valid, such as 24h; 0 invalidates it now",
      parseDuration,
    )
    .option("--json", "print JSON", false)
    .action((key: string, { grace, json }: { grace?: number; json: boolean }) =>
      run(async (session) => {
        const rotation = parseOptions(rotationSchema, grace === undefined ? {} : { graceMs: grace });
        printIssued(await session.keys.rotate(key, rotation, session.by), json);
      }),
    );
  keys
    .command("revoke <key>")
    .description("revoke a key permanently")
    .option("--json", "print JSON", false)
    .action((key: string, { json }: { json: boolean }) =>
      run(async (session) => printKey(await session.keys.revoke(key, session.by), json)),
    );
}

function toFields(options: KeyOptions): Record<string, unknown> {
  const { name, metadata, alias, onDisconnect, disable, enable, unblock } = options;
  const fields = {
    name,
    owner: toSetting(options.owner),
    metadata: metadata === false ? {} : metadata,
    models: toSetting(options.models),
    aliases: alias === false ? {} : alias,
    expiresAt: toSetting(options.expires),
    onDisconnect,
    disabled: disable ? true : enable ? false : undefined,
    group: toSetting(options.group),
    limits: toLimitInput(options),
    endUsers: toEndUserInput(options),
    unboundedReservationNanodollars: toSetting(options.unboundedReservation),
    unblock,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function printKey(key: ManagedKey, json: boolean): void {
  printResult(toKeyJson(key), [toTableRow(key)], json, "keys");
}

/** Converts a key to a row of a table. */
function toTableRow(key: ManagedKey): Record<string, unknown> {
  const { id, name, role, owner, prefix, models, group, expires_at, last_used_at } = toKeyJson(key);
  const limits = formatLimits(key.limits);
  const state = describeState(key);
  return {
    id,
    name,
    role,
    owner,
    prefix,
    models: models ?? "any",
    group,
    limits,
    expires_at,
    last_used_at,
    state,
  };
}

function describeState({ revokedAt, disabled, expiresAt, blockedUntil }: ManagedKey): string {
  if (revokedAt !== null) return "revoked";
  if (disabled) return "disabled";
  if (expiresAt !== null && expiresAt <= Date.now()) return "expired";
  return blockedUntil > Date.now() ? "blocked" : "active";
}

function printIssued(issued: IssuedKey, json: boolean): void {
  const { key, secret } = issued;
  if (json) printResult(toIssuedKeyJson(issued), [], true, "keys");
  else process.stdout.write(`${key.name} (${key.id}): the secret is shown only once.\n\n  ${secret}\n\n`);
}
