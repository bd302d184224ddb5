import { type Kysely, sql, type Updateable } from "kysely";
import type { Tables } from "../store/database.ts";
import type { GroupRow } from "./key-group.ts";
import type { KeyChange } from "./key-rows.ts";
import type { KeyGroupTable } from "./key-tables.ts";

/** Finds a group by its id or name. */
export async function findGroupByIdOrName(
  db: Kysely<Tables>,
  idOrName: string,
): Promise<GroupRow | undefined> {
  return db
    .selectFrom("key_groups")
    .selectAll()
    .where((eb) => eb.or([eb("id", "=", idOrName), eb("name", "=", idOrName)]))
    .executeTakeFirst();
}

/** Selects the groups to list. */
export interface GroupFilter {
  readonly limit: number;
  /** Id of the last group of the previous page. */
  readonly after?: string | undefined;
}

export async function listGroups(db: Kysely<Tables>, { limit, after }: GroupFilter): Promise<GroupRow[]> {
  let query = db.selectFrom("key_groups").selectAll().orderBy("id").limit(limit);
  if (after !== undefined) query = query.where("id", ">", after);
  return query.execute();
}

export async function insertGroup({ transaction }: KeyChange, row: GroupRow): Promise<void> {
  await transaction.insertInto("key_groups").values(row).execute();
}

/** Changes a group, and gives its keys the revision of the change, so that caches read them again. */
export async function updateGroup(
  change: KeyChange,
  id: string,
  changes: Updateable<KeyGroupTable>,
): Promise<void> {
  const { transaction, revision } = change;
  await lockKeysOfGroup(change, id);
  await transaction.updateTable("key_groups").set(changes).where("id", "=", id).execute();
  await transaction.updateTable("keys").set({ revision }).where("group_id", "=", id).execute();
}

/** Deletes a group. Revoked keys leave it. */
export async function deleteGroup(change: KeyChange, id: string): Promise<void> {
  const { transaction } = change;
  await lockKeysOfGroup(change, id);
  await transaction.updateTable("keys").set({ group_id: null }).where("group_id", "=", id).execute();
  await transaction.deleteFrom("key_groups").where("id", "=", id).execute();
}

/**
 * Locks the keys of a group in the order of their ids. Replicas save when keys were last used in the same order: a statement
 * that updates several keys locks them in any order, and could deadlock with a replica.
 */
async function lockKeysOfGroup({ transaction, locksRows }: KeyChange, id: string): Promise<void> {
  if (!locksRows) return;
  // JavaScript, which sorts the ids for the other order, compares code units.
  await sql`select id from keys where group_id = ${id} order by id collate "C" for update`.execute(
    transaction,
  );
}

/** Whether a key that is not revoked belongs to a group. */
export async function hasKeysInGroup({ transaction }: KeyChange, id: string): Promise<boolean> {
  const key = await transaction
    .selectFrom("keys")
    .select("id")
    .where("group_id", "=", id)
    .where("revoked_at", "is", null)
    .limit(1)
    .executeTakeFirst();
  return key !== undefined;
}
