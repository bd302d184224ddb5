import { type Insertable, type Selectable, sql, type Transaction, type Updateable } from "kysely";
import type { Database, Tables } from "../store/database.ts";
import type { AuditTable, KeyTable } from "./key-tables.ts";

/** The PostgreSQL channel that notifies replicas of changed keys. */
export const KEY_CHANNEL = "sluice_keys";

/** A row of the table of keys. */
export type KeyRow = Selectable<KeyTable>;

/** A running change of keys, in one transaction. */
export interface KeyChange {
  readonly transaction: Transaction<Tables>;
  /** The revision of this change, which is higher than that of every earlier change. */
  readonly revision: number;
}

/** Runs a change of keys in a transaction. Only one change runs at a time, even if several replicas make changes. */
export async function runKeyChange<T>(
  { kysely, sqlite }: Database,
  run: (change: KeyChange) => Promise<T>,
): Promise<T> {
  return kysely.transaction().execute(async (transaction) => {
    // This must be the first statement, because the lock on this row serializes changes.
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

/** Formats the prefix of the audit ids of a change. It makes audit ids sort in the order of changes, even if clocks differ. */
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

/** Whether any key exists, including revoked ones. */
export async function hasKeys({ transaction }: KeyChange): Promise<boolean> {
  return (await transaction.selectFrom("keys").select("id").limit(1).executeTakeFirst()) !== undefined;
}

/** Finds a key by its id or name. A revoked key is found only by its id. */
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

/** Selects the keys to list. */
export interface KeyFilter {
  readonly owner?: string | undefined;
  readonly includeRevoked?: boolean | undefined;
  readonly limit: number;
  /** Id of the last key of the previous page. */
  readonly after?: string | undefined;
}

export async function listKeys({ reader }: Database, filter: KeyFilter): Promise<KeyRow[]> {
  let query = reader.selectFrom("keys").selectAll().orderBy("id").limit(filter.limit);
  if (filter.owner !== undefined) query = query.where("owner", "=", filter.owner);
  if (!filter.includeRevoked) query = query.where("revoked_at", "is", null);
  if (filter.after !== undefined) query = query.where("id", ">", filter.after);
  return query.execute();
}

/** Selects the audit entries to list, newest first. */
export interface AuditFilter {
  readonly keyId?: string | undefined;
  readonly limit: number;
  /** Id of the last entry of the previous page. */
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
