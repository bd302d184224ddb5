import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { readSchema } from "../support/read-schema.ts";

const KEY = {
  id: "key_1",
  name: "bob",
  owner: null,
  metadata: "{}",
  role: "caller",
  prefix: "sk-slc-00000",
  digest: "00",
  previous_digest: null,
  previous_until: null,
  created_at: 1,
  last_used_at: null,
  expires_at: null,
  disabled: 0,
  revoked_at: null,
  models: null,
  aliases: "{}",
  on_disconnect: "cancel",
  revision: 1,
} as const;

/** Tests of migrations, for every database. @param open returns a database without a schema. */
export function migrationsContract(open: () => Promise<Database>): void {
  test("the initial migration still creates the original schema of existing databases", async () => {
    const database = await open();
    const [[name, initial] = []] = Object.entries(MIGRATIONS);
    await migrate(database.kysely, { [String(name)]: initial ?? {} } as typeof MIGRATIONS);
    const fixture = `test/fixtures/schema/${database.sqlite ? "sqlite" : "postgres"}.txt`;
    expect(await readSchema(database)).toBe(readFileSync(fixture, "utf8"));
  });

  test("a key that was created before keys had aliases has none after the upgrade", async () => {
    const database = await open();
    const earlier = Object.entries(MIGRATIONS).filter(([name]) => name < "0004-key-aliases");
    await migrate(database.kysely, Object.fromEntries(earlier));
    const { aliases: _, ...row } = KEY;
    await database.kysely
      .insertInto("keys")
      .values(row as typeof KEY)
      .execute();
    await migrate(database.kysely);
    expect(await database.kysely.selectFrom("keys").selectAll().execute()).toEqual([KEY]);
  });
}
