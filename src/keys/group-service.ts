import { GatewayError } from "../errors.ts";
import { randomDigits } from "../key-secret.ts";
import { NO_LIMITS } from "../limits/limit-settings.ts";
import type { Database } from "../store/database.ts";
import type { GroupChanges, NewGroup } from "./group-input.ts";
import {
  deleteGroup,
  findGroupByIdOrName,
  type GroupFilter,
  hasKeysInGroup,
  insertGroup,
  listGroups,
  updateGroup,
} from "./group-rows.ts";
import { type GroupRow, type ManagedGroup, toManagedGroup } from "./key-group.ts";
import { type ListPage, toListPage } from "./key-pages.ts";
import { insertAudit } from "./audit-rows.ts";
import { type KeyChange, runKeyChange } from "./key-rows.ts";
import { changeLimits, findChangeTime, formatLimits } from "./limit-columns.ts";
import { type Actor, diffFields } from "./managed-key.ts";

const ID_DIGITS = 16;

/** The operations on groups of keys, for both the command line and the admin API. Every change is audited. */
export class GroupService {
  readonly #database: Database;
  readonly #now: () => number;

  /** @param now ms since 1970. */
  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database;
    this.#now = now;
  }

  /** Creates a group. @throws GatewayError group_name_taken. */
  async create({ name, limits }: NewGroup, by: Actor): Promise<ManagedGroup> {
    return runKeyChange(this.#database, async (change) => {
      await this.#refuseTaken(change, name);
      const now = this.#now();
      const row = {
        id: `grp_${randomDigits(ID_DIGITS)}`,
        name,
        limits: formatLimits(changeLimits(NO_LIMITS, limits)),
        limits_changed_at: now,
        created_at: now,
      };
      await insertGroup(change, row);
      const group = toManagedGroup(row);
      await this.#audit(change, by, { action: "create_group", group, details: { limits: group.limits } });
      return group;
    });
  }

  async list(filter: GroupFilter): Promise<ManagedGroup[]> {
    return (await listGroups(this.#database.reader, filter)).map(toManagedGroup);
  }

  /** Lists a page of groups in the order of their ids. */
  async listPage({ limit, ...filter }: GroupFilter): Promise<ListPage<ManagedGroup>> {
    return toListPage(await this.list({ ...filter, limit: limit + 1 }), limit);
  }

  /** Returns a group by its id or name. @throws GatewayError group_not_found. */
  async get(idOrName: string): Promise<ManagedGroup> {
    return toManagedGroup(await findGroup(this.#database.kysely, idOrName));
  }

  /** Changes a group, which also concerns its keys. @throws GatewayError group_not_found, group_name_taken. */
  async update(idOrName: string, changes: GroupChanges, by: Actor): Promise<ManagedGroup> {
    return runKeyChange(this.#database, async (change) => {
      const before = await findGroup(change.transaction, idOrName);
      const { name = before.name } = changes;
      if (name !== before.name) await this.#refuseTaken(change, name);
      const limits = formatLimits(changeLimits(toManagedGroup(before).limits, changes.limits));
      const limits_changed_at =
        limits === before.limits
          ? before.limits_changed_at
          : findChangeTime(before.limits_changed_at, this.#now());
      await updateGroup(change, before.id, { name, limits, limits_changed_at });
      const group = toManagedGroup({ ...before, name, limits, limits_changed_at });
      const details = diffGroups(toManagedGroup(before), group);
      if (Object.keys(details).length > 0)
        await this.#audit(change, by, { action: "update_group", group, details });
      return group;
    });
  }

  /** Deletes a group. @throws GatewayError group_not_found, or group_not_empty while keys belong to the group. */
  async delete(idOrName: string, by: Actor): Promise<ManagedGroup> {
    return runKeyChange(this.#database, async (change) => {
      const group = toManagedGroup(await findGroup(change.transaction, idOrName));
      if (await hasKeysInGroup(change, group.id))
        throw new GatewayError("group_not_empty", { param: "group" });
      await deleteGroup(change, group.id);
      await this.#audit(change, by, { action: "delete_group", group, details: {} });
      return group;
    });
  }

  /** Records a change. No column of the audit table has the group, so the details name it. */
  async #audit(
    change: KeyChange,
    by: Actor,
    { action, group, details }: { action: string; group: ManagedGroup; details: Record<string, unknown> },
  ): Promise<void> {
    const { id, name } = group;
    await insertAudit(change, {
      at: this.#now(),
      by,
      action,
      keyId: null,
      details: { group: { id, name }, ...details },
    });
  }

  async #refuseTaken({ transaction }: KeyChange, name: string): Promise<void> {
    if (await findGroupByIdOrName(transaction, name))
      throw new GatewayError("group_name_taken", { param: "name" });
  }
}

/** Finds a group by its id or name. @throws GatewayError group_not_found. */
export async function findGroup(db: Database["kysely"], idOrName: string): Promise<GroupRow> {
  const row = await findGroupByIdOrName(db, idOrName);
  if (!row) throw new GatewayError("group_not_found", { param: "group" });
  return row;
}

function diffGroups(
  { limitsChangedAt: _before, ...before }: ManagedGroup,
  { limitsChangedAt: _after, ...after }: ManagedGroup,
) {
  return diffFields(before, after);
}
