import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { readSchema } from "../support/read-schema.ts";

/** Tests of migrations, for every database. @param open returns a database without a schema. */
export function migrationsContract(open: () => Promise<Database>): void {
  test("the initial migration still creates the original schema of existing databases", async () => {
    const database = await open();
    const [[name, initial] = []] = Object.entries(MIGRATIONS);
    await migrate(database.kysely, { [String(name)]: initial ?? {} } as typeof MIGRATIONS);
    const fixture = `test/fixtures/schema/${database.sqlite ? "sqlite" : "postgres"}.txt`;
    expect(await readSchema(database)).toBe(readFileSync(fixture, "utf8"));
  });
}
