import { afterAll, beforeAll, expect, test } from "vitest";
import { groupChangesSchema, newGroupSchema } from "../../src/keys/group-input.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { createKeySource } from "../../src/keys/key-source.ts";
import { groupServiceContract } from "../keys/group-service-contract.ts";
import { keyAuditContract } from "../keys/key-audit-contract.ts";
import { keyServiceContract } from "../keys/key-service-contract.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());
keyServiceContract(open);
keyAuditContract(open);
groupServiceContract(open);

test("a change of a group does not deadlock with a replica that saves when the keys were last used", async () => {
  const url = await postgres.createDatabase();
  const [admin, replica] = [await openTestDatabase(url), await openTestDatabase(url)];
  const keys = new KeyService(admin);
  const by = { actor: "cli", source: "somebody@somewhere" };
  await keys.groups.create(newGroupSchema.parse({ name: "team" }), by);
  const ids: string[] = [];
  for (let index = 0; index < 50; index++)
    ids.push((await keys.create(newKeySchema.parse({ name: `k${index}`, group: "team" }), by)).key.id);
  const source = createKeySource(replica, undefined);
  for (let round = 1; round <= 10; round++) {
    const limits = { requests_per_minute: round };
    const saved = source.saveLastUsed(new Map(ids.map((id) => [id, round])));
    const changed = keys.groups.update("team", groupChangesSchema.parse({ limits }), by);
    const results = await Promise.allSettled([saved, changed]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
  }
});
