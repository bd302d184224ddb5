import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { heartbeat } from "../../src/metering/sql/instances.ts";
import { listFindings, listWithoutRemedy, runDoctor } from "../support/doctor.ts";
import { runNode } from "../support/run-node.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

async function check(dataDir: string, env: Record<string, string> = {}): Promise<string[]> {
  const findings = await runDoctor({ DATA_DIR: dataDir, ...env });
  expect(listWithoutRemedy(findings)).toEqual([]);
  return listFindings(findings, "database");
}

/** Creates a database with the current schema. It stays open until the test ends if `isOpen`. */
async function createDatabase(isOpen = false) {
  const dataDir = createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  if (isOpen) onTestFinished(() => database.close());
  else await database.close();
  return { dataDir, database, path: join(dataDir, "sluice.db") };
}

/** Returns names, times and contents of all files of a directory. */
function fingerprint(directory: string): string[] {
  return readdirSync(directory).map((name) => {
    const path = join(directory, name);
    return `${name} ${statSync(path).mtimeMs} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
  });
}

test("a database that does not exist is reported and not created", async () => {
  const dataDir = createTemporaryDirectory();
  expect(await check(dataDir)).toEqual([
    expect.stringMatching(/^warning: The database .* does not exist\.$/),
  ]);
  expect(readdirSync(dataDir)).toEqual([]);
});

test("a database that no process has open is ok, and none of its files changes", async () => {
  const { dataDir } = await createDatabase();
  const before = fingerprint(dataDir);
  expect(await check(dataDir)).toEqual([
    expect.stringMatching(/^ok: SQLite responds to a query in/),
    "ok: The schema is that of this version.",
    "ok: 0 gateway(s) sent a heartbeat to this database within the last minute.",
    "ok: The ledger has no request with an overdue or unknown cost.",
  ]);
  expect(fingerprint(dataDir)).toEqual(before);
});

test("tries the write lock while a gateway has the database open, and finds a process that holds it", async () => {
  const { dataDir, database, path } = await createDatabase(true);
  await heartbeat(database, "one");
  expect((await check(dataDir)).join()).toContain("ok: The database accepts writes");
  const other = new DatabaseSync(path);
  onTestFinished(() => other.close());
  other.exec("begin immediate");
  expect((await check(dataDir)).join()).toMatch(/failed: The database does not accept writes: .*locked/);
});

test("several gateways on one SQLite file fail", async () => {
  const { dataDir, database } = await createDatabase(true);
  await heartbeat(database, "one");
  await heartbeat(database, "two");
  expect((await check(dataDir)).join()).toMatch(/failed: 2 gateway\(s\) .* and it is a SQLite file/);
});

test("an older schema is migrated by the gateway, and a newer one fails", async () => {
  const { dataDir, path } = await createDatabase();
  const change = (statement: string): void => {
    const database = new DatabaseSync(path);
    database.exec(statement);
    database.close();
  };
  change("delete from sluice_migrations where name = '0008-limits'");
  expect((await check(dataDir)).at(-1)).toBe(
    "ok: The schema lacks 1 migration(s) of this version, which the gateway makes when it starts.",
  );
  change("insert into sluice_migrations (name, timestamp) values ('9999-future', 'x')");
  expect((await check(dataDir)).at(-1)).toMatch(/^failed: A newer version of Sluice .*9999-future/);
});

test("a file that is no database fails", async () => {
  const dataDir = createTemporaryDirectory();
  writeFileSync(join(dataDir, "sluice.db"), "not a database".repeat(1_000));
  expect(await check(dataDir)).toEqual(["failed: The database is unusable: file is not a database."]);
});

test.each([
  ["that its user may only read", 0o755, 0o444],
  ["in a directory of another user", 0o700, 0o600],
])("a database %s fails", async (_what, directoryMode, fileMode) => {
  const { dataDir, path } = await createDatabase();
  chmodSync(path, fileMode);
  chmodSync(dataDir, process.getuid?.() === 0 || directoryMode !== 0o700 ? directoryMode : 0o000);
  const script = `import { listFindings, runDoctor } from "./test/support/doctor.ts";
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
    const findings = await runDoctor({ DATA_DIR: ${JSON.stringify(dataDir)} });
    process.stdout.write(listFindings(findings, "database").join("\\n"));`;
  const file = join(createTemporaryDirectory(), "script.mts");
  writeFileSync(file, script.replaceAll('"./test', `"${process.cwd()}/test`));
  const run = runNode(file);
  expect(await run.waitForExit("doctor as another user", 30_000)).toBe(0);
  expect(run.stdout()).toMatch(
    /^failed: The user that runs doctor cannot read and write the database: EACCES/,
  );
});

test("a PostgreSQL that accepts connections and never responds fails, without the password", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  const { port } = silent.address() as AddressInfo;
  const url = `postgres://bob:secret-word@127.0.0.1:${port}/x`;
  const found = await check(createTemporaryDirectory(), { DATABASE_URL: url });
  expect(found).toEqual([
    expect.stringMatching(/^failed: (?:The database is unusable|The check did not end)/),
  ]);
  expect(found.join()).not.toContain("secret-word");
}, 30_000);
