import type { Selectable } from "kysely";
import { randomDigits } from "../key-secret.ts";
import type { Database } from "../store/database.ts";
import type { KeyChange } from "./key-rows.ts";
import type { AuditTable } from "./key-tables.ts";
import type { Actor, AuditEntry } from "./managed-key.ts";

/** Formats the prefix of the audit ids of a change. It makes audit ids sort in the order of changes, even if clocks differ. */
export function formatAuditIdPrefix(revision: number): string {
  return String(revision).padStart(12, "0");
}

/** A change to record in the audit table. */
export interface AuditedChange extends Pick<AuditEntry, "action" | "keyId" | "details"> {
  /** ms since 1970. */
  readonly at: number;
  readonly by: Actor;
}

/** Records a change of a key or a group in the audit table. */
export async function insertAudit(
  { transaction, revision }: KeyChange,
  { at, by, action, keyId, details }: AuditedChange,
): Promise<void> {
  await transaction
    .insertInto("audit")
    .values({
      id: `${formatAuditIdPrefix(revision)}-${randomDigits(4)}`,
      at,
      action,
      key_id: keyId,
      details: JSON.stringify(details),
      ...by,
    })
    .execute();
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
