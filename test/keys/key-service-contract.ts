import { describe, expect, test } from "vitest";
import type { Actor } from "../../src/keys/managed-key.ts";
import { keyChangesSchema, type NewKey, newKeySchema } from "../../src/keys/key-input.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { VISITED_MAX } from "../../src/keys/key-pages.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import type { Database } from "../../src/store/database.ts";

const NOW = 1_800_000_000_000;
const BY: Actor = { actor: "cli", source: "somebody@somewhere" };
const ALL = { limit: 100 };

const input = (name: string, fields: Partial<NewKey> = {}): NewKey => ({
  ...newKeySchema.parse({ name }),
  ...fields,
});

const expectCode = (code: string): unknown => expect.objectContaining({ code });

/** Tests of the key service, for any database. @param open opens an empty database with its schema. */
export function keyServiceContract(open: () => Promise<Database>): void {
  const clock = { now: NOW };
  const start = async (): Promise<{ database: Database; service: KeyService }> => {
    clock.now = NOW;
    const database = await open();
    return { database, service: new KeyService(database, () => clock.now) };
  };

  describe("a key", () => {
    test("that is created is found by its id and by its name, with the given fields", async () => {
      const { service } = await start();
      const given = input("team", {
        owner: "Zoë",
        metadata: { a: "ключ 🔑" },
        models: ["openai/*"],
        aliases: { fast: "a/b" },
        expiresAt: NOW + 1,
        onDisconnect: "drain",
      });
      const { key, secret } = await service.create(given, BY);
      expect(key).toMatchObject({ ...given, createdAt: NOW, lastUsedAt: null, revokedAt: null });
      expect(key.prefix).toBe(secret.slice(0, 12));
      expect(await service.get(key.id)).toEqual(key);
      expect(await service.get("team")).toEqual(key);
    });

    test("that does not exist is not found, even by a hostile name", async () => {
      const { service } = await start();
      await service.create(input("team"), BY);
      for (const name of [
        "other",
        "",
        "' OR '1'='1",
        "team'; drop table keys; --",
        "ключ",
        "x".repeat(1_000_000),
      ])
        await expect(service.get(name)).rejects.toThrow(expectCode("key_not_found"));
      for (const change of [
        () => service.update("no", {}, BY),
        () => service.revoke("no", BY),
        () => service.rotate("no", { graceMs: 0 }, BY),
      ])
        await expect(change()).rejects.toThrow(expectCode("key_not_found"));
      expect(await service.list(ALL)).toHaveLength(1);
    });

    test("with an expiry in the past is refused on creation and on update", async () => {
      const { service } = await start();
      await service.create(input("team"), BY);
      for (const expiresAt of [NOW, NOW - 1, 0]) {
        await expect(service.create(input("late", { expiresAt }), BY)).rejects.toThrow(
          expectCode("invalid_value"),
        );
        await expect(service.update("team", { expiresAt }, BY)).rejects.toThrow(expectCode("invalid_value"));
      }
      expect(await service.list(ALL)).toHaveLength(1);
      expect((await service.get("team")).expiresAt).toBeNull();
    });

    test("is stored without its secret", async () => {
      const { database, service } = await start();
      const secrets = [(await service.create(input("team"), BY)).secret];
      secrets.push((await service.rotate("team", { graceMs: 5 }, BY)).secret);
      const stored = JSON.stringify([
        await database.kysely.selectFrom("keys").selectAll().execute(),
        await database.kysely.selectFrom("audit").selectAll().execute(),
      ]);
      for (const secret of secrets) expect(stored).not.toContain(secret.slice(12));
      expect(stored).toContain(digestSecret(secrets[1] ?? "").toString("hex"));
    });
  });

  describe("a name", () => {
    test("is given to only one key when ten concurrent requests create a key with it", async () => {
      const { service } = await start();
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, () => service.create(input("team"), BY)),
      );
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const refusals = results.flatMap((result) =>
        result.status === "rejected" ? [result.reason as unknown] : [],
      );
      expect(refusals).toEqual(Array(9).fill(expectCode("key_name_taken")));
      expect(await service.list(ALL)).toHaveLength(1);
    });

    test("cannot be taken from another key by an update, and is available when that key is revoked", async () => {
      const { service } = await start();
      const first = await service.create(input("one"), BY);
      await service.create(input("two"), BY);
      await expect(service.update("two", { name: "one" }, BY)).rejects.toThrow(expectCode("key_name_taken"));
      await service.revoke("one", BY);
      const next = await service.update("two", { name: "one" }, BY);
      expect((await service.get("one")).id).toBe(next.id);
      expect((await service.get(first.key.id)).revokedAt).toBe(NOW);
    });
  });

  test("lists keys in the order of their ids, page by page, filtered by owner, and with revoked keys on request", async () => {
    const { service } = await start();
    for (const name of ["a", "b", "c", "d", "e"])
      await service.create(input(name, { owner: name < "c" ? "x" : "y" }), BY);
    await service.revoke("e", BY);
    const ids = (await service.list({ ...ALL, includeRevoked: true })).map(({ id }) => id);
    expect(ids).toHaveLength(5);
    expect(ids).toEqual(ids.toSorted());
    const pages: string[] = [];
    for (let after: string | undefined; ; after = pages.at(-1)) {
      const page = await service.list({ limit: 2, after, includeRevoked: true });
      pages.push(...page.map(({ id }) => id));
      if (page.length < 2) break;
    }
    expect(pages).toEqual(ids);
    expect((await service.list(ALL)).map(({ name }) => name).toSorted()).toEqual(["a", "b", "c", "d"]);
    expect((await service.list({ ...ALL, owner: "y" })).map(({ name }) => name).toSorted()).toEqual([
      "c",
      "d",
    ]);
    expect(await service.list({ ...ALL, owner: "' OR '1'='1" })).toEqual([]);
  });

  test("finds keys by a part of the name, owner, prefix or id, in which no character is a wildcard", async () => {
    const { service } = await start();
    const { key } = await service.create(input("Team_A", { owner: "100% Zoë \\ Ümit" }), BY);
    await service.create(input("teamxa", { owner: "1000 Zoe" }), BY);
    const find = async (search: string): Promise<string[]> =>
      (await service.listPage({ ...ALL, search })).entries.map(({ name }) => name).toSorted();
    expect(await find("TEAM")).toEqual(["Team_A", "teamxa"]);
    for (const search of ["m_a", "0% z", "zoë \\ Ü", "\\", key.id.toUpperCase(), key.id.slice(6), key.prefix])
      expect([search, await find(search)]).toEqual([search, ["Team_A"]]);
    for (const search of ["%x%", "' or '1'='1", "team-a", "\\%"])
      expect([search, await find(search)]).toEqual([search, []]);
    await service.revoke("teamxa", BY);
    expect(await find("team")).toEqual(["Team_A"]);
  });

  test("pages name the next page only if keys remain", async () => {
    const { service } = await start();
    for (const name of ["a", "b", "c", "d"]) await service.create(input(name), BY);
    const first = await service.listPage({ limit: 2 });
    expect(first.nextAfter).toBe(first.entries[1]?.id);
    const second = await service.listPage({ limit: 2, after: first.nextAfter ?? "" });
    expect([second.entries.length, second.nextAfter]).toEqual([2, null]);
    expect((await service.listPage({ limit: 4 })).nextAfter).toBeNull();
  });

  test("finds the callers' keys that may use a model, and compares a bounded number of keys for a page", async () => {
    const { database, service } = await start();
    for (const [index, models] of [["google/*"], ["*:free"], null].entries())
      await service.create(input(`may-${index}`, { models }), BY);
    await service.create(input("may-not", { models: ["openai/*"] }), BY);
    await service.create(input("ops", { role: "admin" }), BY);
    const find = async (model: string): Promise<string[]> =>
      (await service.listPage({ ...ALL, model })).entries.map(({ name }) => name).toSorted();
    expect(await find("openrouter/google/gemini-3-flash:free")).toEqual(["may-0", "may-1", "may-2"]);
    expect(await find("google/gemini-3-flash")).toEqual(["may-0", "may-2"]);
    const { key } = await service.create(input("none", { models: ["a/b"] }), BY);
    const row = await database.kysely
      .selectFrom("keys")
      .selectAll()
      .where("id", "=", key.id)
      .executeTakeFirstOrThrow();
    const copies = Array.from({ length: VISITED_MAX }, (_, index) => {
      const id = `key_${String(index).padStart(16, "0")}`;
      return { ...row, id, name: id, digest: id };
    });
    for (let at = 0; at < copies.length; at += 500)
      await database.kysely
        .insertInto("keys")
        .values(copies.slice(at, at + 500))
        .execute();
    const first = await service.listPage({ limit: 100, model: "google/gemini-3-flash" });
    expect(first).toEqual({ entries: [], nextAfter: copies.at(-1)?.id });
    const second = await service.listPage({
      limit: 1,
      model: "google/gemini-3-flash",
      after: copies.at(-1)?.id,
    });
    expect(second.nextAfter).toBe(second.entries[0]?.id);
  });

  test("an update sets the fields that it contains, clears those that are null, and keeps the others", async () => {
    const { service } = await start();
    const { key } = await service.create(
      input("team", { owner: "Zoë", models: ["a/*"], metadata: { a: "b" }, aliases: { fast: "a/b" } }),
      BY,
    );
    const changed = await service.update("team", { disabled: true, name: "crew" }, BY);
    expect(changed).toEqual({ ...key, disabled: true, name: "crew" });
    const cleared = await service.update(key.id, { owner: null, models: null, disabled: false }, BY);
    expect(cleared).toEqual({ ...key, name: "crew", owner: null, models: null });
    expect(await service.update(key.id, keyChangesSchema.parse({}), BY)).toEqual(cleared);
    const aliases = { smart: "c/d" };
    expect(await service.update(key.id, { aliases }, BY)).toEqual({ ...cleared, aliases });
    const [{ details } = { details: {} }] = await service.listAudit({ limit: 1 });
    expect(details).toEqual({ aliases: { from: { fast: "a/b" }, to: aliases } });
    expect((await service.update(key.id, { aliases: {} }, BY)).aliases).toEqual({});
  });

  test("a rotated key has a new secret, and keeps the previous secret until the grace period ends", async () => {
    const { database, service } = await start();
    const old = await service.create(input("team"), BY);
    const { key, secret } = await service.rotate("team", { graceMs: 500 }, BY);
    expect(secret).not.toBe(old.secret);
    expect(key).toMatchObject({
      id: old.key.id,
      prefix: secret.slice(0, 12),
      previousSecretUntil: NOW + 500,
    });
    const digests = database.kysely.selectFrom("keys").select(["digest", "previous_digest"]);
    expect(await digests.executeTakeFirst()).toEqual({
      digest: digestSecret(secret).toString("hex"),
      previous_digest: digestSecret(old.secret).toString("hex"),
    });
    const { key: after } = await service.rotate("team", { graceMs: 0 }, BY);
    expect(after.previousSecretUntil).toBeNull();
    expect((await digests.executeTakeFirst())?.previous_digest).toBeNull();
  });

  test("a revoked key stays revoked, and revoking it again changes nothing", async () => {
    const { service } = await start();
    const { key } = await service.create(input("team"), BY);
    await service.rotate("team", { graceMs: 500 }, BY);
    const revoked = await service.revoke("team", BY);
    expect(revoked).toMatchObject({ revokedAt: NOW, previousSecretUntil: null });
    const before = await service.listAudit(ALL);
    clock.now += 5;
    expect(await service.revoke(key.id, BY)).toEqual(revoked);
    expect(await service.listAudit(ALL)).toEqual(before);
    await expect(service.update(key.id, { disabled: false }, BY)).rejects.toThrow(
      expectCode("invalid_value"),
    );
    await expect(service.rotate(key.id, { graceMs: 0 }, BY)).rejects.toThrow(expectCode("invalid_value"));
  });
}
