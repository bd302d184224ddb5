import { chmodSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newKeySchema } from "../../src/keys/key-input.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { openDatabase } from "../../src/store/database.ts";
import { makePrivate } from "../../src/store/private-files.ts";
import { isUnavailable } from "../../src/store/database-errors.ts";
import { AUTHORIZATION } from "../support/chat-request.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

/** Lists the files below a directory that users other than their owner can access. */
function listExposedFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => (statSync(path).mode & 0o077) !== 0);
}

test("only the owner can access the files of a gateway, even in a world-readable directory", async () => {
  const dataDir = createTemporaryDirectory();
  chmodSync(dataDir, 0o755);
  const umask = process.umask(0o022);
  onTestFinished(() => void process.umask(umask));
  const { upstream } = await startHeldUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl, { DATA_DIR: dataDir });
  expect((await gateway.call(gateway.caller, { headers: AUTHORIZATION })).status).toBe(200);
  expect(readdirSync(dataDir)).toContain("sluice.db-wal");
  expect(listExposedFiles(dataDir)).toEqual([]);
});

test("opening a database removes other users' access to its files", async () => {
  const dataDir = createTemporaryDirectory();
  const open = () => openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  const first = open();
  await first.migrate();
  for (const end of ["", "-wal", "-shm"]) chmodSync(join(dataDir, `sluice.db${end}`), 0o644);
  const second = open();
  expect(second.exposedFiles).toEqual([]);
  expect(listExposedFiles(dataDir)).toEqual([]);
  await second.close();
  await first.close();
});

test("reports a file whose mode cannot be changed, and ignores a missing one", () => {
  // A file of the kernel. Not even root can change its mode.
  const path = "/proc/self/status";
  expect(makePrivate([path, join(createTemporaryDirectory(), "missing")])).toEqual([path]);
  const own = join(createTemporaryDirectory(), "own");
  writeFileSync(own, "", { mode: 0o666 });
  expect(makePrivate([own])).toEqual([]);
});

test("a change that fails on a full disk throws SQLite's error and ends its transaction", async () => {
  const database = await openTestDatabase();
  const keys = new KeyService(database);
  const pages = database.sqlite?.prepare("pragma page_count").get()?.["page_count"];
  database.sqlite?.exec(`pragma max_page_count = ${Number(pages)}`);
  const make = async (): Promise<unknown> => {
    for (let count = 0; count < 1_000; count++)
      await keys.create(newKeySchema.parse({ name: `k${count}` }), { actor: "a", source: "b" });
    return undefined;
  };
  const error = await make().catch((cause: unknown) => cause);
  expect(error).toMatchObject({ errcode: 13 });
  expect(isUnavailable(error)).toBe(true);
  // Another change succeeds, so the connection is not left in a transaction.
  database.sqlite?.exec(`pragma max_page_count = 1000000`);
  await keys.create(newKeySchema.parse({ name: "after" }), { actor: "a", source: "b" });
});
