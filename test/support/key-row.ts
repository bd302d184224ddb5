import type { KeyTable } from "../../src/keys/key-tables.ts";
import { digestSecret } from "../../src/key-secret.ts";
import type { Database } from "../../src/store/database.ts";

type KeyFields = Partial<KeyTable> & Pick<KeyTable, "id">;

/** Creates the row of a key without limits. `fields` replace its columns. */
export function createKeyRow(fields: KeyFields): KeyTable {
  return {
    name: fields.id,
    owner: null,
    metadata: "{}",
    role: "caller",
    prefix: "sk-slc-00000",
    digest: digestSecret(fields.id).toString("hex"),
    previous_digest: null,
    previous_until: null,
    created_at: 0,
    last_used_at: null,
    expires_at: null,
    disabled: 0,
    revoked_at: null,
    models: null,
    aliases: "{}",
    on_disconnect: "cancel",
    group_id: null,
    limits: "{}",
    limits_changed_at: 0,
    end_users: null,
    unbounded_reservation_nanodollars: null,
    blocked_until: 0,
    revision: 1,
    ...fields,
  };
}

/** Inserts a key without limits. `fields` replace its columns. */
export async function insertKey({ kysely }: Database, fields: KeyFields): Promise<void> {
  await kysely.insertInto("keys").values(createKeyRow(fields)).execute();
}
