import { ANONYMOUS } from "../auth/caller-key.ts";
import { GatewayError } from "../errors.ts";
import { type AuditFilter, insertAudit, listAudit } from "./audit-rows.ts";
import type { Database } from "../store/database.ts";
import { type KeyPageFilter, type ListPage, readKeyPage } from "./key-pages.ts";
import {
  runKeyChange,
  hasKeys,
  insertKey,
  type KeyChange,
  findKeyByIdOrName,
  type KeyFilter,
  type KeyRow,
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
import { findGroup, GroupService } from "./group-service.ts";
import {
  changeEndUsers,
  changeLimits,
  findChangeTime,
  formatLimits,
  parseEndUsers,
  parseLimits,
} from "./limit-columns.ts";

const ID_DIGITS = 16;
/** The end of the year 9999: the last time that ISO 8601 writes with four digits for the year. */
const BLOCKED_MAX_MS = 253_402_300_799_999;

/** Whether a key is in the table of keys: neither a key of the environment nor an anonymous client. */
function isStored(idOrName: string): boolean {
  return !idOrName.startsWith("env:") && idOrName !== ANONYMOUS;
}

/** The operations on keys, for both the command line and the admin API. Every change is recorded in the audit table. */
export class KeyService {
  readonly groups: GroupService;
  readonly #database: Database;
  readonly #now: () => number;

  /** @param now ms since 1970. */
  constructor(database: Database, now: () => number = Date.now) {
    this.groups = new GroupService(database, now);
    this.#database = database;
    this.#now = now;
  }

  /** Creates a key. @throws GatewayError key_name_taken, group_not_found, or invalid_value for an expiry in the past. */
  async create(input: NewKey, by: Actor): Promise<IssuedKey> {
    return runKeyChange(this.#database, (change) => this.#create(change, input, by));
  }

  async list(filter: KeyFilter): Promise<ManagedKey[]> {
    return (await listKeys(this.#database, filter)).map(toManagedKey);
  }

  /** Lists a page of keys in the order of their ids. */
  async listPage(filter: KeyPageFilter): Promise<ListPage<ManagedKey>> {
    return readKeyPage(this.#database, filter);
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
    if (idOrName === undefined || !isStored(idOrName)) return idOrName;
    return (await this.get(idOrName)).id;
  }

  /**
   * Returns the models that a key may use, as globs; null allows every model.
   * @param idOrName as for {@link resolveId}. Keys of the environment and anonymous clients may use every model.
   * @throws GatewayError key_not_found.
   */
  async getAllowedModels(idOrName: string): Promise<readonly string[] | null> {
    return isStored(idOrName) ? (await this.get(idOrName)).models : null;
  }

  /**
   * Changes a key.
   * @throws GatewayError key_not_found, key_name_taken, group_not_found, or invalid_value for a revoked key.
   */
  async update(idOrName: string, changes: KeyChanges, by: Actor): Promise<ManagedKey> {
    return runKeyChange(this.#database, async (change) => {
      const before = await this.#findLive(change, idOrName);
      if (changes.name !== undefined && changes.name !== before.name)
        await this.#refuseTaken(change, changes.name);
      this.#refusePast(changes.expiresAt);
      const after = await updateKey(change, before.id, {
        ...toKeyColumns(changes),
        ...this.#changeLimits(before, changes),
        group_id: await this.#resolveGroup(change, changes.group),
        blocked_until: changes.unblock ? 0 : undefined,
      });
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

  /**
   * Refuses a key until a time, because a request cost more than was reserved for it. An existing later time is kept.
   * @param untilMs ms since 1970; Infinity: until the operator unblocks the key.
   * @throws GatewayError key_not_found.
   */
  async block(keyId: string, untilMs: number, by: Actor): Promise<ManagedKey> {
    return runKeyChange(this.#database, async (change) => {
      const before = await this.#find(keyId, change);
      const blocked_until = Math.max(before.blocked_until, Math.min(untilMs, BLOCKED_MAX_MS));
      if (blocked_until === before.blocked_until) return toManagedKey(before);
      const after = await updateKey(change, before.id, { blocked_until });
      await this.#audit(change, by, {
        action: "block",
        keyId: before.id,
        details: diffKeys(before, after),
      });
      return toManagedKey(after);
    });
  }

  /** Lists changes of keys and groups, newest first. */
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
      blocked_until: 0,
      ...this.#changeLimits({ limits: "{}", limits_changed_at: 0, end_users: null }, input),
      group_id: (await this.#resolveGroup(change, input.group)) ?? null,
      ...toKeyColumns(input),
    });
    const key = toManagedKey(row);
    const { limits, endUsers, group } = key;
    await this.#audit(change, by, {
      action: "create",
      keyId: row.id,
      details: { ...input, group: group?.id ?? null, limits, endUsers },
    });
    return { key, secret };
  }

  async #audit(
    change: KeyChange,
    by: Actor,
    entry: Pick<AuditEntry, "action" | "keyId" | "details">,
  ): Promise<void> {
    await insertAudit(change, { at: this.#now(), by, ...entry });
  }

  /** Returns the columns of limits after changes of a key. */
  #changeLimits(
    before: Pick<KeyRow, "limits" | "limits_changed_at" | "end_users">,
    { limits: limitChanges, endUsers: endUserChanges }: Pick<KeyChanges, "limits" | "endUsers">,
  ): Pick<KeyRow, "limits" | "limits_changed_at" | "end_users"> {
    const limits = formatLimits(changeLimits(parseLimits(before.limits), limitChanges));
    const endUsers = changeEndUsers(parseEndUsers(before.end_users), endUserChanges);
    const end_users = endUsers && JSON.stringify(endUsers);
    const isSame = limits === before.limits && end_users === before.end_users;
    const changedAt = before.limits_changed_at;
    const limits_changed_at = isSame ? changedAt : findChangeTime(changedAt, this.#now());
    return { limits, end_users, limits_changed_at };
  }

  /** Returns the id of a group; undefined or null if that is given. @throws GatewayError group_not_found. */
  async #resolveGroup(
    { transaction }: KeyChange,
    idOrName: string | null | undefined,
  ): Promise<string | null | undefined> {
    return typeof idOrName === "string" ? (await findGroup(transaction, idOrName)).id : idOrName;
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
