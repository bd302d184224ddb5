import { backup, DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { keyRestoreContract, startFollowing } from "./key-restore-contract.ts";

const BY = { actor: "cli", source: "somebody@somewhere" };

keyRestoreContract(openTestDatabase);

test("a key cache notices a revocation after SQLite has restored a backup into the open file", async () => {
  const database = await openTestDatabase();
  const { service, remember, follow, expectForgotten, seen } = await startFollowing(database);
  const { secret } = await service.create(newKeySchema.parse({ name: "team" }), BY);
  const copy = join(createTemporaryDirectory(), "copy.db");
  database.sqlite?.prepare("vacuum into ?").run(copy);
  await service.create(newKeySchema.parse({ name: "lost" }), BY);
  await follow();
  await remember(secret);
  const source = new DatabaseSync(copy);
  await backup(source, database.sqlite?.location() ?? "");
  source.close();
  await service.revoke("team", BY);
  await expectForgotten(secret, "the revoked key");
  expect(seen.replaced).toBe(1);
});
