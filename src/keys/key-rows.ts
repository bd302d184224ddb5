import {
  type Insertable,
  type Kysely,
  type RawBuilder,
  type Selectable,
  sql,
  type SqlBool,
  type Transaction,
  type Updateable,
} from "kysely";
import type { Database, Tables } from "../store/database.ts";
import type { KeyTable } from "./key-tables.ts";

/** The PostgreSQL channel that notifies replicas of changed keys. */
export const KEY_CHANNEL = "sluice_keys";

/** A row of the table of keys, with the columns of the key's group, which are null if the key belongs to none. */
export interface KeyRow extends Selectable<KeyTable> {
  readonly group_name: string | null;
  readonly group_limits: string | null;
  readonly group_limits_changed_at: number | null;
}

/** Selects keys with their groups. */
function selectKeys(db: Kysely<Tables>) {
  return db
    .selectFrom("keys")
    .leftJoin("key_groups", "key_groups.id", "keys.group_id")
    .selectAll("keys")
    .select([
      "key_groups.name as group_name",
      "key_groups.limits as group_limits",
      "key_groups.limits_changed_at as group_limits_changed_at",
    ]);
}

/** A running change of keys, in one transaction. */
export interface KeyChange {
  readonly transaction: Transaction<Tables>;
  /** Whether the database locks rows, as PostgreSQL does. SQLite has one lock. */
  readonly locksRows: boolean;
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
    const result = await run({ transaction, revision, locksRows: !sqlite });
    if (!sqlite) await sql`select pg_notify(${KEY_CHANNEL}, '')`.execute(transaction);
    return result;
  });
}

export async function insertKey(
  { transaction, revision }: KeyChange,
  row: Omit<Insertable<KeyTable>, "revision">,
): Promise<KeyRow> {
  await transaction
    .insertInto("keys")
    .values({ ...row, revision })
    .execute();
  return readKey(transaction, row.id);
}

export async function updateKey(
  { transaction, revision }: KeyChange,
  id: string,
  changes: Updateable<KeyTable>,
): Promise<KeyRow> {
  await transaction
    .updateTable("keys")
    .set({ ...changes, revision })
    .where("id", "=", id)
    .execute();
  return readKey(transaction, id);
}

async function readKey(transaction: Transaction<Tables>, id: string): Promise<KeyRow> {
  return selectKeys(transaction).where("keys.id", "=", id).executeTakeFirstOrThrow();
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
  return selectKeys(db)
    .where((eb) =>
      eb.or([
        eb("keys.id", "=", idOrName),
        eb.and([eb("keys.name", "=", idOrName), eb("keys.revoked_at", "is", null)]),
      ]),
    )
    .executeTakeFirst();
}

/** Finds the key with this current or previous secret. @param digest as 64 hexadecimal digits. */
export async function findKeyByDigest(db: Kysely<Tables>, digest: string): Promise<KeyRow | undefined> {
  return selectKeys(db)
    .where((eb) => eb.or([eb("keys.digest", "=", digest), eb("keys.previous_digest", "=", digest)]))
    .executeTakeFirst();
}

/** Selects the keys to list. */
export interface KeyFilter {
  readonly owner?: string | undefined;
  /** Part of the name, owner, prefix or id. The case of the letters A to Z is ignored. */
  readonly search?: string | undefined;
  readonly groupId?: string | undefined;
  readonly includeRevoked?: boolean | undefined;
  readonly limit: number;
  /** Id of the last key of the previous page. */
  readonly after?: string | undefined;
}

export async function listKeys({ reader }: Database, filter: KeyFilter): Promise<KeyRow[]> {
  let query = selectKeys(reader).orderBy("keys.id").limit(filter.limit);
  if (filter.owner !== undefined) query = query.where("keys.owner", "=", filter.owner);
  if (filter.groupId !== undefined) query = query.where("keys.group_id", "=", filter.groupId);
  if (!filter.includeRevoked) query = query.where("keys.revoked_at", "is", null);
  if (filter.after !== undefined) query = query.where("keys.id", ">", filter.after);
  if (filter.search !== undefined) query = query.where(containsText(filter.search));
  return query.execute();
}

/** The columns that a search compares. */
const SEARCHED = ["keys.name", "keys.owner", "keys.prefix", "keys.id"] as const;

/** Builds the condition that a searched column contains a text, in which no character is a wildcard. */
function containsText(text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  // The database converts both sides to lower case, because SQLite converts only the letters A to Z.
  const conditions = SEARCHED.map(
    (column) => sql<SqlBool>`lower(${sql.ref(column)}) like lower(${pattern}) escape '\\'`,
  );
  return sql`(${sql.join(conditions, sql` or `)})`;
}
