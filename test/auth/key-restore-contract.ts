import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { KeyCache } from "../../src/auth/key-cache.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import type { Database } from "../../src/store/database.ts";
import { createKeySource } from "../../src/keys/key-source.ts";
import { waitUntil } from "../support/wait.ts";

const BY = { actor: "cli", source: "somebody@somewhere" };
const TABLES = ["keys", "key_revision", "audit"];
const run = (kysely: Database["kysely"], text: string) => sql.raw(text).execute(kysely);
const input = (name: string) => newKeySchema.parse({ name });

/** Starts a cache that finds changes only by polling, and a key service on the same database. */
export async function startFollowing(database: Database) {
  const seen = { replaced: 0, polls: 0 };
  const source = createKeySource(database, undefined);
  const cache = new KeyCache({
    source: {
      ...source,
      readHistory(revision) {
        seen.polls++;
        return source.readHistory(revision);
      },
    },
    graceMs: 60_000,
    onHealth: () => {},
    onReplaced: () => seen.replaced++,
  });
  await cache.start();
  onTestFinished(() => cache.stop());
  const find = async (secret: string) => cache.find(digestSecret(secret));
  const remember = (secret: string) =>
    waitUntil(
      async () => (await find(secret)) && !(cache.find(digestSecret(secret)) instanceof Promise),
      "the key",
    );
  /** Waits until the cache has read all changes so far. */
  const follow = async (): Promise<void> => {
    const { polls } = seen;
    await waitUntil(() => seen.polls > polls + 1, "two polls");
  };
  /** Expects that the cache refuses a key after the next poll. */
  const expectForgotten = async (secret: string, label: string): Promise<void> => {
    const { polls } = seen;
    await waitUntil(async () => !(await find(secret)), `${label} to be refused`);
    // A poll that began before the change does not count, and another may begin before this line.
    expect(seen.polls - polls).toBeLessThanOrEqual(2);
  };
  return { service: new KeyService(database), find, remember, follow, expectForgotten, seen };
}

/** Tests of a key cache when an older copy of its database is restored. @param open opens an empty database. */
export function keyRestoreContract(open: () => Promise<Database>): void {
  const backUp = async (database: Database): Promise<void> => {
    for (const table of TABLES)
      await run(database.kysely, `create table ${table}_copy as select * from ${table}`);
  };
  const restore = (database: Database): Promise<void> =>
    database.kysely.transaction().execute(async (kysely) => {
      for (const table of TABLES) {
        await run(kysely, `delete from ${table}`);
        await run(kysely, `insert into ${table} select * from ${table}_copy`);
      }
    });

  test.each([
    ["no change", 0],
    ["fewer changes than the restore undid", 1],
    ["as many changes as the restore undid", 3],
    ["more changes than the restore undid", 4],
  ])(
    "a key cache drops a removed or revoked key after a database restore that is followed by %s",
    async (_, following) => {
      const database = await open();
      const { service, remember, follow, expectForgotten, seen } = await startFollowing(database);
      const { secret } = await service.create(input("team"), BY);
      if (following === 0) {
        await backUp(database);
        const added = await service.create(input("lost"), BY);
        await follow();
        await remember(added.secret);
        await restore(database);
        await expectForgotten(added.secret, "the key that the copy lacks");
      } else {
        await backUp(database);
        for (let change = 0; change < 3; change++) await service.create(input(`lost-${change}`), BY);
        await follow();
        await remember(secret);
        await restore(database);
        await service.revoke("team", BY);
        for (let change = 1; change < following; change++) await service.create(input(`new-${change}`), BY);
        await expectForgotten(secret, "the revoked key");
      }
      expect(seen.replaced).toBe(1);
      const later = await service.create(input("later"), BY);
      await remember(later.secret);
      await service.revoke("later", BY);
      await expectForgotten(later.secret, "the later key");
      expect(seen.replaced).toBe(1);
    },
  );

  test("a key cache drops a key that was created after its last poll, when a restore removes the key at once", async () => {
    const database = await open();
    const { service, find, follow } = await startFollowing(database);
    await backUp(database);
    const { secret } = await service.create(input("lost"), BY);
    expect(await find(secret)).toMatchObject({ name: "lost" });
    await restore(database);
    await follow();
    expect(await find(secret)).toBeUndefined();
  });

  test("a key cache keeps its keys after an update that changes nothing", async () => {
    const database = await open();
    const { service, remember, follow, expectForgotten, seen } = await startFollowing(database);
    const { secret } = await service.create(input("team"), BY);
    await remember(secret);
    await service.update("team", { owner: null }, BY);
    await follow();
    const { secret: other } = await service.create(input("other"), BY);
    await remember(other);
    await service.revoke("other", BY);
    await expectForgotten(other, "the other key");
    expect(seen.replaced).toBe(0);
  });
}
