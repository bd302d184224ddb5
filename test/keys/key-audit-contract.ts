import { expect, test } from "vitest";
import type { Actor } from "../../src/keys/managed-key.ts";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import type { Database } from "../../src/store/database.ts";

const NOW = 1_800_000_000_000;
const BY: Actor = { actor: "cli", source: "somebody@somewhere" };
const ALL = { limit: 100 };
const input = (name: string) => newKeySchema.parse({ name });

/** Tests of the audit log and of the first keys of a gateway. @param open opens an empty database. */
export function keyAuditContract(open: () => Promise<Database>): void {
  const start = async (): Promise<KeyService> => new KeyService(await open(), () => NOW);

  test("audits every change with its details and actor, and lists changes page by page, newest first", async () => {
    const service = await start();
    const { key } = await service.create(input("team"), BY);
    await service.update("team", { owner: "Zoë" }, { actor: key.id, source: "10.0.0.1" });
    await service.rotate("team", { graceMs: 0 }, BY);
    await service.revoke("team", BY);
    await service.create(input("other"), BY);
    const entries = await service.listAudit({ ...ALL, keyId: key.id });
    expect(entries.map(({ action }) => action)).toEqual(["revoke", "rotate", "update", "create"]);
    expect(entries[2]).toMatchObject({
      at: NOW,
      actor: key.id,
      source: "10.0.0.1",
      details: { owner: { from: null, to: "Zoë" } },
    });
    const newest = await service.listAudit({ limit: 2 });
    expect(newest.map(({ action }) => action)).toEqual(["create", "revoke"]);
    const rest = await service.listAudit({ limit: 100, before: newest[1]?.id });
    expect(rest.map(({ action }) => action)).toEqual(["rotate", "update", "create"]);
  });

  test("does not audit a refused change", async () => {
    const service = await start();
    await service.create(input("team"), BY);
    await expect(service.create(input("team"), BY)).rejects.toMatchObject({ code: "key_name_taken" });
    await expect(service.update("team", { expiresAt: 1 }, BY)).rejects.toMatchObject({
      code: "invalid_value",
    });
    expect(await service.listAudit(ALL)).toHaveLength(1);
  });

  test("creates the first two keys only once, even if ten requests for them run at the same time", async () => {
    const service = await start();
    const results = await Promise.all(Array.from({ length: 10 }, () => service.createFirstKeys(BY)));
    const [first, ...others] = results.filter((keys) => keys !== undefined);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ admin: { key: { role: "admin" } }, caller: { key: { role: "caller" } } });
    expect(await service.list(ALL)).toHaveLength(2);
    await service.revoke("first-admin", BY);
    await service.revoke("first-caller", BY);
    expect(await service.createFirstKeys(BY)).toBeUndefined();
  });

  test("creates no first keys if a key exists", async () => {
    const service = await start();
    await service.create(input("team"), BY);
    expect(await service.createFirstKeys(BY)).toBeUndefined();
  });
}
