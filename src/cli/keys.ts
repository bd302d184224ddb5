import type { Command } from "commander";
import { toWireAuditEntry, toWireKey } from "../admin/wire.ts";
import type { GatewayKey, IssuedKey } from "../keys/gateway-key.ts";
import { keyChangesSchema, newKeySchema, rotationSchema } from "../keys/key-input.ts";
import { expiryOf, metadataOf, modelsOf, spanOf } from "./options.ts";
import { checked, print, type Session } from "./session.ts";

/** Runs what a command does with the database that is configured. */
export type Run = (command: (session: Session) => Promise<void>) => Promise<void>;

interface KeyOptions {
  readonly json: boolean;
  readonly name?: string;
  readonly role?: string;
  readonly owner?: string;
  readonly metadata?: Record<string, string>;
  readonly models?: string[] | null;
  readonly expires?: number | null;
  readonly onDisconnect?: string;
  readonly disable?: boolean;
  readonly enable?: boolean;
}

function settings(command: Command): Command {
  return command
    .option("--owner <text>", "whom it belongs to")
    .option("--metadata <name=value>", "may be given several times", metadataOf)
    .option("--models <globs>", "such as google/*,*:free, or any", modelsOf)
    .option("--expires <when>", "such as 30d, 2026-12-31, or never", expiryOf)
    .option("--on-disconnect <policy>", "cancel, or drain to read on for the bill")
    .option("--json", "print JSON", false);
}

/** Adds `keys create|list|show|update|rotate|revoke|audit`. */
export function keysCommands(program: Command, run: Run): void {
  const keys = program.command("keys").description("create, list, show, update, rotate and revoke keys");
  settings(keys.command("create").requiredOption("--name <name>", "name of the key"))
    .option("--role <role>", "caller or admin", "caller")
    .action((options: KeyOptions) =>
      run(async (session) => {
        const input = checked(newKeySchema, { ...fieldsOf(options), role: options.role });
        printIssued(await session.keys.create(input, session.by), options.json);
      }),
    );
  settings(keys.command("update <key>").option("--name <name>", "a new name"))
    .option("--disable", "refuse it from now on")
    .option("--enable", "take it again")
    .action((key: string, options: KeyOptions) =>
      run(async (session) => {
        const changes = checked(keyChangesSchema, fieldsOf(options));
        printKeys([await session.keys.update(key, changes, session.by)], options.json);
      }),
    );
  readCommands(keys, run);
  endCommands(keys, run);
}

function readCommands(keys: Command, run: Run): void {
  keys
    .command("list")
    .option("--owner <text>", "only of this owner")
    .option("--all", "with those that are revoked", false)
    .option("--json", "print JSON", false)
    .action(({ owner, all, json }: { owner?: string; all: boolean; json: boolean }) =>
      run(async (session) => {
        const filter = { owner, includeRevoked: all, limit: 500 };
        const found: GatewayKey[] = [];
        let page = await session.keys.list(filter);
        for (; page.length > 0; page = await session.keys.list({ ...filter, after: page.at(-1)?.id }))
          found.push(...page);
        printKeys(found, json);
      }),
    );
  keys
    .command("show <key>")
    .option("--json", "print JSON", false)
    .action((key: string, { json }: { json: boolean }) =>
      run(async (session) => printKeys([await session.keys.show(key)], json)),
    );
  keys
    .command("audit")
    .description("who changed which key, newest first")
    .option("--key <id>", "only of this key")
    .option("--json", "print JSON", false)
    .action(({ key: keyId, json }: { key?: string; json: boolean }) =>
      run(async (session) => {
        const entries = (await session.keys.audit({ keyId, limit: 500 })).map(toWireAuditEntry);
        print(entries, entries, json);
      }),
    );
}

function endCommands(keys: Command, run: Run): void {
  keys
    .command("rotate <key>")
    .description("give it a new secret")
    .option("--grace <span>", "how long the old one is good", spanOf)
    .option("--json", "print JSON", false)
    .action((key: string, { grace, json }: { grace?: number; json: boolean }) =>
      run(async (session) => {
        const rotation = checked(rotationSchema, grace === undefined ? {} : { graceMs: grace });
        printIssued(await session.keys.rotate(key, rotation, session.by), json);
      }),
    );
  keys
    .command("revoke <key>")
    .description("end it, for good")
    .option("--json", "print JSON", false)
    .action((key: string, { json }: { json: boolean }) =>
      run(async (session) => printKeys([await session.keys.revoke(key, session.by)], json)),
    );
}

function fieldsOf({ name, owner, metadata, models, ...rest }: KeyOptions): Record<string, unknown> {
  const { expires, onDisconnect, disable, enable } = rest;
  const fields = { name, owner, metadata, models, expiresAt: expires, onDisconnect };
  const disabled = disable ? true : enable ? false : undefined;
  return Object.fromEntries(
    Object.entries({ ...fields, disabled }).filter(([, value]) => value !== undefined),
  );
}

function printKeys(keys: readonly GatewayKey[], json: boolean): void {
  const wire = keys.map(toWireKey);
  const rows = wire.map(
    ({ id, name, role, owner, prefix, models, expires_at, last_used_at, disabled, revoked_at }) => {
      const state = revoked_at !== null ? "revoked" : disabled ? "disabled" : "good";
      return { id, name, role, owner, prefix, models: models ?? "any", expires_at, last_used_at, state };
    },
  );
  print(wire.length === 1 ? wire[0] : wire, rows, json);
}

function printIssued({ key, secret }: IssuedKey, json: boolean): void {
  if (json) print({ ...toWireKey(key), secret }, [], true);
  else process.stdout.write(`${key.name} (${key.id}): the secret is shown this once.\n\n  ${secret}\n\n`);
}
