import { expect, test } from "vitest";
import { groupChangesSchema, newGroupSchema } from "../../src/keys/group-input.ts";
import { keyChangesSchema, newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { createKeySource } from "../../src/keys/key-source.ts";
import type { Actor } from "../../src/keys/managed-key.ts";
import type { Database } from "../../src/store/database.ts";

const NOW = 1_800_000_000_000;
const BY: Actor = { actor: "cli", source: "somebody@somewhere" };
const ALL = { limit: 100 };
const DAY = { budgets: { day: { limit_usd: 0.45 } } };
const STORED_DAY = { day: { limitNanodollars: 450_000_000, mode: "hard" } };

const createInput = (name: string, limits: unknown = {}) => newGroupSchema.parse({ name, limits });
const createKeyInput = (name: string, fields: object = {}) => newKeySchema.parse({ name, ...fields });
const change = (limits: unknown) => groupChangesSchema.parse({ limits });
const changeKey = (fields: object) => keyChangesSchema.parse(fields);

/** Tests of groups and of the limits of keys, for any database. @param open opens an empty database with its schema. */
export function groupServiceContract(open: () => Promise<Database>): void {
  const start = async () => {
    const clock = { now: NOW };
    const database = await open();
    const keys = new KeyService(database, () => clock.now);
    const source = createKeySource(database, undefined);
    /** Reads the key that authentication finds by the stored digest. */
    const findCached = async (id: string) => {
      const { digest } = await database.kysely
        .selectFrom("keys")
        .select("digest")
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      const found = await source.findByDigest(digest);
      if (!found) throw new Error("the key was not found");
      return found;
    };
    return { clock, database, keys, groups: keys.groups, source, findCached };
  };

  test("a group is found by its id and its name, and is listed page by page", async () => {
    const { groups } = await start();
    const made = [];
    for (const name of ["a", "b", "c"]) made.push(await groups.create(createInput(name, DAY), BY));
    const [first] = made;
    expect(first).toMatchObject({ name: "a", limits: { budgets: STORED_DAY }, createdAt: NOW });
    expect(await groups.get("a")).toEqual(first);
    expect(await groups.get(first?.id ?? "")).toEqual(first);
    const sorted = made.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    expect(await groups.list({ limit: 2 })).toEqual(sorted.slice(0, 2));
    expect(await groups.list({ limit: 2, after: sorted[1]?.id })).toEqual(sorted.slice(2));
  });

  test("a change of limits is newer than the previous one, even if a clock is behind", async () => {
    const { clock, keys, groups } = await start();
    const group = await groups.create(createInput("a", DAY), BY);
    const { key } = await keys.create(createKeyInput("k", { limits: DAY }), BY);
    clock.now = NOW - 5_000;
    const changedGroup = await groups.update("a", change(null), BY);
    expect(changedGroup.limitsChangedAt).toBeGreaterThan(group.limitsChangedAt);
    const changedKey = await keys.update("k", changeKey({ limits: null }), BY);
    expect(changedKey.limitsChangedAt).toBeGreaterThan(key.limitsChangedAt);
  });

  test("an unknown group and a name that is taken are refused", async () => {
    const { groups, keys } = await start();
    await groups.create(createInput("a"), BY);
    await groups.create(createInput("b"), BY);
    const taken = { code: "group_name_taken", param: "name" };
    await expect(groups.create(createInput("a"), BY)).rejects.toMatchObject(taken);
    await expect(groups.update("a", { name: "b" }, BY)).rejects.toMatchObject(taken);
    const unknown = { code: "group_not_found", param: "group" };
    for (const attempt of [
      () => groups.get("x"),
      () => groups.update("x", {}, BY),
      () => groups.delete("x", BY),
      () => keys.create(createKeyInput("bob", { group: "x" }), BY),
    ])
      await expect(attempt()).rejects.toMatchObject(unknown);
    expect(await keys.list(ALL)).toEqual([]);
  });

  test("a change of limits is merged member by member, and null removes a member", async () => {
    const { groups, clock } = await start();
    await groups.create(createInput("a", { ...DAY, requests_per_minute: 60, max_in_flight: 5 }), BY);
    clock.now += 5;
    const month = { limit_usd: 10, mode: "soft" };
    const merged = await groups.update("a", change({ budgets: { month }, max_in_flight: null }), BY);
    expect(merged).toMatchObject({
      limits: {
        budgets: { ...STORED_DAY, month: { limitNanodollars: 10_000_000_000, mode: "soft" } },
        requestsPerMinute: 60,
        requestsPerDay: null,
        tokensPerMinute: null,
        maxInFlight: null,
      },
      limitsChangedAt: NOW + 5,
    });
    clock.now += 5;
    const removed = await groups.update("a", change({ budgets: { day: null, month: null } }), BY);
    expect(removed.limits).toMatchObject({ budgets: {}, requestsPerMinute: 60 });
    const emptied = await groups.update("a", change(null), BY);
    expect(emptied.limits).toEqual({
      budgets: {},
      requestsPerMinute: null,
      requestsPerDay: null,
      tokensPerMinute: null,
      maxInFlight: null,
    });
    clock.now += 5;
    const renamed = await groups.update("a", { name: "z" }, BY);
    expect(renamed).toMatchObject({ name: "z", limitsChangedAt: emptied.limitsChangedAt });
  });

  test("every change of a group is audited with its name, but not an update that changes nothing", async () => {
    const { groups, keys } = await start();
    const { id } = await groups.create(createInput("a"), BY);
    await groups.update("a", change({}), BY);
    await groups.update("a", change({ requests_per_minute: 5 }), BY);
    await groups.delete("a", BY);
    const entries = await keys.listAudit(ALL);
    expect(entries.map(({ action }) => action)).toEqual(["delete_group", "update_group", "create_group"]);
    for (const entry of entries)
      expect(entry).toMatchObject({ keyId: null, actor: "cli", details: { group: { id, name: "a" } } });
    expect(entries[1]?.details).toMatchObject({
      limits: { from: { requestsPerMinute: null }, to: { requestsPerMinute: 5 } },
    });
  });

  test("a group is deleted only when no key but revoked ones belongs to it", async () => {
    const { groups, keys } = await start();
    await groups.create(createInput("a"), BY);
    const { key } = await keys.create(createKeyInput("bob", { group: "a" }), BY);
    await expect(groups.delete("a", BY)).rejects.toMatchObject({ code: "group_not_empty" });
    await keys.revoke("bob", BY);
    await groups.delete("a", BY);
    expect((await keys.get(key.id)).group).toBeNull();
    expect(await groups.list(ALL)).toEqual([]);
  });

  test("a key has the limits of its group, also in caches, which notice a change of the group", async () => {
    const { groups, keys, source, findCached } = await start();
    const group = await groups.create(createInput("a", DAY), BY);
    const { key } = await keys.create(createKeyInput("bob", { group: group.id }), BY);
    const { key: other } = await keys.create(createKeyInput("eve"), BY);
    const { createdAt: _, ...shown } = group;
    expect(key.group).toEqual(shown);
    const before = await findCached(key.id);
    expect(before.key.group).toEqual(shown);
    expect((await findCached(other.id)).key.group).toBeNull();
    const { revision } = await source.readHistory(0);
    await groups.update("a", change({ requests_per_minute: 5 }), BY);
    expect(await source.listChangedSince(revision)).toEqual([key.id]);
    const after = await findCached(key.id);
    expect(after.key.group?.limits.requestsPerMinute).toBe(5);
    expect(after.revision).toBe(revision + 1);
    expect((await source.readHistory(revision)).revision).toBe(revision + 1);
    expect((await keys.list({ ...ALL, groupId: group.id })).map(({ name }) => name)).toEqual(["bob"]);
    expect((await keys.update("bob", changeKey({ group: null }), BY)).group).toBeNull();
  });

  test("the limits of a key are merged, and limitsChangedAt is the time of their last change", async () => {
    const { keys, clock, findCached } = await start();
    const plain = await keys.create(createKeyInput("plain"), BY);
    expect(plain.key).toMatchObject({ limitsChangedAt: 0, limits: { budgets: {} } });
    const { key } = await keys.create(
      createKeyInput("bob", { limits: DAY, unboundedReservationNanodollars: "0.5" }),
      BY,
    );
    expect(key).toMatchObject({ limitsChangedAt: NOW, unboundedReservationNanodollars: 500_000_000 });
    clock.now += 5;
    expect((await keys.update("bob", changeKey({ owner: "Bob" }), BY)).limitsChangedAt).toBe(NOW);
    const changed = await keys.update("bob", changeKey({ limits: { tokens_per_minute: 9 } }), BY);
    expect(changed).toMatchObject({
      limitsChangedAt: NOW + 5,
      limits: { budgets: STORED_DAY, tokensPerMinute: 9 },
    });
    expect((await findCached(key.id)).key).toMatchObject({
      limits: changed.limits,
      limitsChangedAt: NOW + 5,
      unboundedReservationNanodollars: 500_000_000,
    });
  });

  test("end users need a source; their budgets are merged, and null removes all of their settings", async () => {
    const { keys, clock } = await start();
    const { key } = await keys.create(createKeyInput("bob"), BY);
    await expect(
      keys.update("bob", changeKey({ endUsers: { budgets: { day: { limit_usd: 0.45 } } } }), BY),
    ).rejects.toMatchObject({ code: "missing_required_parameter", param: "end_users.source" });
    clock.now += 5;
    const set = await keys.update("bob", changeKey({ endUsers: { source: "header:X-User" } }), BY);
    expect(set).toMatchObject({
      endUsers: { source: "header:x-user", budgets: {} },
      limitsChangedAt: NOW + 5,
    });
    const merged = await keys.update("bob", changeKey({ endUsers: DAY }), BY);
    expect(merged.endUsers).toEqual({ source: "header:x-user", budgets: STORED_DAY });
    expect((await keys.update(key.id, changeKey({ endUsers: null }), BY)).endUsers).toBeNull();
  });

  test("a block is kept until the later of two times, is audited, and ends with an unblock", async () => {
    const { keys, findCached } = await start();
    const { key } = await keys.create(createKeyInput("bob"), BY);
    const by = { actor: "budget", source: "gateway" };
    expect((await keys.block(key.id, NOW + 500, by)).blockedUntil).toBe(NOW + 500);
    expect((await keys.block(key.id, NOW + 100, by)).blockedUntil).toBe(NOW + 500);
    expect((await findCached(key.id)).key.blockedUntil).toBe(NOW + 500);
    const forever = await keys.block(key.id, Infinity, by);
    expect(new Date(forever.blockedUntil).getUTCFullYear()).toBe(9999);
    expect((await keys.update("bob", changeKey({ unblock: true }), BY)).blockedUntil).toBe(0);
    const entries = await keys.listAudit({ ...ALL, keyId: key.id });
    expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
      ["update", "cli"],
      ["block", "budget"],
      ["block", "budget"],
      ["create", "cli"],
    ]);
    expect(entries[2]?.details).toEqual({ blockedUntil: { from: 0, to: NOW + 500 } });
    await expect(keys.block("key_none", NOW, by)).rejects.toMatchObject({ code: "key_not_found" });
  });
}
