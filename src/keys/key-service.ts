import { ANONYMOUS } from "../auth/caller-key.ts";
import { GatewayError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import {
  type AuditFilter,
  formatAuditIdPrefix,
  runKeyChange,
  hasKeys,
  insertAudit,
  insertKey,
  type KeyChange,
  findKeyByIdOrName,
  type KeyFilter,
  type KeyRow,
  listAudit,
  listKeys,
  updateKey,
} from "./key-rows.ts";
import {
  type Actor,
  type AuditEntry,
  diffKeys,
  type IssuedKey,
  type ManagedKey,
  toKeyColumns,
  toManagedKey,
} from "./managed-key.ts";
import { type KeyChanges, type NewKey, newKeySchema, type Rotation } from "./key-input.ts";
import { createSecret, digestSecret, getSecretPrefix, randomDigits } from "../key-secret.ts";

const ID_DIGITS = 16;

/** The operations on keys, for both the command line and the admin API. Every change is recorded in the audit table. */
export class KeyService {
  readonly #database: Database;
  readonly #now: () => number;

  /** @param now ms since 1970. */
  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database;
    this.#now = now;
  }

  /** Creates a key. @throws GatewayError key_name_taken, or invalid_value for an expiry in the past. */
  async create(input: NewKey, by: Actor): Promise<IssuedKey> {
    return runKeyChange(this.#database, (change) => this.#create(change, input, by));
  }

  async list(filter: KeyFilter): Promise<ManagedKey[]> {
    return (await listKeys(this.#database, filter)).map(toManagedKey);
  }

  /** Returns a key by its id or name. @throws GatewayError key_not_found. */
  async get(idOrName: string): Promise<ManagedKey> {
    return toManagedKey(await this.#find(idOrName));
  }

  /**
   * Resolves a key to the id under which the ledger records its requests.
   * @param idOrName id or name of a key. `env:name` (a key of the environment) and `anonymous` are returned unchanged: they
   * are ids without a row in the table of keys.
   * @returns undefined if no key was given.
   * @throws GatewayError key_not_found.
   */
  async resolveId(idOrName: string | undefined): Promise<string | undefined> {
    if (idOrName === undefined || idOrName.startsWith("env:") || idOrName === ANONYMOUS) return idOrName;
    return (await this.get(idOrName)).id;
  }

  /** Changes a key. @throws GatewayError key_not_found, key_name_taken, or invalid_value for a revoked key. */
  async update(idOrName: string, changes: KeyChanges, by: Actor): Promise<ManagedKey> {
    return runKeyChange(this.#database, async (change) => {
      const before = await this.#findLive(change, idOrName);
      if (changes.name !== undefined && changes.name !== before.name)
        await this.#refuseTaken(change, changes.name);
      this.#refusePast(changes.expiresAt);
      const after = await updateKey(change, before.id, toKeyColumns(changes));
      const details = diffKeys(before, after);
      if (Object.keys(details).length > 0)
        await this.#audit(change, by, { action: "update", keyId: before.id, details });
      return toManagedKey(after);
    });
  }

  /** Replaces the secret of a key; the old secret stays valid for `graceMs`. @throws the errors of `update`. */
  async rotate(idOrName: string, { graceMs }: Rotation, by: Actor): Promise<IssuedKey> {
    return runKeyChange(this.#database, async (change) => {
      const before = await this.#findLive(change, idOrName);
      const secret = createSecret();
      const until = graceMs === 0 ? null : this.#now() + graceMs;
      const after = await updateKey(change, before.id, {
        prefix: getSecretPrefix(secret),
        digest: digestSecret(secret).toString("hex"),
        previous_digest: until === null ? null : before.digest,
        previous_until: until,
      });
      await this.#audit(change, by, {
        action: "rotate",
        keyId: before.id,
        details: diffKeys(before, after),
      });
      return { key: toManagedKey(after), secret };
    });
  }

  /**
   * Revokes a key permanently. Its row stays, because the ledger refers to it. Revoking a revoked key changes nothing.
   * @throws GatewayError key_not_found.
   */
  async revoke(idOrName: string, by: Actor): Promise<ManagedKey> {
    return runKeyChange(this.#database, async (change) => {
      const before = await this.#find(idOrName, change);
      if (before.revoked_at !== null) return toManagedKey(before);
      const after = await updateKey(change, before.id, { revoked_at: this.#now(), previous_digest: null });
      await this.#audit(change, by, { action: "revoke", keyId: before.id, details: {} });
      return toManagedKey(after);
    });
  }

  /** Lists changes of keys, newest first. */
  async listAudit(filter: AuditFilter): Promise<AuditEntry[]> {
    return (await listAudit(this.#database, filter)).map(({ key_id, details, ...entry }) => ({
      ...entry,
      keyId: key_id,
      details: JSON.parse(details) as Record<string, unknown>,
    }));
  }

  /**
   * Creates an admin key and a caller key if no key has ever existed. If several replicas start at the same time, only one
   * creates them.
   * @returns undefined if any key exists.
   */
  async createFirstKeys(by: Actor): Promise<{ admin: IssuedKey; caller: IssuedKey } | undefined> {
    return runKeyChange(this.#database, async (change) => {
      if (await hasKeys(change)) return undefined;
      const make = (name: string, role: string): Promise<IssuedKey> =>
        this.#create(change, newKeySchema.parse({ name, role }), by);
      return { admin: await make("first-admin", "admin"), caller: await make("first-caller", "caller") };
    });
  }

  async #create(change: KeyChange, input: NewKey, by: Actor): Promise<IssuedKey> {
    await this.#refuseTaken(change, input.name);
    this.#refusePast(input.expiresAt);
    const secret = createSecret();
    const row = await insertKey(change, {
      id: `key_${randomDigits(ID_DIGITS)}`,
      prefix: getSecretPrefix(secret),
      digest: digestSecret(secret).toString("hex"),
      previous_digest: null,
      previous_until: null,
      created_at: this.#now(),
      last_used_at: null,
      revoked_at: null,
      group_id: null,
      limits: "{}",
      limits_changed_at: 0,
      end_users: null,
      unbounded_reservation_nanodollars: null,
      blocked_until: 0,
      ...toKeyColumns(input),
    });
    await this.#audit(change, by, { action: "create", keyId: row.id, details: { ...input } });
    return { key: toManagedKey(row), secret };
  }

  async #audit(
    change: KeyChange,
    by: Actor,
    entry: Pick<AuditEntry, "action" | "keyId" | "details">,
  ): Promise<void> {
    const { action, keyId: key_id, details } = entry;
    await insertAudit(change, {
      id: `${formatAuditIdPrefix(change.revision)}-${randomDigits(4)}`,
      at: this.#now(),
      action,
      key_id,
      details: JSON.stringify(details),
      ...by,
    });
  }

  async #find(idOrName: string, change?: KeyChange): Promise<KeyRow> {
    const row = await findKeyByIdOrName(change?.transaction ?? this.#database.kysely, idOrName);
    if (!row) throw new GatewayError("key_not_found", { param: "key" });
    return row;
  }

  async #findLive(change: KeyChange, idOrName: string): Promise<KeyRow> {
    const row = await this.#find(idOrName, change);
    if (row.revoked_at !== null)
      throw new GatewayError("invalid_value", "The key is revoked permanently; create a new one.", {
        param: "key",
      });
    return row;
  }

  async #refuseTaken({ transaction }: KeyChange, name: string): Promise<void> {
    if (!(await findKeyByIdOrName(transaction, name))) return;
    throw new GatewayError("key_name_taken", { param: "name" });
  }

  #refusePast(expiresAt: number | null | undefined): void {
    if (typeof expiresAt === "number" && expiresAt <= this.#now())
      throw new GatewayError("invalid_value", "The expiry is in the past; use a time in the future.", {
        param: "expires_at",
      });
  }
}
