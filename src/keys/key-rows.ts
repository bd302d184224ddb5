import { type Insertable, type Selectable, sql, type Transaction, type Updateable } from "kysely";
import type { Database, Tables } from "../store/database.ts";
import type { AuditTable, KeyTable } from "./key-tables.ts";

/** Where PostgreSQL tells replicas that a key has changed. */
export const KEY_CHANNEL = "sluice_keys";

/** A row of the table of keys, whole. */
export type KeyRow = Selectable<KeyTable>;

/** A change of keys under way. What it writes is seen by others when it is over, all of it or nothing. */
export interface KeyChange {
  readonly transaction: Transaction<Tables>;
  /** Of this change: higher than that of all before. */
  readonly revision: number;
}

/** Runs a change of keys. Changes run one after the other, over all replicas. */
export async function runKeyChange<T>(
  { kysely, sqlite }: Database,
  run: (change: KeyChange) => Promise<T>,
): Promise<T> {
  return kysely.transaction().execute(async (transaction) => {
    // First of all, because the lock on this row is what puts changes in order.
    const { revision } = await transaction
      .updateTable("key_revision")
      .set((eb) => ({ revision: eb("revision", "+", 1) }))
      .returning("revision")
      .executeTakeFirstOrThrow();
    const result = await run({ transaction, revision });
    if (!sqlite) await sql`select pg_notify(${KEY_CHANNEL}, '')`.execute(transaction);
    return result;
  });
}

/** The lowest id of entries of the audit table for a change: they are in the order of changes, whatever clocks say. */
export function formatAuditIdPrefix(revision: number): string {
  return String(revision).padStart(12, "0");
}

export async function insertKey(
  { transaction, revision }: KeyChange,
  row: Omit<KeyRow, "revision">,
): Promise<KeyRow> {
  return transaction
    .insertInto("keys")
    .values({ ...row, revision })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function updateKey(
  { transaction, revision }: KeyChange,
  id: string,
  changes: Updateable<KeyTable>,
): Promise<KeyRow> {
  return transaction
    .updateTable("keys")
    .set({ ...changes, revision })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function insertAudit({ transaction }: KeyChange, entry: Insertable<AuditTable>): Promise<void> {
  await transaction.insertInto("audit").values(entry).execute();
}

/** Whether there is any key, revoked ones included. */
export async function hasKeys({ transaction }: KeyChange): Promise<boolean> {
  return (await transaction.selectFrom("keys").select("id").limit(1).executeTakeFirst()) !== undefined;
}

/** A key by its id, or by its name if it is not revoked. */
export async function findKeyByIdOrName(
  db: Database["kysely"],
  idOrName: string,
): Promise<KeyRow | undefined> {
  return db
    .selectFrom("keys")
    .selectAll()
    .where((eb) =>
      eb.or([eb("id", "=", idOrName), eb.and([eb("name", "=", idOrName), eb("revoked_at", "is", null)])]),
    )
    .executeTakeFirst();
}

/** Which keys to list. */
export interface KeyFilter {
  readonly owner?: string | undefined;
  readonly includeRevoked?: boolean | undefined;
  readonly limit: number;
  /** Id of the last key of the page before. */
  readonly after?: string | undefined;
}

export async function listKeys({ reader }: Database, filter: KeyFilter): Promise<KeyRow[]> {
  let query = reader.selectFrom("keys").selectAll().orderBy("id").limit(filter.limit);
  if (filter.owner !== undefined) query = query.where("owner", "=", filter.owner);
  if (!filter.includeRevoked) query = query.where("revoked_at", "is", null);
  if (filter.after !== undefined) query = query.where("id", ">", filter.after);
  return query.execute();
}

/** Which entries of the audit table to list, newest first. */
export interface AuditFilter {
  readonly keyId?: string | undefined;
  readonly limit: number;
  /** Id of the last entry of the page before. */
  readonly before?: string | undefined;
}

export async function listAudit(
  { reader }: Database,
  filter: AuditFilter,
): Promise<Selectable<AuditTable>[]> {
  let query = reader.selectFrom("audit").selectAll().orderBy("id", "desc").limit(filter.limit);
  if (filter.keyId !== undefined) query = query.where("key_id", "=", filter.keyId);
  if (filter.before !== undefined) query = query.where("id", "<", filter.before);
  return query.execute();
}
